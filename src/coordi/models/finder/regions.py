"""From what every pixel may be to garments: regions of a family, each of the kind it mostly is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coordi.models.finder.classes import FAMILIES, FAMILY_OF, GROUND
from coordi.types import Garment

Shares = NDArray[np.float32]
"""(C, h, w): the probability of each class at each pixel."""

Mask = NDArray[np.bool_]

PAIRS = ("shoes", "legwear", "gloves", "jewellery", "glasses")
"""Families of which a person wears two, or one in two parts."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as a garment; `least` and `gap` were chosen on val photos, by the share of
    boxes found (benchmarks/finder.py --rules NAME=NUMBER measures others).
    """

    smallest: float = 0.0015
    """Least share of the picture; of small things, a quarter of it."""
    least: float = 0.3
    """Least mean probability of the family within the region."""
    gap: float = 0.06
    """Regions of one family as near as this, as a share of the picture's longer side, are one."""
    pair_gap: float = 0.12
    """The same of the two of a pair."""


SMALL = ("belt", "glasses", "tie", "watch", "jewellery", "gloves", "hat", "shoes")
"""Families whose garments take little of a picture."""


def garments_of(
    shares: Shares, classes: Sequence[str], rules: Rules | None = None
) -> tuple[Garment, ...]:
    """The garments of a picture, the largest first; `shares` cover the whole picture."""
    rules = rules or Rules()
    families, rows = _families(classes)
    summed = np.einsum("fc,chw->fhw", rows, shares)
    seen = summed.argmax(0)
    found = [
        _garment(inside, family, summed[number], shares, classes)
        for number, family in enumerate(families)
        if family
        for inside in _regions(seen == number, family, rules)
    ]
    kept = [garment for garment in found if garment.score >= rules.least]
    return tuple(sorted(kept, key=lambda garment: -int(garment.mask.sum())))


def _families(classes: Sequence[str]) -> tuple[list[str], NDArray[np.float32]]:
    """Families, "" for each class that is no garment, and the classes of each as rows."""
    names = [name for name in classes if name in GROUND]
    named = ["" for _ in names] + list(FAMILIES)
    members: Mapping[int, Sequence[str]] = dict(
        enumerate([[name] for name in names] + [list(kinds) for kinds in FAMILIES.values()])
    )
    rows = np.array([[name in members[at] for name in classes] for at in range(len(named))])
    return named, rows.astype(np.float32)


def _regions(inside: Mask, family: str, rules: Rules) -> Iterator[Mask]:
    """What of a family's pixels lies together, the specks left out."""
    if not inside.any():
        return
    gap = rules.pair_gap if family in PAIRS else rules.gap
    reach = round(gap * max(inside.shape) / 2)
    near = _grown(inside, reach) if reach else inside
    parts, count = ndimage.label(near, np.ones((3, 3)))
    least = rules.smallest * inside.size / (4 if family in SMALL else 1)
    for part in range(1, count + 1):
        region = inside & (parts == part)
        if region.sum() >= least:
            yield _without_specks(region)


def _grown(inside: Mask, reach: int) -> Mask:
    """All within `reach` pixels of a mask."""
    return np.asarray(ndimage.distance_transform_edt(~inside) <= reach)


def _without_specks(region: Mask) -> Mask:
    """The parts of at least a twentieth of the largest."""
    parts, count = ndimage.label(region, np.ones((3, 3)))
    if count < 2:
        return region
    sizes = np.bincount(parts.ravel())[1:]
    return np.asarray(np.isin(parts, 1 + np.flatnonzero(sizes >= 0.05 * sizes.max())))


def _garment(
    inside: Mask, family: str, summed: NDArray[np.float32], shares: Shares, classes: Sequence[str]
) -> Garment:
    kinds = [number for number, name in enumerate(classes) if FAMILY_OF.get(name) == family]
    votes = shares[kinds][:, inside].mean(1)
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    height, width = inside.shape
    box = (
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )
    kind = classes[kinds[int(votes.argmax())]]
    return Garment(kind, family, box, float(summed[inside].mean()), inside)
