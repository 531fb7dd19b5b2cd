"""Which of the garments of a photo is meant."""

from collections.abc import Sequence

from coordi.errors import QueryError
from coordi.models.finder.classes import FAMILIES, FAMILY_OF
from coordi.types import Garment

BEST = "best"
WHOLE = "whole"
NAMES = (BEST, WHOLE, *FAMILIES, *(kind for kind in FAMILY_OF if kind not in FAMILIES))
"""What can be asked for: the best, the whole picture, a family, or a kind."""


def require_name(name: str) -> None:
    """`QueryError` for a garment that nothing is called."""
    if name not in NAMES:
        raise QueryError(f"there is no garment {name!r}; choose one of: {', '.join(NAMES)}")


def best(garments: Sequence[Garment]) -> Garment | None:
    """The largest, most central and most certain one; None of none."""
    return max(garments, key=_weight, default=None)


def of_kind(garments: Sequence[Garment], name: str) -> list[Garment]:
    """Those of a kind or family, the best first."""
    chosen = [garment for garment in garments if name in (garment.kind, garment.family)]
    return sorted(chosen, key=_weight, reverse=True)


def choose(garments: Sequence[Garment], name: str) -> Garment | None:
    """The best of all ("best") or of a kind or family; None for "whole", or where there is none.

    Raises `QueryError` for a name that stands for nothing.
    """
    require_name(name)
    if name == WHOLE:
        return None
    return best(garments if name == BEST else of_kind(garments, name))


def _weight(garment: Garment) -> float:
    """Share of the picture, less towards its edges and where it is uncertain."""
    left, top, right, bottom = garment.box
    away = max(abs(left + right - 1), abs(top + bottom - 1))
    return float(garment.mask.mean()) * garment.score * (1 - 0.5 * away)
