"""The page over a catalogue of garments in several colours: folded, sorted, with live facets."""

import re

import pytest
from playwright.sync_api import expect

from coordi.types import ImageRef, Item

from .conftest import serving
from .fakes import COLORS, FakeEngine, draw
from .test_page import TILES, opened, wait_until

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
    count(page, "12 garments in 36 colours")
    expect(page.get_by_role("button", name="3 colours of Dress 0")).to_be_visible()
    page.get_by_role("button", name="3 colours of Dress 0").click()
    dialog = page.get_by_role("dialog", name="Dress 0")
    expect(dialog.get_by_role("heading", name="Colours")).to_be_visible()
    # Beside the picture and the price, not below all that is told of the garment.
    colors = dialog.locator(".colors")
    facts = dialog.locator(".facts")
    assert colors.bounding_box()["y"] < facts.bounding_box()["y"]
    expect(colors.get_by_role("link")).to_have_count(3)
    dialog.get_by_role("link", name="Blue").click()
    expect(page).to_have_url(re.compile("item=0-blue"))
    expect(dialog.get_by_text("blue", exact=True)).to_be_visible()
    expect(dialog.locator("[aria-current=true]")).to_have_text("Blue")
    # Colours of one garment are one step back.
    page.go_back()
    expect(dialog).to_be_hidden()
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


def feed():
    """What a real feed has: reduced prices, two currencies, ways to categories, codes, dates."""
    items = []
    for number, color in enumerate(list(COLORS) * 2):
        fields = {
            "category": f"Clothing > Women > {'Dresses' if number % 2 else 'Tops'}",
            "color": color,
            "price": 40.0 + number,
            "sale_price": 30.5 if number == 0 else None,
            "currency": "USD" if number > 7 else "EUR",
            "sizes": ("XL;S;M", "S;XL", "M")[number % 3],
            "sku": f"AB-{number}-XL",
            "added": f"2024-{number + 1:02}-01",
            "online": True,
        }
        views = [ImageRef(data=draw(kind, color)) for kind in ("dress", "shirt", "trousers")]
        title = "A very long title " * 12 if number == 1 else f"Garment {number}"
        items.append(Item(f"g{number}", views[0], title, "", fields, more=tuple(views[1:])))
    return items


@pytest.fixture(scope="module")
def feed_address():
    with serving(FakeEngine(feed())) as address:
        yield address


@pytest.fixture(params=[1280, 390], ids=["wide", "narrow"])
def feed_page(request, browser, feed_address):
    context = browser.new_context(
        viewport={"width": request.param, "height": 844},
        base_url=feed_address,
        locale="en-GB",
        has_touch=request.param < 500,
    )
    page = context.new_page()
    yield page
    assert not page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    context.close()


def tile(page, id):
    return page.locator(f"{TILES}:has(a[href*='item={id}'])").first


def filters(page):
    if page.viewport_size["width"] < 800:
        page.locator("#open-filters").click()
    return page.locator("#filters")


def test_cards_show_reduced_prices_and_sizes(feed_page):
    page = opened(feed_page)
    card = tile(page, "g0")
    expect(card.locator(".tile-price")).to_have_text("€30.50")
    expect(card.locator("s")).to_contain_text("€40")
    expect(card.locator(".tile-sizes")).to_contain_text("XL · S · M")
    expect(tile(page, "g2").locator("s")).to_have_count(0)
    expect(tile(page, "g2").locator(".tile-kind")).to_have_text("Tops")
    expect(tile(page, "g9").locator(".tile-price")).to_have_text("US$49")
    assert tile(page, "g1").locator(".tile-name").bounding_box()["height"] < 60
    page.get_by_role("link", name="Garment 0").click()
    dialog = page.get_by_role("dialog", name="Garment 0")
    expect(dialog.locator(".detail-price s")).to_contain_text("€40")
    expect(dialog.get_by_role("list", name="Sizes").get_by_role("listitem")).to_have_count(3)
    facts = dialog.get_by_role("definition")
    expect(facts.filter(has_text="AB-0-XL")).to_be_visible()
    expect(facts.filter(has_text="1 Jan 2024")).to_be_visible()
    expect(facts.filter(has_text="EUR")).to_have_count(0)


MONEY = """async (pairs) => {
  const { money } = await import("/static/format.js");
  return pairs.map(([amount, code]) => money(amount, code));
}"""


def test_each_currency_has_its_own_decimals(feed_page):
    page = opened(feed_page)
    pairs = [[9000, "JPY"], [1498.4, "JPY"], [39.9, "EUR"], [5.125, "KWD"], [199, "kr"], [7.5, ""]]
    shown = [text.replace("\u00a0", " ") for text in page.evaluate(MONEY, pairs)]
    assert shown == ["¥9,000", "¥1,498", "€39.90", "KWD 5.125", "199 kr", "7.50"]


FORMER = """async (fields) => {
  const { pricesOf } = await import("/static/format.js");
  return pricesOf({ fields: { currency: "EUR", ...fields } });
}"""


def test_what_was_paid_before_is_struck_out_only_where_it_was_more(feed_page):
    page = opened(feed_page)
    for fields, wanted in (
        ({"price": 20, "compare_at_price": 25}, ["€20", "€25"]),
        ({"price": 20, "Regular_price": 20}, ["€20", ""]),
        ({"price": 20, "special_price": 15}, ["€15", "€20"]),
        ({"price": 20, "sale_price": 0}, ["€20", ""]),
        ({"price": 20, "sale_price": "call"}, ["€20", ""]),
        ({"sale_price": 15}, ["", ""]),
    ):
        assert list(page.evaluate(FORMER, fields).values()) == wanted


def test_prices_of_two_currencies_are_not_compared_unsaid(feed_page):
    page = opened(feed_page, "/?sort=price")
    expect(page.locator("#remarks")).to_contain_text("EUR and USD")
    place = filters(page)
    expect(place.get_by_text("Price (EUR, USD)", exact=True)).to_be_visible()
    expect(place.locator("[data-field=price]")).to_contain_text("bare numbers")
    place.get_by_role("checkbox", name="USD").check()
    expect(place.get_by_text("Price (USD)", exact=True)).to_be_visible()
    expect(page.locator("#remarks")).to_be_empty()
    opened(page, "/?f.currency=USD&max.price=48")
    expect(page.get_by_role("button", name="Remove filter Price up to US$48")).to_be_visible()


def test_dates_are_chosen_as_days(feed_page):
    page = opened(feed_page)
    place = filters(page)
    if not place.locator("[data-field=added][open]").count():
        place.locator("[data-field=added] summary").click()
    expect(place.locator("[data-field=added]").get_by_role("checkbox")).to_have_count(0)
    place.get_by_label("Added from").fill("2024-09-01")
    expect(page).to_have_url(re.compile("min.added=2024-09-01"))
    expect(page.get_by_text("2 items")).to_be_visible()
    page.reload()
    expect(page.locator(TILES)).to_have_count(2)
    expect(page.get_by_role("button", name="Remove filter Added from 1 Sept 2024")).to_be_visible()
    opened(page, "/?min.added=2024-01-01&max.added=2024-02-15")
    expect(page.locator(TILES)).to_have_count(2)


def test_facets_read_as_a_shop_has_them(feed_page):
    page = opened(feed_page)
    place = filters(page)
    category = place.locator("[data-field=category]")
    expect(category.locator(".choice-name")).to_have_text(["Tops", "Dresses"])
    sizes = place.locator("[data-field=sizes] .choice-name")
    expect(sizes).to_have_text(["S", "M", "XL"])
    # Every item is online: nothing to choose.
    expect(place.locator("[data-field=online]")).to_have_count(0)
    category.get_by_role("checkbox", name="Tops").check()
    expect(page.locator(TILES)).to_have_count(5)


def test_any_field_orders_the_list(feed_page):
    page = opened(feed_page)
    page.get_by_role("combobox", name="Sort by").select_option("Color, A to Z")
    expect(page).to_have_url(re.compile("sort=color"))
    expect(page.locator(f"{TILES} a").first).to_have_attribute("href", re.compile("item=g3"))
    options = page.get_by_role("combobox", name="Sort by").locator("option").all_inner_texts()
    assert "Sale price, lowest first" not in options  # one value has no order
    assert "Newest first" in options


SWIPE = """([x]) => {
  const place = document.querySelector(".detail-picture");
  const at = (clientX) => new Touch({ identifier: 1, target: place, clientX, clientY: 200 });
  const fire = (type, list, touch) => place.dispatchEvent(
    new TouchEvent(type, { touches: list, changedTouches: [touch], bubbles: true }));
  fire("touchstart", [at(200)], at(200));
  fire("touchend", [], at(200 + x));
}"""


def test_pictures_turn_by_arrow_keys_and_by_finger(feed_page):
    page = opened(feed_page, "/?item=g0")
    strip = page.get_by_role("list", name="Pictures")
    expect(strip.get_by_role("button")).to_have_count(3)
    strip.get_by_role("button", name="Picture 1 of 3").focus()
    page.keyboard.press("ArrowRight")
    second = strip.get_by_role("button", name="Picture 2 of 3")
    expect(second).to_be_focused()
    expect(second).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".detail-picture img")).to_have_attribute("src", re.compile("n=1"))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".detail-picture img")).to_have_attribute("src", re.compile("n=2"))
    if page.viewport_size["width"] < 800:
        page.evaluate(SWIPE, [120])
        expect(page.locator(".detail-picture img")).to_have_attribute("src", re.compile("n=1"))
        page.evaluate(SWIPE, [-10])  # a tap
        expect(second).to_have_attribute("aria-pressed", "true")


def test_a_long_query_leaves_room_for_what_it_found(feed_page):
    page = opened(feed_page, "/?q=" + "a+long+red+dress+" * 40)
    assert page.locator("#heading").bounding_box()["height"] < 100
    expect(page.locator(TILES).first).to_be_in_viewport()


def test_an_item_searched_with_is_not_counted(shop_page, wardrobe):
    opened(shop_page, "/?like=0-red")
    expect(shop_page.locator(TILES).first).to_be_visible()
    asked = wardrobe[0].facets_asked
    wait_until(
        shop_page, lambda: any(one["query"] and one["query"].item == "0-red" for one in asked)
    )
