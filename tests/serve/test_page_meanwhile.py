"""What a person does while an answer is on its way is never undone by the answer."""

import re
from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import expect

from coordi.types import Garment

from .test_page import opened, photo, search, wait_until

pytestmark = pytest.mark.browser

MINUTE = 60_000
LATER = 1_000  # milliseconds; more than the page gathers key presses for
SKIRT = Garment("skirt", "bottom", (0.2, 0.5, 0.8, 0.9), 0.9, np.ones((4, 4), bool))
CORNER = "Top left corner of the box"


class Held:
    """Requests that wait until they are let go."""

    def __init__(self, page, address):
        self.page, self.routes, self.gone = page, [], False
        page.route(address, self.take)

    def take(self, route):
        if self.gone:
            route.continue_()
        else:
            self.routes.append(route)

    def go(self):
        wait_until(self.page, lambda: self.routes)
        self.gone = True
        for route in self.routes:
            route.continue_()


@pytest.fixture
def dressed(engine):
    engine.garments = (SKIRT,)
    yield engine
    engine.garments = ()


@pytest.fixture
def slow(page):
    """The page, with a clock that stands once `stop` has been called."""
    page.clock.install(time=0)
    return page


def stop(page):
    page.clock.pause_at(MINUTE)


def arrived(page):
    expect(page.locator("#gallery")).to_have_attribute("aria-busy", "false")


def box(page):
    return page.locator(".crop-box").evaluate(
        "({ style }) => [style.left, style.top, style.width, style.height].map(parseFloat)"
    )


def searching(page, **given):
    """A photo whose search is under way."""
    opened(page)
    held = Held(page, "**/v1/search?*")
    page.set_input_files("#file", photo(**given))
    expect(page).to_have_url(re.compile("query="))
    return held


def test_key_presses_on_the_box_outlive_an_answer(slow, engine):
    held = searching(slow)
    stop(slow)
    corner = slow.get_by_role("button", name=CORNER)
    corner.focus()
    slow.keyboard.press("Shift+ArrowDown")
    held.go()
    arrived(slow)
    slow.keyboard.press("Shift+ArrowDown")
    slow.keyboard.press("Shift+ArrowDown")
    expect(slow.get_by_text("Box from 0% to 100% across and 30% to 100% down")).to_be_attached()
    slow.clock.run_for(LATER)
    expect(slow).to_have_url(re.compile("box=0%2C0.3%2C1%2C1"))
    wait_until(slow, lambda: engine.queries[-1].image.shape[:2] == (245, 240))
    expect(corner).to_be_focused()


def test_a_drag_of_the_box_outlives_an_answer(slow, engine):
    held = searching(slow)
    stage = slow.locator(".crop").bounding_box()
    stop(slow)
    slow.mouse.move(stage["x"] + stage["width"] - 4, stage["y"] + stage["height"] - 4)
    slow.mouse.down()
    slow.mouse.move(stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
    held.go()
    arrived(slow)
    slow.mouse.up()
    assert box(slow)[2:] == [pytest.approx(50, abs=4)] * 2
    slow.clock.run_for(LATER)
    wait_until(slow, lambda: engine.queries[-1].image.shape[0] < 200)


def test_a_box_drawn_before_garments_are_found_is_kept(page, dressed):
    opened(page)
    held = Held(page, "**/v1/find")
    page.set_input_files("#file", photo())
    expect(page.get_by_text("Looking for garments")).to_be_visible()
    corner = page.get_by_role("button", name=CORNER)
    corner.focus()
    page.keyboard.press("Shift+ArrowDown")
    held.go()
    expect(page.locator(".dot")).to_have_count(1)
    expect(corner).to_be_focused()  # the same box, not one made anew
    page.keyboard.press("Shift+ArrowDown")
    expect(page).to_have_url(re.compile("box=0%2C0.2%2C1%2C1"))
    wait_until(page, lambda: dressed.queries and dressed.queries[-1].image.shape[0] == 280)


def test_a_dot_tapped_right_after_the_box_was_moved_is_what_is_searched(slow, dressed):
    held = searching(slow)
    held.go()
    stop(slow)
    slow.get_by_role("button", name=CORNER).focus()
    slow.keyboard.press("ArrowDown")
    slow.locator(".dot").focus()
    slow.keyboard.press("Enter")
    slow.clock.run_for(LATER)
    expect(slow.get_by_role("heading", name="Like the skirt in your photo")).to_be_visible()
    assert box(slow) == pytest.approx([17, 48, 66, 44], abs=0.2)
    wait_until(slow, lambda: dressed.queries[-1].image.shape[0] == pytest.approx(154, abs=2))


def test_a_slider_that_is_dragged_outlives_an_answer(page, engine):
    searching(page).go()
    arrived(page)
    held = Held(page, "**/v1/search?*")
    search(page, "blue shirt")
    slider = page.get_by_role("slider", name="Weight of your words")
    at = slider.bounding_box()
    page.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    page.mouse.down()
    page.mouse.move(at["x"] + at["width"] - 2, at["y"] + at["height"] / 2, steps=3)
    held.go()
    arrived(page)
    expect(slider).to_have_value("95")
    page.mouse.up()
    wait_until(page, lambda: engine.queries[-1].weights["text"] == pytest.approx(0.95))


def test_words_being_typed_outlive_an_answer(page):
    opened(page)
    held = Held(page, "**/v1/search?*")
    search(page, "red")
    page.keyboard.type(" dress")
    held.go()
    arrived(page)
    field = page.get_by_role("searchbox", name="Search by words")
    expect(field).to_have_value("red dress")
    expect(field).to_be_focused()


def test_a_word_looked_for_among_values_outlives_an_answer(page, engine):
    whole = list(engine.items)
    engine.items[:] = [
        replace(item, id=f"{item.id}/{number}", fields={**item.fields, "brand": f"Brand {number}"})
        for number in range(12)
        for item in whole[:2]
    ]
    engine.vectors.update({one.id: np.ones(3) for one in engine.items})
    try:
        opened(page)
        brand = page.locator("[data-field=brand]")
        held = Held(page, "**/v1/facets?*")
        page.get_by_role("checkbox", name="red").check()
        find = brand.get_by_role("searchbox")
        find.fill("Brand 1")
        held.go()
        expect(brand.locator(".choice-count").first).to_have_text("1")  # it was 2
        expect(find).to_have_value("Brand 1")
        expect(find).to_be_focused()
        expect(brand.get_by_role("checkbox")).to_have_count(3)
    finally:
        engine.items[:] = whole
