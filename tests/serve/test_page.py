"""The page in Chromium, as a person uses it."""

import base64
import dataclasses
import json
import re
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from coordi import errors
from coordi.types import ImageRef

from .conftest import PATIENCE
from .fakes import draw

pytestmark = pytest.mark.browser

TILES = ".tile:not(.ghost)"
WIDE, NARROW = (1280, 900), (380, 800)
BOTH = pytest.mark.parametrize("page", [WIDE, NARROW], indirect=True, ids=["wide", "narrow"])


def photo(kind="dress", color="red", name="photo.jpg"):
    return {"name": name, "mimeType": "image/jpeg", "buffer": draw(kind, color)}


def opened(page, address="/"):
    page.goto(address)
    expect(page.locator("#gallery")).to_have_attribute("aria-busy", "false")
    return page


def first_name(page):
    return page.locator(f"{TILES} .tile-name").first


def search(page, words):
    page.get_by_role("searchbox", name="Search by words").fill(words)
    page.keyboard.press("Enter")


@BOTH
def test_the_first_page_shows_the_catalogue(page):
    opened(page)
    expect(page.get_by_role("heading", name="Seen it somewhere?")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="16 items")).to_be_visible()
    expect(page.locator(TILES)).to_have_count(16)
    expect(page.locator(".frame img.here").nth(1)).to_be_attached()
    wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not page.evaluate(wider)


SHAPES = """() => [...document.querySelectorAll(".frame img")].map((image) => [
  image.parentElement.clientWidth / image.parentElement.clientHeight,
  image.getAttribute("width") / image.getAttribute("height"),
])"""


@BOTH
def test_rows_are_justified_and_pictures_keep_their_shape(page):
    opened(page)
    rows = {}
    for tile in page.locator(f"{TILES} .frame").all():
        box = tile.bounding_box()
        rows.setdefault(round(box["y"]), []).append(box)
    full = page.locator("#gallery").bounding_box()
    ordered = [rows[y] for y in sorted(rows)]
    assert len(ordered) > 1
    for row in ordered[:-1]:
        assert len({round(box["height"]) for box in row}) == 1
        assert row[-1]["x"] + row[-1]["width"] == pytest.approx(full["x"] + full["width"], abs=2)
    shapes = page.evaluate(SHAPES)
    assert len(shapes) == 15
    for shown, given in shapes:
        assert shown == pytest.approx(given, rel=0.03)


@BOTH
def test_words(page):
    opened(page)
    search(page, "red dress")
    expect(first_name(page)).to_have_text("Red dress")
    expect(page.get_by_role("heading", name="“red dress”")).to_be_visible()
    # What a card says of its item; how like the query it is stands in the detail.
    expect(page.locator(".tile-line").first).to_have_text(re.compile(r"^19\s*dress$"))
    expect(page).to_have_url(re.compile(r"q=red\+dress"))
    page.go_back()
    expect(page.get_by_role("heading", name="Seen it somewhere?")).to_be_visible()
    expect(page.get_by_role("searchbox", name="Search by words")).to_have_value("")
    page.go_forward()
    expect(first_name(page)).to_have_text("Red dress")
    expect(page.get_by_role("searchbox", name="Search by words")).to_have_value("red dress")


def test_an_idea_is_one_click_away(page):
    opened(page)
    idea = page.get_by_role("list", name="Ideas to start from").get_by_role("button").first
    words = idea.inner_text()
    idea.click()
    expect(page.get_by_role("heading", name=f"“{words}”")).to_be_visible()


@BOTH
def test_a_chosen_photo(page, engine):
    opened(page)
    page.set_input_files("#file", photo("shirt", "blue"))
    expect(page.get_by_role("heading", name="Like your photo")).to_be_visible()
    expect(first_name(page)).to_have_text("Blue shirt")
    expect(page.get_by_role("heading", name="Your photo", exact=True)).to_be_visible()
    page.get_by_role("button", name="Remove the photo").click()
    expect(page.get_by_role("heading", name="Seen it somewhere?")).to_be_visible()
    page.go_back()
    expect(first_name(page)).to_have_text("Blue shirt")
    expect(page.get_by_role("heading", name="Your photo", exact=True)).to_be_visible()


HAND_OVER = """([kind, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "a.jpg", { type: "image/jpeg" }));
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true })
    : new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event);
}"""


def hand_over(page, kind):
    page.evaluate(HAND_OVER, [kind, base64.b64encode(draw("dress", "green")).decode()])


def test_a_pasted_photo(page):
    opened(page)
    hand_over(page, "paste")
    expect(first_name(page)).to_have_text("Green dress")


def test_a_dropped_photo(page):
    opened(page)
    hand_over(page, "dragenter")
    expect(page.locator("#veil")).to_be_visible()
    hand_over(page, "drop")
    expect(page.locator("#veil")).to_be_hidden()
    expect(first_name(page)).to_have_text("Green dress")


def test_photo_and_words_are_balanced(page, engine):
    opened(page)
    page.set_input_files("#file", photo("dress", "red"))
    expect(first_name(page)).to_have_text("Red dress")
    search(page, "blue shirt")
    slider = page.get_by_role("slider", name="Weight of your words")
    slider.focus()
    page.keyboard.press("End")
    expect(first_name(page)).to_have_text("Blue shirt")
    assert slider.evaluate("(one) => one === document.activeElement")
    page.keyboard.press("Home")
    expect(first_name(page)).to_have_text("Red dress")
    assert engine.queries[-1].weights["image"] == pytest.approx(0.95)
    assert engine.queries[-1].weights["text"] == pytest.approx(0.05)


def test_crop_by_keyboard(page, engine):
    opened(page)
    page.set_input_files("#file", photo())
    expect(page).to_have_url(re.compile("query="))  # what is on it is known
    corner = page.get_by_role("button", name="Top left corner of the box")
    corner.focus()
    for _ in range(3):
        page.keyboard.press("Shift+ArrowDown")
    expect(page.get_by_text("Box from 0% to 100% across and 30% to 100% down")).to_be_attached()
    expect(page.locator("#gallery")).to_have_attribute("aria-busy", "false")
    wait_until(page, lambda: engine.queries[-1].image.shape[:2] == (245, 240))
    assert corner.evaluate("(one) => one === document.activeElement")
    page.get_by_role("group", name="Part of the photo to search with").focus()
    page.keyboard.press("Shift+ArrowUp")
    expect(page.get_by_text("Box from 0% to 100% across and 20% to 90% down")).to_be_attached()


def test_crop_by_mouse(page, engine):
    opened(page)
    page.set_input_files("#file", photo())
    expect(page).to_have_url(re.compile("query="))  # what is on it is known
    stage = page.locator(".crop").bounding_box()
    page.mouse.move(stage["x"] + stage["width"] - 4, stage["y"] + stage["height"] - 4)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2, steps=4)
    page.mouse.up()
    wait_until(page, lambda: engine.queries[-1].image.shape[0] < 200)
    height, width = engine.queries[-1].image.shape[:2]
    assert (height / 350, width / 240) == (pytest.approx(0.5, abs=0.04),) * 2


def wait_until(page, ready):
    for _ in range(PATIENCE // 50):
        if ready():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not happen")


def test_filters_from_the_fields(page):
    opened(page)
    filters = page.get_by_role("complementary", name="Filters")
    filters.get_by_role("checkbox", name="shirt").check()
    expect(page.get_by_role("status").filter(has_text="5 items")).to_be_visible()
    filters.get_by_role("checkbox", name="dress").check()
    expect(page.get_by_role("status").filter(has_text="10 items")).to_be_visible()
    filters.get_by_role("spinbutton", name="Price to").fill("40")
    page.keyboard.press("Tab")
    expect(page.get_by_role("status").filter(has_text="4 items")).to_be_visible()
    filters.get_by_role("switch", name="Sale").check()
    expect(page.get_by_role("status").filter(has_text="2 items")).to_be_visible()
    page.get_by_role("button", name="Remove filter Price up to 40").click()
    expect(filters.get_by_role("spinbutton", name="Price to")).to_have_value("")
    expect(page.get_by_role("status").filter(has_text="4 items")).to_be_visible()
    page.reload()
    expect(page.get_by_role("status").filter(has_text="4 items")).to_be_visible()
    expect(filters.get_by_role("checkbox", name="shirt")).to_be_checked()
    page.get_by_role("button", name="Clear all").click()
    expect(page.get_by_role("status").filter(has_text="16 items")).to_be_visible()
    expect(filters.get_by_role("checkbox", name="shirt")).not_to_be_checked()


def test_price_slider_by_keyboard(page):
    opened(page)
    page.get_by_role("slider", name="Price, highest").focus()
    page.keyboard.press("Home")
    expect(page.get_by_role("button", name="Remove filter Price up to 19")).to_be_visible()
    expect(page.locator(TILES)).to_have_count(1)


@pytest.mark.parametrize("page", [NARROW], indirect=True)
def test_filters_in_a_sheet(page):
    opened(page)
    page.get_by_role("button", name="Filters").click()
    sheet = page.get_by_role("dialog", name="Filters")
    sheet.get_by_role("checkbox", name="trousers").check()
    sheet.get_by_role("button", name="Show the results").click()
    expect(sheet).to_be_hidden()
    expect(page.get_by_role("button", name="Filters (1)")).to_be_focused()
    expect(page.locator(TILES)).to_have_count(5)


WHERE = """async (filters) => (await import("/static/where.js")).whereOf(filters)"""


def test_filter_expressions_are_quoted(page):
    opened(page)
    odd = {"it`s": {"values": ["o'clock", "' or 1=1 --"]}, "price": {"min": 1.5}}
    assert page.evaluate(WHERE, odd) == (
        "`it``s` in ('o''clock', ''' or 1=1 --') and `price` >= 1.5"
    )


ROUND_TRIP = """async (state) => {
  const { read, write } = await import("/static/state.js");
  return read(new URL(write(state), location.origin).search);
}"""


def test_the_address_holds_the_state(page):
    opened(page)
    state = {
        "q": "a & b=c",
        "like": "dress/red 0",
        "item": "コーデ-0",
        "words": 80,
        "fold": True,
        "apart": True,
        "query": "5f0wQ0m2cEwq1bH0g3zv9A",
        "box": "0.1,0.2,0.9,0.8",
        "typed": True,
        "drop": ["color:navy", "price:<50"],
        "sort": "-price",
        "filters": {
            "a.b": {"values": ["x", "y&z"]},
            "price": {"min": 0, "max": 12.5},
            "sale": {"yes": True},
            "sizes": {"many": True, "values": ["M", "L"]},
        },
    }
    assert page.evaluate(ROUND_TRIP, state) == state


@BOTH
def test_detail_by_keyboard(page):
    opened(page)
    search(page, "red dress")
    # The catalogue shown before has a red dress too, whose detail has no score to explain.
    expect(page.get_by_role("status").filter(has_text="Best of")).to_be_visible()
    link = page.get_by_role("link", name="Red dress").first
    link.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Red dress")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("img", name="Red dress")).to_be_visible()
    expect(dialog.get_by_role("definition").filter(has_text="コーデ-0")).to_be_visible()
    dialog.get_by_text("Why this?").click()
    expect(dialog.get_by_text("Your words")).to_be_visible()
    expect(dialog.get_by_role("heading", name="Similar")).to_be_visible()
    for _ in range(30):
        page.keyboard.press("Tab")
        inside = (
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
        assert page.evaluate(inside)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(link).to_be_focused()
    expect(first_name(page)).to_have_text("Red dress")
    # Going back is no part of closing: the browser does it in its own time.
    expect(page).not_to_have_url(re.compile("item="))


def test_a_reranker_s_answer_stands_in_the_detail(page, engine):
    engine.match = 0.93
    opened(page, "/?q=green+dress")
    expect(page.get_by_role("status").filter(has_text="Best of")).to_be_visible()
    link = page.get_by_role("link", name="Green dress").first
    expect(link).not_to_contain_text("93%")
    link.click()
    dialog = page.get_by_role("dialog", name="Green dress")
    dialog.get_by_text("Why this?").click()
    expect(dialog.get_by_role("definition").filter(has_text="93%")).to_be_visible()


def test_back_closes_the_detail_and_forward_opens_it(page):
    opened(page)
    page.get_by_role("link", name="Blue dress").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.go_back()
    expect(dialog).to_be_hidden()
    page.go_forward()
    expect(page.get_by_role("dialog", name="Blue dress")).to_be_visible()


def test_an_item_can_be_shared(page):
    opened(page, "/?item=shirt%2Fred+6")
    expect(page.get_by_role("dialog").get_by_text("shirt/red 6")).to_have_count(0)
    opened(page, "/?item=shirt%2Fblue+6")
    dialog = page.get_by_role("dialog", name="Blue shirt")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_more_like_this(page):
    opened(page)
    page.get_by_role("button", name="More like Green shirt").click()
    expect(page.get_by_role("heading", name="Like Green shirt")).to_be_visible()
    expect(first_name(page)).to_contain_text("Green")
    page.get_by_role("link", name="Green trousers").click()
    page.get_by_role("dialog").get_by_role("button", name="More like this").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("heading", name="Like Green trousers")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Like Green trousers")).to_be_visible()
    page.get_by_role("button", name="Stop searching with this item").click()
    expect(page.get_by_role("heading", name="Seen it somewhere?")).to_be_visible()


def test_look_alikes_are_folded(page):
    opened(page)
    search(page, "dress")
    page.get_by_role("switch", name="Fold look-alikes").check()
    expect(page.get_by_role("button", name="1 more that look the same")).to_be_visible()
    page.get_by_text("+1 alike").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Looks the same")).to_be_visible()


def test_show_more(page):
    page.route("**/static/api.js", shorter_pages)
    opened(page)
    expect(page.locator(TILES)).to_have_count(6)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(TILES)).to_have_count(12)
    expect(page.locator(f"{TILES} a").nth(6)).to_be_focused()
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(TILES)).to_have_count(16)
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()


def shorter_pages(route):
    response = route.fetch()
    text = response.text()
    assert "PAGE = 36" in text
    route.fulfill(response=response, body=text.replace("PAGE = 36", "PAGE = 6"))


def test_nothing_fits(page):
    opened(page, "/?f.category=hat&max.price=1")
    expect(page.get_by_role("heading", name="Nothing fits")).to_be_visible()
    page.get_by_role("button", name="Remove the filters").click()
    expect(page.locator(TILES)).to_have_count(16)


def test_a_file_that_is_no_photo(page):
    opened(page)
    text = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"not a photo"}
    page.set_input_files("#file", text)
    expect(page.get_by_role("heading", name="not a photo we can read")).to_be_visible()
    page.get_by_role("main").get_by_role("button", name="Remove the photo").click()
    expect(page.locator(TILES)).to_have_count(16)


def test_a_file_that_is_too_large(page):
    opened(page)
    large = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"x" * 400_000}
    page.set_input_files("#file", large)
    expect(page.get_by_role("alert")).to_contain_text("larger than 0.3 MB")
    expect(page.locator(TILES)).to_have_count(16)


LARGE_PHOTO = """async () => {
  const { takeIn } = await import("/static/photo.js");
  const canvas = new OffscreenCanvas(3000, 1200);
  canvas.getContext("2d").fillRect(0, 0, 3000, 1200);
  const taken = await takeIn(new File([await canvas.convertToBlob()], "a.png"));
  const sent = await createImageBitmap(taken.blob);
  return [sent.width, sent.height, taken.blob.type];
}"""


def test_a_large_photo_is_made_smaller_before_it_is_sent(page):
    opened(page)
    assert page.evaluate(LARGE_PHOTO) == [1600, 640, "image/jpeg"]


def test_a_server_that_is_gone(page):
    opened(page)
    page.route("**/v1/search*", lambda route: route.abort())
    search(page, "red dress")
    expect(page.get_by_role("heading", name="cannot be reached")).to_be_visible()
    page.unroute("**/v1/search*")
    page.get_by_role("button", name="Try again").click()
    expect(first_name(page)).to_have_text("Red dress")


def test_a_server_that_fails(page, engine):
    opened(page)
    engine.failure = errors.StoreError("/secret")
    search(page, "red dress")
    expect(page.get_by_role("heading", name="cannot be read just now")).to_be_visible()
    assert "/secret" not in page.content()


def test_an_encoder_without_words_says_so(page, engine):
    opened(page)
    engine.failure = errors.EncoderError("the encoder /secret takes no words")
    search(page, "red dress")
    expect(page.get_by_text("cannot take such a query")).to_be_visible()
    assert "/secret" not in page.content()


def test_values_of_the_catalogue_are_never_markup(page, engine):
    bad = '<img src=x onerror="window.hit = 1">'
    page.route("**/v1/items?*", lambda route: retitled(route, bad))
    opened(page)
    expect(first_name(page)).to_have_text(bad)
    first_name(page).click()
    expect(page.get_by_role("dialog", name=bad)).to_be_visible()
    assert page.evaluate("window.hit") is None


def retitled(route, title):
    response = route.fetch()
    body = response.json()
    body["items"][0]["title"] = title
    body["items"][0]["fields"]["url"] = "javascript:alert(1)"
    route.fulfill(response=response, body=json.dumps(body))


NAMELESS = """() => [...document.querySelectorAll("button, a, input, dialog[open], [role=slider]")]
  .filter((one) => one.checkVisibility() && one.getAttribute("aria-hidden") !== "true")
  .filter((one) => !(one.ariaLabel || one.textContent.trim() || one.labels?.length ||
    one.getAttribute("aria-labelledby")))
  .map((one) => one.outerHTML)"""
REPEATED = """() => { const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  return ids.filter((id, at) => ids.indexOf(id) !== at); }"""
REACH = """() => [...document.querySelectorAll("button, .chips .choice, input[type=range]")]
  .filter((one) => one.checkVisibility() && !one.closest(".unseen"))
  .filter((one) => Math.min(one.offsetWidth, one.offsetHeight) < 24)
  .map((one) => one.outerHTML)"""


@BOTH
def test_everything_has_a_name_and_can_be_hit(page):
    opened(page)
    page.set_input_files("#file", photo())
    expect(page.get_by_role("heading", name="Your photo", exact=True)).to_be_visible()
    search(page, "dress")
    expect(page.locator("#gallery")).to_have_attribute("aria-busy", "false")
    assert page.evaluate(NAMELESS) == []
    page.locator(f"{TILES} a").first.click()
    expect(page.get_by_role("heading", name="Similar")).to_be_visible()
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(REPEATED) == []
    assert page.evaluate(REACH) == []
    for landmark in ("banner", "main", "search"):
        expect(page.get_by_role(landmark, include_hidden=True)).to_have_count(1)


CONTRAST = """() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor;
      if (numbers(color).at(3) !== 0) return numbers(color);
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const one of document.querySelectorAll("body *")) {
    const says = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const seen = one.checkVisibility({ opacityProperty: true }) && !one.closest(".unseen");
    if (!says || !seen) continue;
    const [a, b] = [light(numbers(getComputedStyle(one).color)), light(ground(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(`${ratio.toFixed(2)} ${one.className} ${one.textContent}`);
  }
  return low;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(page, scheme):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    opened(page, "/?f.category=dress")
    assert page.evaluate(CONTRAST) == []
    opened(page, "/?q=dress&fold=1")
    assert page.evaluate(CONTRAST) == []
    opened(page)
    assert page.evaluate(CONTRAST) == []
    page.locator(f"{TILES} a").first.click()
    expect(page.get_by_role("heading", name="Similar")).to_be_visible()
    assert page.evaluate(CONTRAST) == []


@BOTH
def test_what_to_know_of_an_answer_is_said(page, engine):
    engine.notes, engine.without_vector = ("The encoder does not know “zebra”.",), 12
    opened(page)
    remarks = page.locator("#remarks")
    expect(remarks).to_be_empty()
    search(page, "red zebra")
    expect(remarks).to_have_attribute("role", "status")
    expect(remarks).to_contain_text("The encoder does not know “zebra”.")
    expect(remarks).to_contain_text("12 of 28 items have no vector of this encoder yet")
    engine.notes, engine.without_vector = (), 0
    search(page, "red dress")
    expect(remarks).to_be_empty()


@BOTH
def test_further_pictures_and_broken_ones(page, engine):
    whole = engine.items[2]
    views = (ImageRef(data=draw("shirt", "blue")), ImageRef(data=b"no picture"))
    engine.items[2] = dataclasses.replace(whole, more=views)
    try:
        opened(page, f"/?item={quote(whole.id)}")
        strip = page.get_by_role("list", name="Pictures")
        expect(strip.get_by_role("button")).to_have_count(3)
        first = page.locator(".detail-picture img").get_attribute("src")
        strip.get_by_role("button", name="Picture 2 of 3").click()
        expect(page.locator(".detail-picture img")).to_have_attribute("src", re.compile("n=1"))
        expect(strip.get_by_role("button", pressed=True)).to_have_count(1)
        strip.get_by_role("button", name="Picture 3 of 3").click()
        expect(page.get_by_text("The picture cannot be shown")).to_be_visible()
        strip.get_by_role("button", name="Picture 1 of 3").click()
        expect(page.locator(".detail-picture img")).to_have_attribute("src", first)
    finally:
        engine.items[2] = whole


def test_items_whose_ids_are_steps_of_a_path(page, engine):
    whole = engine.items[2]
    engine.items[2] = dataclasses.replace(whole, id="..")
    engine.vectors[".."] = engine.vectors[whole.id]
    try:
        opened(page, "/?item=..")
        expect(page.get_by_role("heading", name=whole.title)).to_be_visible()
        picture = page.locator(".detail-picture img")
        expect(picture).not_to_have_js_property("naturalWidth", 0)
        expect(page.get_by_role("heading", name="Similar")).to_be_visible()
    finally:
        engine.items[2] = whole
