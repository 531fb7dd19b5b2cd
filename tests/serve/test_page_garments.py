"""The page over a catalogue of garments in several colours: folded, sorted, with live facets."""

import re

import pytest
from playwright.sync_api import expect

from coordi.types import ImageRef, Item

from .conftest import serving
from .fakes import COLORS, FakeEngine, draw
from .test_page import TILES, opened

pytestmark = pytest.mark.browser


def garments():
    items = []
    for number in range(12):
        for place, color in enumerate(list(COLORS)[:3]):
            fields = {
                "model": f"M{number}",
                "color": color,
                "brand": f"Brand {number}",
                "price": 20.0 + (7 * number + 3 * place) % 40,
                "currency": "EUR",
                "added": f"2024-{number + 1:02}-01",
                "sizes": "S;XXL" if number % 2 else "M",
            }
            data = ImageRef(data=draw("dress", color))
            items.append(Item(f"{number}-{color}", data, f"Dress {number}", "", fields))
    return items


@pytest.fixture(scope="module")
def wardrobe():
    engine = FakeEngine(garments())
    with serving(engine) as address:
        yield engine, address


@pytest.fixture(params=[1280, 360], ids=["wide", "narrow"])
def shop_page(request, browser, wardrobe):
    context = browser.new_context(
        viewport={"width": request.param, "height": 900}, base_url=wardrobe[1]
    )
    page = context.new_page()
    yield page
    context.close()


def count(page, words):
    expect(page.get_by_role("status").filter(has_text=words)).to_be_visible()


def test_garments_are_folded_and_unfold(shop_page):
    page = opened(shop_page)
    count(page, "12 garments")
    expect(page.get_by_role("button", name="3 colours of Dress 0")).to_be_visible()
    page.get_by_role("button", name="3 colours of Dress 0").click()
    dialog = page.get_by_role("dialog", name="Dress 0")
    expect(dialog.get_by_role("heading", name="Colours")).to_be_visible()
    dialog.get_by_role("link", name="Blue").click()
    expect(page).to_have_url(re.compile("item=0-blue"))
    expect(dialog.get_by_text("blue", exact=True)).to_be_visible()
    opened(page, "/?apart=1")
    count(page, "36 items")
    wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not page.evaluate(wider)


def test_the_order_is_chosen_and_stands_in_the_address(shop_page):
    page = opened(shop_page)
    page.get_by_role("combobox", name="Sort by").select_option("Price, highest first")
    expect(page.locator(".tile-price").first).to_have_text("€58")
    expect(page).to_have_url(re.compile("sort=-price"))
    page.get_by_role("combobox", name="Sort by").select_option("Newest first")
    expect(page.locator(f"{TILES} .tile-name").first).to_have_text("Dress 11")
    page.reload()
    expect(page.get_by_role("combobox", name="Sort by")).to_have_value("-added")


def test_facets_live_under_the_filters(shop_page):
    page = opened(shop_page, "/?has.sizes=XXL")
    count(page, "6 garments")
    expect(page.get_by_role("button", name="Remove filter Sizes: XXL")).to_be_visible()
    if page.viewport_size["width"] < 800:
        page.get_by_role("button", name="Filters (1)").click()
    place = page.locator("#filters")
    brand = place.locator("[data-field=brand]")
    sizes = place.locator("[data-field=sizes]")
    expect(brand.get_by_role("checkbox", include_hidden=True)).to_have_count(6)
    expect(sizes.locator("input[value=M]")).to_be_visible()
    expect(place.get_by_text("Price (EUR)")).to_be_visible()
    box = sizes.locator("input[value=M]")
    box.focus()
    page.keyboard.press("Space")
    expect(brand.get_by_role("checkbox", include_hidden=True)).to_have_count(12)
    expect(sizes.locator("input[value=M]")).to_be_focused()
