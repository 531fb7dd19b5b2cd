"""A query's picture is cut to the garment that it asks for, and the answer says so."""

import numpy as np
import pytest

from coordi.engine.garments import MARGIN, aimed, with_margin
from coordi.errors import QueryError
from coordi.types import Answer, Garment, Query

MASK = np.ones((2, 2), bool)
COAT = Garment("coat", "outer", (0.2, 0.2, 0.8, 0.6), 0.9, MASK)
SHOES = Garment("boots", "shoes", (0.4, 0.8, 0.6, 1.0), 0.9, np.eye(2, dtype=bool))
PICTURE = np.arange(100 * 50 * 3, dtype=np.uint32).astype(np.uint8).reshape(100, 50, 3)
ANSWER = Answer((), 0, 0, "fake", "0" * 16, "exact", notes=("before",))


def both(_: np.ndarray) -> tuple[Garment, ...]:
    return COAT, SHOES


def test_a_query_of_no_garment_is_left_alone() -> None:
    query = Query(image=PICTURE)
    aim = aimed(query, None)
    assert aim.query is query
    assert aim.said(ANSWER) is ANSWER


@pytest.mark.parametrize(("name", "garment"), [("best", COAT), ("shoes", SHOES), ("boots", SHOES)])
def test_the_garment_is_cut_out_with_a_margin(name: str, garment: Garment) -> None:
    aim = aimed(Query(image=PICTURE, garment=name), both)
    left, top, right, bottom = with_margin(garment.box, MARGIN)
    assert aim.query.image is not None
    height, width = aim.query.image.shape[:2]
    assert height == pytest.approx(100 * (bottom - top), abs=2)
    assert width == pytest.approx(50 * (right - left), abs=2)
    said = aim.said(ANSWER)
    assert (said.garment, said.garments, said.notes) == (garment, (COAT, SHOES), ("before",))


def test_what_is_not_there_takes_the_whole_picture_and_says_so() -> None:
    query = Query(image=PICTURE, garment="hat")
    said = aimed(query, both).said(ANSWER)
    assert aimed(query, both).query.image is PICTURE
    assert said.garment is None
    assert said.garments == (COAT, SHOES)
    assert said.notes[-1] == "no hat was found in the picture, so it was taken whole"


def test_the_whole_picture_is_not_looked_through() -> None:
    def never(_: np.ndarray) -> tuple[Garment, ...]:
        raise AssertionError

    query = Query(image=PICTURE, garment="whole")
    assert aimed(query, never).query.image is PICTURE


def test_wrong_use_is_told() -> None:
    with pytest.raises(QueryError, match="needs a picture"):
        aimed(Query(text="red", garment="top"), both)
    with pytest.raises(QueryError, match="no garment 'frock'"):
        aimed(Query(image=PICTURE, garment="frock"), both)


def test_margins_stay_inside() -> None:
    assert with_margin((0.0, 0.1, 1.0, 0.5), 0.5) == pytest.approx((0, 0, 1, 0.7))
