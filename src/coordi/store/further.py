"""Vectors of an item's further pictures: several to one row of an index, searched beside it.

They stand in a column of their own beside the encoder's (`w_` and its fingerprint), one list an
item, so that the rows of the table stay one an item. Null says that this item was embedded by its
main picture alone. The search through them is exact; see `docs/store.md` for what that costs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordi.store import columns as cols
from coordi.store import exact, table
from coordi.store.rows import Rows, commits_of, locate
from coordi.types import Vectors


@dataclass(frozen=True)
class Further:
    """Further vectors at one version, in the order of the index's rows that they belong to."""

    vectors: Vectors  # (m, dim)
    owners: NDArray[np.int64]  # (m,) rising: the index's row of each

    def nearest(
        self, query: NDArray[np.float32], k: int, mask: NDArray[np.bool_] | None
    ) -> exact.Ranked:
        """The best view of the `k` nearest rows of the index: scores, and places in `vectors`.

        `mask` is over the index's rows. Ties stand in store order.
        """
        selector: Any = None
        if mask is not None:
            selector, _bits = exact.bitmap(mask[self.owners])
        depth = 2 * k + 16
        while True:
            scores, places = exact.scan(query, self.vectors, depth, selector)
            _, first = np.unique(self.owners[places], return_index=True)
            if len(first) >= k or len(places) < depth:
                first = np.sort(first)[:k]
                return scores[first], places[first]
            depth *= 4

    def better(
        self,
        query: NDArray[np.float32],
        rows: NDArray[np.int64],
        scores: NDArray[np.float32],
        start: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows of the index and their scores, each replaced by its best view where that scores
        more; views are numbered from `start`.
        """
        views = exact.inner_products(query, self.vectors)
        order = np.lexsort((np.arange(len(views)), -views, self.owners))
        owners, first = np.unique(self.owners[order], return_index=True)
        places = locate(owners, rows)
        best = order[first][np.maximum(places, 0)]
        more = (places >= 0) & (views[best] > scores)
        return np.where(more, start + best, rows), np.where(more, views[best], scores)

    def of(self, row: int) -> Vectors:
        """Vectors of the further pictures of one of the index's rows, in the pictures' order."""
        start, end = np.searchsorted(self.owners, [row, row + 1])
        return self.vectors[start:end]


class FurtherSpace:
    """One encoder's further vectors in memory, following the table from version to version."""

    def __init__(self, fingerprint: str, dim: int) -> None:
        """Hold nothing yet."""
        self.column, self.dim = cols.further_column(fingerprint), dim
        self._seen = -1
        self._vectors: Vectors = exact.empty_rows(0, self.dim)
        self._seqs = np.empty(0, dtype=np.int64)  # of the table's row of each vector
        self._commits = np.empty(0, dtype=np.int64)

    def at(self, rows: Rows, dataset: Any, positions: NDArray[np.int64]) -> Further | None:
        """Those of an index whose rows stand at `positions` of `rows`; None where there are none.

        `rows` are of the last version asked for or of a later one.
        """
        self._append(rows, dataset)
        if not len(self._seqs):
            return None
        found = rows.places(self._seqs, self._commits)
        there = found >= 0
        if not there.all():  # an index that was handed out keeps the arrays it was made of
            self._vectors, found = _gathered(self._vectors, there), found[there]
            self._seqs, self._commits = self._seqs[there], self._commits[there]
        # Positions rise with the rows, but for the dead ones: look among the living.
        living = np.flatnonzero(positions >= 0)
        places = locate(positions[living], found)
        kept = places >= 0
        if not kept.any():
            return None
        vectors = self._vectors if kept.all() else _gathered(self._vectors, kept)
        return Further(vectors, living[places[kept]].astype(np.int64))

    def _append(self, rows: Rows, dataset: Any) -> None:
        """Read the vectors of rows that are new since the last call."""
        if self.column not in rows.columns or rows.newest <= self._seen:
            return
        found = table.newer_than(dataset, self._seen, [self.column, "commit"])
        seqs = np.asarray(found["seq"].to_numpy(), dtype=np.int64)
        fresh = seqs <= rows.newest
        vectors, counts = cols.further_rows(found[self.column], self.dim)
        counts = np.where(fresh, counts, 0)
        self._vectors = _joined(self._vectors, vectors[: counts.sum()])
        self._seqs = np.concatenate([self._seqs, np.repeat(seqs, counts)])
        self._commits = np.concatenate([self._commits, np.repeat(commits_of(found), counts)])
        self._seen = rows.newest


def _gathered(vectors: Vectors, kept: NDArray[np.bool_]) -> Vectors:
    out = exact.empty_rows(int(np.count_nonzero(kept)), vectors.shape[1])
    out[:] = vectors[kept]
    return out


def _joined(one: Vectors, other: Vectors) -> Vectors:
    out = exact.empty_rows(len(one) + len(other), one.shape[1])
    out[: len(one)], out[len(one) :] = one, other
    return out
