"""When the best hit is said to be far: quantiles of the store's own likeness."""

import numpy as np
import pytest

from coordi.geometry import unit_rows
from coordi.tasks.floor import CONCEPTS, FEWEST, PAIRS, Floors, measure
from coordi.tasks.search import search
from coordi.types import Answer, Hit, Item, Query
from coordi.words import concepts

from .test_search import ROWS, RowEncoder, picture, store  # noqa: F401

FLOORS = Floors(photos=0.4, words=0.5)


class Concepts(RowEncoder):
    """Concept n means row n; it does not know the words with a space."""

    places = {one.name: place % len(ROWS) for place, one in enumerate(concepts())}  # noqa: RUF012

    def encode_texts(self, texts):
        return ROWS[[self.places[text] for text in texts]] * np.float32(0.5)

    def unknown_words(self, text):
        return tuple(text.split()) if " " in text else ()


def test_measured_as_a_slow_loop_does():
    sample = unit_rows(np.random.default_rng(1).standard_normal((50, ROWS.shape[1])))
    pairs = [float(sample[i] @ sample[j]) for i in range(50) for j in range(i)]
    known = [one.name for one in concepts() if " " not in one.name]
    best = [max(float(Concepts().encode_texts([n])[0] @ row) for row in sample) for n in known]
    found = measure(sample, Concepts())
    assert found.photos == pytest.approx(np.quantile(pairs, PAIRS), abs=1e-5)
    assert found.words == pytest.approx(np.quantile(best, CONCEPTS), abs=1e-5)


def test_only_what_the_encoder_takes_and_enough_items_are_measured():
    assert measure(ROWS, Concepts("image")).words is None
    assert measure(ROWS, Concepts("text")).photos is None
    assert measure(ROWS[: FEWEST - 1], Concepts()) == Floors()


@pytest.mark.parametrize(
    ("asked", "floor"),
    [
        ({"image": picture(3)}, 0.4),
        ({"text": "3"}, 0.5),
        ({"item": "3"}, None),
        ({"image": picture(3), "text": "3"}, None),
        ({"image": picture(3), "weights": {"image": -1.0}}, None),
        ({"image": picture(3), "offset": 1}, None),
        ({"image": picture(3), "sort": "n"}, None),
    ],
)
def test_a_floor_belongs_to_one_part_in_the_order_of_likeness(store, asked, floor):  # noqa: F811
    query = Query(**{"by": "vectors", **asked})
    answer = search(query, store=store.snapshot(), encoder=RowEncoder(), floors=FLOORS)
    assert answer.floor == floor
    assert search(query, store=store.snapshot(), encoder=RowEncoder()).floor is None


def test_words_that_items_have_are_never_far(store):  # noqa: F811
    query = Query(text="coat", by="hybrid")

    class Coat(RowEncoder):
        def encode_texts(self, texts):
            return ROWS[[7 for _ in texts]]

    assert search(query, store=store.snapshot(), encoder=Coat(), floors=FLOORS).floor is None


def test_far_is_a_best_hit_below_the_floor():
    hits = tuple(Hit(Item(str(score)), score) for score in (0.2, 0.39))
    answer = Answer(hits, 2, 0, "", "", "exact", floor=0.4)
    assert answer.far
    assert not Answer(hits, 2, 0, "", "", "exact", floor=0.39).far
    assert not Answer(hits, 2, 0, "", "", "exact").far
    assert not Answer((), 2, 0, "", "", "exact", floor=0.4).far
