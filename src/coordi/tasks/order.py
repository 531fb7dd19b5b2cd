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
from coordi.tasks.fusion import Fusion
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


@dataclass(frozen=True, slots=True)
class Aim:
    """What a query looks for, ready to be ranked by."""

    query: Query
    index: Index
    vector: Vector | None
    """(dim,) what likeness is to; None where words alone decide."""
    fusion: Fusion | None = None
    """What the query's words give; None where they give nothing."""

    @property
    def own(self) -> int:
        """Row of the query's own item, which is never found; -1 where it has none."""
        return self.index.row(self.query.item) if self.query.item is not None else -1

    def best(self, rows: Rows) -> tuple[Rows, Vector]:
        """Of some main rows the best view of each, and its cosine; 0 where there is no vector."""
        if self.vector is None:
            return rows, np.zeros(len(rows), np.float32)
        return self.index.best(self.vector, rows)

    def ranks(self, rows: Rows, scores: Vector) -> NDArray[np.float64] | Vector:
        """What rows rank by, the highest first."""
        return scores if self.fusion is None else self.fusion.scores(self.index.main(rows), scores)

    def passing(self, rows: Rows, scores: Vector) -> NDArray[np.bool_]:
        """Which rows score enough, or have all that was asked for in words."""
        assert self.query.min_score is not None
        enough = scores >= self.query.min_score
        if self.fusion is None:
            return enough
        return np.asarray(enough | self.fusion.passing(self.index.main(rows)))

    def candidates(self) -> Rows:
        """Main rows that can be found at all."""
        rows = self.index.passing(self.query.where)
        if self.fusion is not None and self.fusion.alone:
            return np.intersect1d(rows, self.fusion.rows)
        return rows


def by_likeness(aim: Aim) -> Order:
    """The best first: the nearest, or those of the highest fused score; equal ones stand in store
    order.
    """
    if aim.fusion is not None and aim.fusion.alone:
        return by_rows(aim, aim.fusion.rows)
    index, query, own, fusion = aim.index, aim.query, aim.own, aim.fusion
    assert aim.vector is not None
    vector = aim.vector

    def order(depth: int) -> tuple[Rows, Vector, bool, str]:
        # Those that are put behind take no place of those that stay.
        wanted = depth + (own >= 0) + (0 if fusion is None else len(fusion.refused))
        found = index.nearest(vector, wanted, query.where)
        rows, scores = found.rows, found.scores
        exhausted = len(rows) < wanted
        if fusion is not None:
            rows, scores = _with(aim, fusion.rows, rows, scores)
        if query.min_score is not None:
            kept = aim.passing(rows, scores)
            rows, scores = rows[kept], scores[kept]
            low = len(found.scores) and found.scores[-1] < query.min_score
            exhausted = exhausted or bool(low)
        if own >= 0:
            kept = index.main(rows) != own
            rows, scores = rows[kept], scores[kept]
        return rows[:depth], scores[:depth], exhausted and len(rows) <= depth, found.index

    return order


def _with(aim: Aim, worded: Rows, rows: Rows, scores: Vector) -> tuple[Rows, Vector]:
    """The nearest rows and all that have words, by fused score.

    The first of them are right as far as nearest rows were given: whoever is ahead of an item
    without words is nearer than it, or has words.
    """
    further = worded[~np.isin(worded, aim.index.main(rows))]
    more, likeness = aim.best(further)
    rows, scores = np.concatenate([rows, more]), np.concatenate([scores, likeness])
    order = np.lexsort((aim.index.main(rows), -aim.ranks(rows, scores)))
    return rows[order], scores[order]


def by_rows(aim: Aim, rows: Rows) -> Order:
    """Some rows, the best first."""
    rows, scores = _usable(aim, rows)
    return _fixed(rows, scores, np.lexsort((aim.index.main(rows), -aim.ranks(rows, scores))))


def by_field(aim: Aim, keys: FieldKeys, rows: Rows | None = None) -> Order:
    """All items that pass, or those of `rows`, by the field of `Query.sort`; equal ones and those
    without a value by likeness.
    """
    field, down = sorted_by(aim.query.sort or "")
    rows, scores = _usable(aim, aim.candidates() if rows is None else rows)
    first = places(keys(field).ranks[aim.index.positions(rows)], down)
    ranks = -aim.ranks(rows, scores)
    return _fixed(rows, scores, np.lexsort((aim.index.main(rows), ranks, first)))


def _usable(aim: Aim, rows: Rows) -> tuple[Rows, Vector]:
    """Rows without the query's own item and whatever scores too little, and their scores."""
    rows, scores = aim.best(rows[rows != aim.own])
    if aim.query.min_score is not None:
        kept = aim.passing(rows, scores)
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
