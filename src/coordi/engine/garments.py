"""A query about one garment of its picture: found, cut out, and said in the answer."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from coordi.data.images import crop
from coordi.errors import QueryError
from coordi.models.finder.choice import WHOLE, choose, require_name
from coordi.types import Answer, Box, Garment, Image, Query

MARGIN = 0.05
"""How much of a garment's own width and height is cut out with it on each side."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a query asks with, once its garment is cut out."""

    query: Query
    garment: Garment | None = None
    garments: tuple[Garment, ...] = ()
    note: str = ""

    def said(self, answer: Answer) -> Answer:
        """The answer, which says what was cut out and what else was there."""
        if self.query.garment is None:
            return answer
        notes = (*answer.notes, self.note) if self.note else answer.notes
        return replace(answer, garment=self.garment, garments=self.garments, notes=notes)


def aimed(query: Query, find: Callable[[Image], tuple[Garment, ...]] | None) -> Aim:
    """The query with its picture cut to the garment that it asks for.

    A picture without such a garment is taken whole, and a note says so. Raises `QueryError` for a
    name that stands for nothing, and for a garment of no picture.
    """
    if query.garment is None:
        return Aim(query)
    require_name(query.garment)
    if query.image is None or find is None:
        raise QueryError(f"garment={query.garment} needs a picture to find it in; give an image")
    if query.garment == WHOLE:
        return Aim(query)
    garments = find(query.image)
    chosen = choose(garments, query.garment)
    if chosen is None:
        wanted = "garment" if query.garment == "best" else query.garment
        note = f"no {wanted} was found in the picture, so it was taken whole"
        return Aim(query, None, garments, note)
    image = crop(query.image, with_margin(chosen.box, MARGIN))
    return Aim(replace(query, image=image), chosen, garments)


def with_margin(box: Box, margin: float) -> Box:
    """A box with a share of its own width and height more on each side, inside the picture."""
    left, top, right, bottom = box
    across, along = margin * (right - left), margin * (bottom - top)
    return (
        max(0.0, left - across),
        max(0.0, top - along),
        min(1.0, right + across),
        min(1.0, bottom + along),
    )
