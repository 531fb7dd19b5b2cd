"""One encoder's vectors in memory, following the table from version to version."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from coordi.store import columns as cols
from coordi.store import derived, exact, ivf, table
from coordi.store.further import FurtherSpace
from coordi.store.index import VectorIndex
from coordi.store.rows import Rows, commits_of
from coordi.types import Vectors

EXACT_FLOATS = 100_000 * 256
"""Rows times dimensions up to which search is exact (docs/search.md has the measurement)."""

Mask = Callable[[str], NDArray[np.bool_]]
"""Filter → which positions are alive and pass it."""

_MOST_DEAD = 64
_TAIL_ROWS = 4096
_TAIL_SHARE = 0.02
_SAVE_SHARE = 0.2


class Space:
    """Rows that have a vector of one encoder, in store order: grows at the end, forgets later.

    `base` is mapped from the derived files where there are any, `extra` what came after them.
    An index that was handed out keeps the arrays it was made of, which only ever grow behind
    its end.
    """

    def __init__(
        self, fingerprint: str, dim: int, folder: Path, store: str, *,
        exact_floats: int = EXACT_FLOATS,
    ) -> None:  # fmt: skip
        """Hold nothing yet; derived files live in `folder`, and name the store they belong to."""
        self.fingerprint, self.dim, self.folder, self.store = fingerprint, dim, folder, store
        self.exact_floats = exact_floats
        self._further = FurtherSpace(fingerprint, dim)
        self.version = -1
        self._seqs = np.empty(0, dtype=np.int64)
        self._commits = np.empty(0, dtype=np.int64)
        self._base: Vectors = np.empty((0, dim), dtype=np.float32)
        self._extra: Vectors = np.empty((0, dim), dtype=np.float32)
        self._ivf: ivf.Ivf | None = None
        self._saved = 0
        self._seen = -1
        self._opened = False
        self._mapped: derived.Saved | None = None

    def at(self, rows: Rows, dataset: Any, mask: Mask, token: str) -> VectorIndex:
        """The index of these rows, which are of the last version asked for or of a later one."""
        if not self._opened:
            self._open(rows)
        self._append(rows, dataset)
        positions = self._arrange(rows.places(self._seqs, self._commits), rows, token)
        self.version = rows.version
        count = len(self._seqs) - len(self._base)
        extra = self._extra[:count]
        mapped = self._mapped if len(self._base) else None
        further = self._further.at(rows, dataset, positions)
        return VectorIndex(rows, positions, self._base, extra, self._ivf, mask, mapped, further)

    def untouched(self) -> bool:
        """Whether nobody wrote to the file that its vectors are mapped from."""
        return self._mapped is None or not len(self._base) or self._mapped.untouched()

    def _open(self, rows: Rows) -> None:
        saved = derived.load(self.folder, self.fingerprint, self.store, self.dim)
        if saved is not None and len(saved.seqs) and saved.fits(rows):
            self._seqs, self._commits = saved.seqs, saved.commits
            self._base, self._ivf, self._mapped = saved.vectors, saved.ivf, saved
            self._saved = len(saved.seqs)
            # Its last rows may be gone since; what comes next may then have a lower number.
            self._seen = min(int(saved.seqs.max()), rows.newest)
        self._opened = True

    def _append(self, rows: Rows, dataset: Any) -> None:
        """Read the vectors of rows that are new since the last call."""
        column = cols.vector_column(self.fingerprint)
        if column not in rows.columns or rows.newest <= self._seen:
            return
        found = table.newer_than(dataset, self._seen, [column, "commit"])
        seqs = np.asarray(found["seq"].to_numpy(), dtype=np.int64)
        # Each row once, and none beyond the version that `rows` is of: a row that came in twice
        # would be found twice for as long as the process lives.
        fresh = (seqs > self._seen) & (seqs <= rows.newest) & (np.diff(seqs, prepend=-1) > 0)
        if not fresh.all():
            found, seqs = found.filter(pa.array(fresh)), seqs[fresh]
        vectors, there = cols.vector_rows(found[column], self.dim)
        seqs, commits = seqs[there], commits_of(found)[there]
        start = len(self._seqs) - len(self._base)
        self._reserve(start + len(seqs))
        self._extra[start : start + len(seqs)] = vectors
        self._seqs = np.concatenate([self._seqs, seqs])
        self._commits = np.concatenate([self._commits, commits])
        self._seen = rows.newest

    def _reserve(self, count: int) -> None:
        if count > len(self._extra):
            start = len(self._seqs) - len(self._base)
            # Doubling costs memory, a fixed step costs time: a quarter more, as lists do.
            capacity = count if start == 0 else count + count // 4 + 1024
            grown = exact.empty_rows(capacity, self.dim)
            grown[:start] = self._extra[:start]
            self._extra = grown

    def _arrange(self, positions: NDArray[np.int64], rows: Rows, token: str) -> NDArray[np.int64]:
        """Choose between exact and IVF, and tidy up where enough has changed."""
        dead = int(np.count_nonzero(positions < 0))
        live = len(positions) - dead
        if live * self.dim <= self.exact_floats:
            if dead > _MOST_DEAD or self._ivf is not None:
                return self._rebuild(positions)
            return positions
        if self._ivf is None or live > 2 * self._ivf.trained or dead > 0.2 * len(positions):
            positions = self._rebuild(positions)
            self._ivf = ivf.build(self._extra[: len(self._seqs)])
            self._save(rows, token)
        elif self._fold() and len(self._seqs) > (1 + _SAVE_SHARE) * self._saved:
            self._save(rows, token)
        return positions

    def _rebuild(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Start anew, without an IVF, from the rows that are alive."""
        kept = np.flatnonzero(positions >= 0)
        count = len(self._seqs) - len(self._base)
        if len(kept) < len(positions) or len(self._base):
            self._extra = _gather(self._base, self._extra[:count], kept)
            self._base = np.empty((0, self.dim), dtype=np.float32)
            self._seqs, self._commits = self._seqs[kept], self._commits[kept]
        self._ivf = None
        return positions[kept]

    def _fold(self) -> bool:
        """Put the rows that the IVF does not cover into it, where they are many; whether so."""
        assert self._ivf is not None
        tail = len(self._seqs) - self._ivf.covers
        if tail <= max(_TAIL_ROWS, _TAIL_SHARE * len(self._seqs)):
            return False
        start = self._ivf.covers - len(self._base)
        self._ivf = self._ivf.extended(np.ascontiguousarray(self._extra[start : start + tail]))
        return True

    def _save(self, rows: Rows, token: str) -> None:
        assert self._ivf is not None
        count = len(self._seqs) - len(self._base)
        vectors = self._extra[:count]
        if len(self._base):
            vectors = np.concatenate([self._base, vectors])
        alive = np.stack([rows.seqs[rows.alive], rows.commits[rows.alive]])
        saved = derived.Saved(self._ivf, self._seqs, self._commits, vectors, alive)
        derived.save(self.folder, self.fingerprint, self.store, token, saved)
        self._saved = len(self._seqs)


def _gather(base: Vectors, extra: Vectors, rows: NDArray[np.int64]) -> Vectors:
    split = int(np.searchsorted(rows, len(base)))
    out = exact.empty_rows(len(rows), extra.shape[1])
    np.take(base, rows[:split], axis=0, out=out[:split])
    np.take(extra, rows[split:] - len(base), axis=0, out=out[split:])
    return out
