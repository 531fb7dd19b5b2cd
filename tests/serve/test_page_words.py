"""What the page says of words: chips, other spellings, nothing like it, why; and how it waits."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from .test_page import BOTH, CONTRAST, NAMELESS, REACH, TILES, opened, search

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def settled(page):
    """No answer is still being changed when its page closes."""
    yield
    page.unroute_all(behavior="wait")


def chip(id, text, *, negative=False):
    aspect, _, value = id.partition(":")
    return {"id": id, "aspect": aspect, "value": value, "text": text, "start": 0,
            "stop": len(text), "negative": negative}  # fmt: skip


CHIPS = [
    chip("color:navy", "navy"),
    chip("color:black", "black", negative=True),
    chip("sleeve:sleeveless", "without sleeves", negative=True),
    chip("price:<50", "under 50"),
]


def answered(page, change):
    """Have `change(body, dropped ids)` change every answer of a search."""

    def answer(route):
        asked = parse_qs(urlsplit(route.request.url).query).get("drop", [])
        response = route.fetch(url=re.sub(r"&drop=[^&]*", "", route.request.url))
        body = response.json()
        change(body, asked)
        route.fulfill(response=response, body=json.dumps(body))

    page.route("**/v1/search?*", answer)


def understood(body, dropped):
    body["chips"] = [one for one in CHIPS if one["id"] not in dropped]
    body["dropped"] = dropped


@BOTH
def test_what_was_understood_can_be_dropped_and_put_back(page):
    answered(page, understood)
    opened(page)
    search(page, "navy dress")
    chips = page.get_by_role("list", name="Understood").get_by_role("button")
    expect(chips).to_have_text(["navy", "not black", "without sleeves", "under 50"])
    chips.filter(has_text="not black").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("drop=color%3Ablack"))
    expect(chips).to_have_text(["navy", "without sleeves", "under 50", "not black"])
    expect(chips.last).to_be_focused()
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(REACH) == []
    page.reload()  # the page no longer knows its words, only its id
    expect(page.get_by_role("button", name="Put “black” back")).to_be_visible()
    page.get_by_role("button", name="Put “black” back").click()
    expect(page).not_to_have_url(re.compile("drop="))
    expect(chips).to_have_count(4)
    wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not page.evaluate(wider)
    chips.first.click()
    search(page, "red dress")
    expect(page).not_to_have_url(re.compile("drop="))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_chips_and_remarks_stand_out(page, scheme):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    answered(page, lambda body, dropped: understood(body, dropped) or body.update(suggestion="x"))
    opened(page, "/?q=navy&drop=color:navy")
    expect(page.get_by_role("button", name="Search instead for")).to_be_visible()
    assert page.evaluate(CONTRAST) == []


def test_another_spelling_is_said_and_undone(page, engine):
    def corrected(body, _):
        typed = not engine.queries[-1].spelling
        body["suggestion"] = "" if typed else "red dress"
        body["notes"] = [] if typed else ["Searched for “red dress” instead of “rad dress”."]

    answered(page, corrected)
    opened(page)
    search(page, "rad dress")
    remarks = page.locator("#remarks")
    expect(remarks).to_have_text("Searched for red dress. Search instead for “rad dress” as typed")
    remarks.get_by_role("button", name="Search instead for “rad dress” as typed").click()
    expect(remarks).to_be_empty()
    expect(page).to_have_url(re.compile("typed=1"))
    search(page, "rid dress")
    expect(page).not_to_have_url(re.compile("typed=1"))


NOTE = "The encoder knows no word of “x”, so the order of these hits means nothing. Try others."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"notes": [NOTE]}, "Try others."),
        ({"floor": 2}, "far from what you asked"),
    ],
)
def test_what_is_far_is_said_to_be(page, change, said):
    answered(page, lambda body, _: body.update(change))
    opened(page, "/?q=x")
    expect(page.locator("#remarks").get_by_role("heading")).to_have_text("Nothing like this here")
    expect(page.locator("#remarks")).to_contain_text(said)
    expect(page.locator(".remark")).to_have_count(1)
    expect(page.locator(TILES)).not_to_have_count(0)


def test_what_is_near_or_unknown_is_not_said_to_be_far(page):
    floors = [None, 0.4]
    answered(page, lambda body, _: body.update(floor=floors.pop()))
    for words in ("red dress", "blue dress"):
        opened(page, f"/?q={words}")
        expect(page.locator(TILES)).not_to_have_count(0)
        expect(page.locator("#remarks")).to_be_empty()
    assert not floors


def test_nothing_found_says_what_to_try(page):
    answered(page, lambda body, _: body.update(hits=[], more=False))
    opened(page, "/?q=x")
    expect(page.get_by_role("heading", name="Nothing like this here")).to_be_visible()
    expect(page.get_by_text("a kind and a colour for example")).to_be_visible()


def test_why_says_which_words_it_has(page):
    def explained(body, _):
        body["hits"][0].update(
            fused=0.9,
            fusion={"words": 0.6, "likeness": 0.3, "code": 0.0},
            words=[{"word": "gown", "found": "dress", "fields": ["title", "familyGroup"]}],
        )

    answered(page, explained)
    opened(page, "/?q=red+gown")
    page.locator(f"{TILES} a").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Why this?").click()
    expect(dialog.get_by_text("“dress” for “gown” in title, family group")).to_be_visible()
    expect(dialog.get_by_text("More alike than most")).to_be_visible()
    expect(dialog.get_by_role("definition").filter(has_text="0.90")).to_be_visible()


def test_skeletons_stand_where_the_results_stood(page):
    opened(page)
    before = page.locator("#gallery").bounding_box()
    held = []
    page.route("**/v1/search?*", lambda route: held.append(route))
    search(page, "red dress")
    expect(page.locator(".ghost")).to_have_count(16)
    expect(page.locator(TILES)).to_have_count(0)
    during = page.locator("#gallery").bounding_box()
    # The welcome above is gone; the rows are as high as they were.
    assert during["height"] == pytest.approx(before["height"], abs=2)
    held[0].continue_()
    expect(page.locator(".ghost")).to_have_count(0)
    expect(page.locator(f"{TILES} .tile-name").first).to_have_text("Red dress")
