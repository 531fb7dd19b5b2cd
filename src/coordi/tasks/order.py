"""In which order a search goes through the items that pass: by likeness, or by a field's value.

An order is a function: given how many rows are wanted, it gives the first of them with their
scores, whether that is all there are, and how they were found.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from coordi.errors import QueryError
from coordi.types import Index, Keys, Query

Vector = NDArray[np.float32]
Rows = NDArray[np.int64]
Order = Callable[[int], tuple[Rows, Vector, bool, str]]


class FieldKeys(Protocol):
    """`Snapshot.keys`."""

    def __call__(self, field: str, /) -> Keys:
        """A field's values at the store's positions."""


def sorted_by(sort: str) -> tuple[str, bool]:
    """The field that `sort` names, and whether it goes downwards."""
    down = sort.startswith("-")
    field = sort.removeprefix("-")
    if not field:
        raise QueryError("sort names no field; give one, such as price, or -price for downwards")
    return field, down


def places(ranks: NDArray[np.int64], down: bool) -> NDArray[np.int64]:
    """Ranks of values → numbers to sort by, upwards: what has no value, -1, comes last."""
    last = np.iinfo(np.int64).max
    return np.where(ranks < 0, last, -ranks if down else ranks)


def by_likeness(query: Query, index: Index, vector: Vector, own: int) -> Order:
    """The nearest first; equal ones stand in store order."""

    def order(depth: int) -> tuple[Rows, Vector, bool, str]:
        wanted = depth + (own >= 0)
        found = index.nearest(vector, wanted, query.where)
        rows, scores = found.rows, found.scores
        exhausted = len(rows) < wanted
        if query.min_score is not None:
            kept = scores >= query.min_score
            rows, scores = rows[kept], scores[kept]
            exhausted = exhausted or len(rows) < len(found.rows)
        if own >= 0:
            kept = index.main(rows) != own
            rows, scores = rows[kept], scores[kept]
        return rows[:depth], scores[:depth], exhausted, found.index

    return order


def by_rows(query: Query, index: Index, vector: Vector, own: int, rows: Rows) -> Order:
    """Some rows, the nearest first."""
    rows, scores = _usable(query, index, vector, own, rows)
    return _fixed(rows, scores, np.lexsort((index.main(rows), -scores)))


def by_field(
    query: Query,
    index: Index,
    vector: Vector,
    own: int,
    keys: FieldKeys,
    rows: Rows | None = None,
) -> Order:
    """All items that pass, or those of `rows`, by the field of `Query.sort`; equal ones and those
    without a value by likeness.
    """
    field, down = sorted_by(query.sort or "")
    passing = index.passing(query.where) if rows is None else rows
    rows, scores = _usable(query, index, vector, own, passing)
    first = places(keys(field).ranks[index.positions(rows)], down)
    return _fixed(rows, scores, np.lexsort((index.main(rows), -scores, first)))


def _usable(
    query: Query, index: Index, vector: Vector, own: int, rows: Rows
) -> tuple[Rows, Vector]:
    """Rows without the query's own item and whatever scores too little, and their scores."""
    rows, scores = index.best(vector, rows[rows != own])
    if query.min_score is not None:
        kept = scores >= query.min_score
        rows, scores = rows[kept], scores[kept]
    return rows, scores


def _fixed(rows: Rows, scores: Vector, order: NDArray[np.intp]) -> Order:
    rows, scores = rows[order], scores[order]
    return lambda depth: (rows[:depth], scores[:depth], depth >= len(rows), "exact")


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows that have the same value in a field; those without one are groups of their own."""

    index: Index
    codes: NDArray[np.int64]
    """By the store's positions."""

    def codes_of(self, rows: Rows) -> NDArray[np.int64]:
        """The number of each row's group; -1 where it stands alone."""
        return self.codes[self.index.positions(rows)]

    def heads(self, rows: Rows) -> NDArray[np.intp]:
        """Places in `rows` of the first of each group, rising."""
        return heads_of(self.codes_of(rows))

    def rows_of(self, rows: Rows, codes: list[int]) -> Rows:
        """Those of `rows` that belong to some groups."""
        wanted = np.zeros(int(self.codes.max(initial=0)) + 2, dtype=np.bool_)
        wanted[codes] = True
        return rows[wanted[self.codes_of(rows)]]


def heads_of(codes: NDArray[np.int64]) -> NDArray[np.intp]:
    """Places of the first of each code, and of every -1, rising."""
    alone = codes < 0
    apart = np.where(alone, -1 - np.arange(len(codes)), codes)
    return np.sort(np.unique(apart, return_index=True)[1])
