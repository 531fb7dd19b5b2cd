"""Facets: what a page needs to offer a field for filtering, counted over some of the items."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordi.store.filters import listed
from coordi.store.keys import Keys
from coordi.types import Facet

LISTS = frozenset({"sizes", "auto_colors"})
"""Text fields of several values a cell, joined by ";": each value is counted by itself."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which facets, of which items, and which of their values."""

    where: str | None = None
    field: str | None = None
    contains: str | None = None
    """Only values with this text in them, in any case."""
    limit: int = 50
    offset: int = 0


def of(name: str, kind: str, keys: Keys, rows: NDArray[np.bool_], wanted: Wanted) -> Facet:
    """The facet of a field over the rows where the mask `rows` (n,) holds."""
    codes = keys.codes[rows]
    counts = np.bincount(codes[codes >= 0], minlength=len(keys.values))
    there = np.flatnonzero(counts).tolist()
    if kind in ("integer", "number"):
        ends = [float(keys.values[place]) for place in there]
        low, high = (min(ends), max(ends)) if ends else (None, None)
        return Facet(name, kind, (), len(there), low, high)
    many = name in LISTS and kind == "text"
    found = [(keys.values[place], int(counts[place])) for place in there]
    pairs = _split(found) if many else [(_shown(value), count) for value, count in found]
    sought = (wanted.contains or "").casefold()
    kept = [pair for pair in pairs if sought in pair[0].casefold()]
    kept.sort(key=lambda pair: (-pair[1], pair[0]))
    end = wanted.offset + wanted.limit
    values = tuple(kept[wanted.offset : end])
    return Facet(name, kind, values, len(kept), more=len(kept) > end, many=many)


def _split(found: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Counts of each value of cells that hold several."""
    counts: Counter[str] = Counter()
    for cell, count in found:
        for value in listed(cell):
            counts[value] += count
    return list(counts.items())


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else str(value).lower()
