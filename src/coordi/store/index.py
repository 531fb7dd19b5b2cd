"""Nearest neighbours at one version of the store: exact, or IVF with exact scores."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordi.errors import NotFoundError
from coordi.store import exact
from coordi.store.derived import Saved
from coordi.store.further import Further
from coordi.store.ivf import Ivf, Route
from coordi.store.rows import Rows, locate
from coordi.types import Neighbors, Vectors

_CACHED_SELECTIONS = 32
_STEPS = (16, 64, 256, 1024, 10_240)
_GATHERED_SETS = 8
_SAMPLE = 1024

GATHERED_FLOATS = 1 << 22
"""Rows times dimensions up to which a filtered set is gathered once (16 MB) and then scanned
exactly: 16,384 rows of 256 take 0.3 ms, about what the IVF takes for less (docs/search.md)."""


class Selection:
    """The rows that a filter lets pass, in the forms that the searches need."""

    def __init__(self, mask: NDArray[np.bool_] | None, total: int) -> None:
        """`mask` is over the index's rows; None lets all `total` pass."""
        self.mask = mask
        self.count = total if mask is None else int(np.count_nonzero(mask))
        self.selector: Any = None
        if mask is not None:
            self.selector, self._bits = exact.bitmap(mask)
        self.gathered: tuple[NDArray[np.int64], Vectors] | None = None
        self.nprobes: dict[int, int] = {}
        self.routes: dict[int, Route] = {}


class VectorIndex:
    """One encoder's vectors at one version; immutable, so any thread may search it."""

    def __init__(
        self,
        rows: Rows,
        positions: NDArray[np.int64],
        base: Vectors,
        extra: Vectors,
        ivf: Ivf | None,
        mask: Callable[[str], NDArray[np.bool_]],
        mapped: Saved | None = None,
        further: Further | None = None,
    ) -> None:
        """`positions` are the store's of rows in `base` then `extra`, -1 where dead.

        `mask` says which of the store's positions are alive and pass a filter; `mapped` is what
        `base` is mapped from. `further` are vectors of further pictures; they are rows as well,
        numbered behind the others.
        """
        self._further = further
        self._mapped = mapped
        self._rows, self._positions = rows, positions
        self._base, self._extra, self._ivf, self._mask = base, extra, ivf, mask
        live = positions >= 0
        self._dead = len(positions) - int(np.count_nonzero(live))
        self._live = live if self._dead else None
        self._all = Selection(self._live, len(positions))
        self._selections: OrderedDict[str, Selection] = OrderedDict()
        self._lock = threading.Lock()
        self._sample: Vectors | None = None
        self._living: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    def untouched(self) -> bool:
        """Whether nobody wrote to the file that some of its vectors are mapped from."""
        return self._mapped is None or self._mapped.untouched()

    @property
    def total(self) -> int:
        """Items that have a vector."""
        return self._all.count

    @property
    def kind(self) -> str:
        """ "exact", or the cells of the IVF."""
        return "exact" if self._ivf is None else f"ivf{self._ivf.cells},sq8"

    def live_rows(self) -> NDArray[np.int64]:
        """Rows of items that are there, those of their main pictures, in store order."""
        return np.flatnonzero(self._positions >= 0).astype(np.int64)

    def allowed(self, where: str | None) -> int:
        """How many items with a vector pass a filter."""
        return self._selection(where).count

    def row(self, id: str) -> int:
        """Row of an item's main picture; `NotFoundError` where it is missing or has no vector."""
        position = self._rows.position(id)
        if position is None:
            raise NotFoundError(f"there is no item {id!r} in the store")
        # Positions rise with the rows, but for the dead ones: search among the living.
        living = self.live_rows() if self._live is not None else None
        known = self._positions if living is None else self._positions[living]
        place = int(np.searchsorted(known, position))
        if place == len(known) or known[place] != position:
            raise NotFoundError(f"item {id!r} has no vector of this encoder")
        return place if living is None else int(living[place])

    def rows_at(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of main pictures of the items at some of the store's positions; -1 where the item
        has no vector.
        """
        if not len(positions) or not self.total:
            return np.full(len(positions), -1, dtype=np.int64)
        if self._living is None:  # positions rise with the rows, but for the dead ones
            rows = self.live_rows()
            self._living = rows, self._positions[rows]
        rows, places = self._living
        found = locate(places, positions)
        return np.where(found >= 0, rows[found], -1)

    def sample(self) -> Vectors:
        """Vectors of at most `_SAMPLE` items, evenly over the store: what is usual here."""
        with self._lock:
            if self._sample is None:
                living = self.live_rows()
                step = max(1, -(-len(living) // _SAMPLE))
                self._sample = self._main_vectors(living[::step])
            return self._sample

    def ids(self, rows: NDArray[np.int64]) -> list[str]:
        """Items' ids of rows."""
        ids = self._rows.ids
        return [ids[position] for position in self._positions[self.main(rows)].tolist()]

    def main(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each row that of the same item's main picture."""
        if self._further is None:
            return rows
        count = len(self._positions)
        owners = self._further.owners
        return np.where(rows < count, rows, owners[np.maximum(rows - count, 0)])

    def further(self, id: str) -> Vectors:
        """Vectors of an item's further pictures (m, dim); `NotFoundError` where it has no row."""
        row = self.row(id)
        return self._extra[:0] if self._further is None else self._further.of(row)

    def positions(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The store's positions of rows, at which `Snapshot.keys` has their values."""
        return self._positions[self.main(rows)]

    def passing(self, where: str | None) -> NDArray[np.int64]:
        """Rows of main pictures of the items that pass a filter, in store order."""
        mask = self._selection(where).mask
        found = np.arange(len(self._positions)) if mask is None else np.flatnonzero(mask)
        return found.astype(np.int64)

    def best(
        self, query: NDArray[np.float32], rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """For each of some main rows the row of its item's best view, and the cosine similarity
        of that to a unit vector (dim,).
        """
        query = np.ascontiguousarray(query, dtype=np.float32)
        scores = self._scores(query, rows)
        if self._further is None:
            return rows, scores
        return self._further.better(query, rows, scores, len(self._positions))

    def vectors(self, rows: NDArray[np.int64]) -> Vectors:
        """Vectors of rows → (len(rows), dim)."""
        count = len(self._positions)
        if self._further is None or not (rows >= count).any():
            return self._main_vectors(rows)
        out = np.empty((len(rows), self._further.vectors.shape[1]), dtype=np.float32)
        main = rows < count
        out[main] = self._main_vectors(rows[main])
        out[~main] = self._further.vectors[rows[~main] - count]
        return out

    def _main_vectors(self, rows: NDArray[np.int64]) -> Vectors:
        return self._of(rows, lambda vectors, some: np.asarray(vectors[some]))

    def _of(
        self,
        rows: NDArray[np.int64],
        take: Callable[[Vectors, NDArray[np.int64]], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        """What `take` makes of main rows, of those in `base` and those in `extra` apart."""
        split = len(self._base)
        if not split:
            return take(self._extra, rows)
        if not len(self._extra):
            return take(self._base, rows)
        old = rows < split
        first, second = take(self._base, rows[old]), take(self._extra, rows[~old] - split)
        out = np.empty((len(rows), *first.shape[1:]), dtype=np.float32)
        out[old], out[~old] = first, second
        return out

    def nearest(self, query: NDArray[np.float32], k: int, where: str | None = None) -> Neighbors:
        """The `k` nearest items to a unit vector (dim,) among those that pass a filter, each by
        the row of its best view.
        """
        chosen = self._selection(where)
        k = min(k, chosen.count)
        query = np.ascontiguousarray(query, dtype=np.float32)
        found = self._nearest(query, k, chosen, where)
        if self._further is None or k == 0:
            return found
        # Whoever is among the k best is so by its main picture, or by its best further one.
        scores, places = self._further.nearest(query, k, chosen.mask)
        rows = np.concatenate([found.rows, places + len(self._positions)])
        scores = np.concatenate([found.scores, scores])
        owners = self.main(rows)
        order = np.lexsort((rows, owners, -scores))
        _, first = np.unique(owners[order], return_index=True)
        best = order[np.sort(first)[:k]]
        return Neighbors(rows[best], scores[best], found.index)

    def _nearest(
        self, query: NDArray[np.float32], k: int, chosen: Selection, where: str | None
    ) -> Neighbors:
        """Among the main pictures."""
        if k == 0:
            scores, rows = exact.scan(query, self._extra[:0], 0)
            return Neighbors(rows, scores, self.kind)
        if self._ivf is None:
            scores, rows = self._exact(query, k, chosen, where)
            return Neighbors(rows, scores, "exact")
        return self._quantised(query, k, chosen, self._ivf)

    def _exact(
        self, query: NDArray[np.float32], k: int, chosen: Selection, where: str | None
    ) -> exact.Ranked:
        if where is None and self._dead:
            # A few dead rows cost less to find and drop than a look-up for every row.
            scores, rows = exact.scan(query, self._extra, k + self._dead)
            kept = self._positions[rows] >= 0
            return scores[kept][:k], rows[kept][:k]
        if chosen.selector is None:
            return exact.scan(query, self._extra, k)
        if chosen.count * len(query) <= GATHERED_FLOATS:
            return self._gathered(query, k, chosen)
        return exact.scan(query, self._extra, k, chosen.selector)

    def _gathered(self, query: NDArray[np.float32], k: int, chosen: Selection) -> exact.Ranked:
        """Scan only the rows of a filter."""
        found = chosen.gathered  # another thread may drop it meanwhile
        if found is None:
            assert chosen.mask is not None
            rows = np.flatnonzero(chosen.mask).astype(np.int64)
            vectors = exact.empty_rows(len(rows), len(query))
            vectors[:] = self.vectors(rows)
            with self._lock:
                kept = [other for other in self._selections.values() if other.gathered]
                for old in kept[: max(0, len(kept) - _GATHERED_SETS + 1)]:
                    old.gathered = None
                chosen.gathered = rows, vectors
        else:
            rows, vectors = found
        scores, places = exact.scan(query, vectors, k)
        return scores, rows[places]

    def _quantised(
        self, query: NDArray[np.float32], k: int, chosen: Selection, ivf: Ivf
    ) -> Neighbors:
        if chosen.count * len(query) <= GATHERED_FLOATS and chosen.mask is not None:
            scores, rows = self._gathered(query, k, chosen)
            return Neighbors(rows, scores, "exact (filtered)")
        wanted = k + max(16, k // 4)
        found, nprobe, covered = self._candidates(query, wanted, k, chosen, ivf)
        if len(found) < min(k, covered):
            nprobe = ivf.cells
            found = ivf.search(query, wanted, nprobe, chosen.selector)
        scores, rows = exact.in_order(self._scores(query, found), found)
        best = scores[:k], rows[:k]
        if ivf.covers < len(self._positions):
            best = exact.merge(best, self._tail(query, k, chosen, ivf.covers), k)
        return Neighbors(best[1], best[0], f"{self.kind} nprobe={nprobe}")

    def _scores(self, query: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Exact scores of some rows."""
        return self._of(rows, partial(exact.scores_of, query))

    def _candidates(
        self, query: NDArray[np.float32], wanted: int, k: int, chosen: Selection, ivf: Ivf
    ) -> tuple[NDArray[np.int64], int, int]:
        """Rows to be scored exactly, how many cells were looked into, and rows that they hold."""
        # One setting serves a range of k, so that few are computed and pages agree.
        step = next((step for step in _STEPS if k <= step), k)
        if chosen.mask is None or chosen is self._all:
            nprobe = chosen.nprobes.get(step) or ivf.nprobe(step)
            chosen.nprobes[step] = nprobe
            found = ivf.search(query, wanted, nprobe, chosen.selector)
            return found, nprobe, ivf.covers - self._dead
        route = chosen.routes.get(step) or ivf.route(step, chosen.mask)
        chosen.routes[step] = route
        if route.nprobe:
            found = ivf.search(query, wanted, route.nprobe, chosen.selector)
            return found, route.nprobe, route.total
        return *ivf.search_route(query, wanted, route, chosen.selector), route.total

    def _tail(
        self, query: NDArray[np.float32], k: int, chosen: Selection, start: int
    ) -> exact.Ranked:
        """Exact scan of the rows that came after the IVF was made."""
        vectors = self._extra[start - len(self._base) :]
        selector: Any = None
        if chosen.mask is not None:
            selector, _bits = exact.bitmap(chosen.mask[start:])
        scores, places = exact.scan(query, vectors, k, selector)
        return scores, places + start

    def _selection(self, where: str | None) -> Selection:
        if where is None:
            return self._all
        found = self._selections.get(where)
        return found if found is not None else self._select(where)

    def _select(self, where: str) -> Selection:
        mask = self._mask(where)[self._positions]
        if self._live is not None:
            mask &= self._live
        chosen = Selection(mask, len(mask))
        with self._lock:
            self._selections[where] = chosen
            while len(self._selections) > _CACHED_SELECTIONS:
                self._selections.popitem(last=False)
        return chosen
