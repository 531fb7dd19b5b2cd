"""The page's photo searches: dots, the box that starts from them, addresses, a phone's view."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from coordi import errors
from coordi.types import Garment

from .test_page import CONTRAST, NAMELESS, REACH, TILES, opened, photo, wait_until

pytestmark = pytest.mark.browser

PHONE = (390, 844)
BOTH = pytest.mark.parametrize("page", [(1280, 900), PHONE], indirect=True, ids=["wide", "phone"])
MASK = np.ones((4, 4), bool)
SKIRT = Garment("skirt", "bottom", (0.2, 0.5, 0.8, 0.9), 0.9, MASK)
BLOUSE = Garment("blouse", "top", (0.2, 0.1, 0.8, 0.5), 0.8, MASK)
SHOES = Garment("shoes", "shoes", (0.4, 0.9, 0.6, 1.0), 0.5, MASK)


@pytest.fixture
def dressed(engine):
    engine.garments = (SKIRT, BLOUSE, SHOES)
    yield engine
    engine.garments = ()


def shown(page):
    opened(page)
    page.set_input_files("#file", photo())
    expect(page.get_by_role("heading", name="Like the skirt in your photo")).to_be_visible()
    expect(page.locator("#gallery")).to_have_attribute("aria-busy", "false")
    return page


def dots(page):
    return page.get_by_role("group", name="Garments in your photo").get_by_role("button")


def unfolded(page):
    if page.viewport_size["width"] < 500:
        page.get_by_role("button", name="Change").click()
    return page


@BOTH
def test_the_best_garment_is_searched_and_another_by_its_dot(page, dressed):
    unfolded(shown(page))
    assert dressed.queries[-1].image.shape[:2] == pytest.approx((350 * 0.44, 240 * 0.66), abs=2)
    assert dots(page).evaluate_all("all => all.map((one) => one.ariaLabel)") == [
        "Blouse", "Skirt", "Shoes",
    ]  # fmt: skip
    expect(dots(page).and_(page.locator("[aria-pressed=true]"))).to_have_accessible_name("Skirt")
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(REACH) == []
    dots(page).first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Like the blouse in your photo")).to_be_visible()
    wait_until(page, lambda: dressed.queries[-1].image.shape[0] == pytest.approx(154, abs=2))
    unfolded(page)
    expect(dots(page).first).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Whole photo").click()
    expect(page.get_by_role("heading", name="Like your photo")).to_be_visible()
    wait_until(page, lambda: dressed.queries[-1].image.shape[:2] == (350, 240))
    page.go_back()
    expect(page.get_by_role("heading", name="Like the blouse in your photo")).to_be_visible()


def test_the_box_starts_from_the_garment_and_is_still_drawn_by_hand(page, dressed):
    shown(page)
    page.get_by_role("button", name="Top left corner of the box").focus()
    for _ in range(3):
        page.keyboard.press("Shift+ArrowDown")
    expect(page.get_by_text("Box from 17% to 83% across and 78% to 92% down")).to_be_attached()
    expect(page.get_by_role("heading", name="Like a part of your photo")).to_be_visible()
    expect(page.locator(".dot[aria-pressed=true]")).to_have_count(0)
    wait_until(page, lambda: dressed.queries[-1].image.shape[0] == pytest.approx(49, abs=2))


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_on_a_phone_the_results_are_in_view(page, dressed):
    shown(page)
    tile = page.locator(TILES).first.bounding_box()
    assert tile["y"] + tile["height"] <= page.viewport_size["height"]
    expect(page.locator(".crop")).to_be_hidden()
    unfolded(page)
    expect(page.locator(".crop")).to_be_visible()
    dots(page).last.tap()
    expect(page.locator(".crop")).to_be_hidden()
    expect(page.get_by_role("heading", name="Like the shoes in your photo")).to_be_visible()
    wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not page.evaluate(wider)


def test_the_address_leads_to_the_same_search(page, dressed):
    shown(page)
    expect(page).to_have_url(re.compile("query=[A-Za-z0-9_-]{22}&box=0.17"))
    address = page.url
    opened(page, "/")
    opened(page, address)
    expect(page.get_by_role("heading", name="Like the skirt in your photo")).to_be_visible()
    expect(page.get_by_alt_text("Your photo")).to_be_visible()
    expect(dots(page)).to_have_count(3)
    assert dressed.queries[-1].image.shape[:2] == pytest.approx((154, 158), abs=3)
    page.reload()
    expect(page.get_by_role("heading", name="Like the skirt in your photo")).to_be_visible()


def test_a_photo_that_is_kept_no_more(page):
    opened(page, f"/?query={'a' * 22}")
    expect(page.get_by_role("heading", name="This photo search has ended")).to_be_visible()
    page.get_by_role("main").get_by_role("button", name="See all items").click()
    expect(page.locator(TILES)).to_have_count(16)


def test_a_photo_of_this_visit_is_sent_again(page, dressed):
    shown(page)
    first = re.search("query=([A-Za-z0-9_-]{22})", page.url)[1]
    gone = '{"error": {"code": "gone", "message": "gone", "field": "query"}}'
    page.route("**/v1/search?*", lambda route: route.fulfill(status=410, body=gone), times=1)
    page.get_by_role("button", name="Whole photo").click()
    expect(page.get_by_role("heading", name="Like your photo")).to_be_visible()
    expect(page.locator(TILES).first).to_be_visible()
    expect(page).to_have_url(re.compile(f"query=(?!{first})"))


def test_without_a_finder_the_photo_is_searched_whole(page, engine, monkeypatch):
    def find(_):
        raise errors.EncoderError("/secret holds no garment finder")

    monkeypatch.setattr(engine, "find", find)
    opened(page)
    page.set_input_files("#file", photo("shirt", "blue"))
    expect(page.locator(f"{TILES} .tile-name").first).to_have_text("Blue shirt")
    expect(page.locator(".dot")).to_have_count(0)
    expect(page.locator("#alert")).to_be_hidden()
    expect(page.get_by_text("Drag a corner to frame one garment")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_on_the_photo_stands_out(page, dressed, scheme):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    shown(page)
    dots(page).first.focus()
    assert page.evaluate(CONTRAST) == []
