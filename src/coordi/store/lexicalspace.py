"""The words of a store's items, following the table from version to version.

What was there when the index was made stands in a folder of derived files, which never changes;
what came after it is in memory beside it, until that is a fifth of the whole. Files carry their
checksums and each row's own commit: what is damaged, missing, or of another state of the table is
made again from the table, and a process killed while it writes leaves nothing that counts.
"""

import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from coordi.artifacts import checksum, write_atomically
from coordi.store import columns as cols
from coordi.store import derived, table
from coordi.store.checks import Mark, mark
from coordi.store.lexical import Part, WordIndex, document, schema
from coordi.store.rows import Rows, commits_of, locate

NAME = "words"
_FORMAT = 1
_ROWS = "rows.npz"
_HEAP = 64_000_000
"""Bytes that a writer holds before it makes a segment."""

_TAIL_ROWS = 4096
_TAIL_SHARE = 0.2
_DEAD_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Kept:
    """An index and the rows that it has, by their number in it."""

    searcher: Any
    seqs: NDArray[np.int64]  # (n,) rising
    commits: NDArray[np.int64]  # (n,)
    marks: tuple[tuple[Path, Mark], ...] = ()
    """Its files, and their marks when they were checked; none where it is in memory."""

    def untouched(self) -> bool:
        """Whether its files are as they were when they were checked."""
        try:
            return all(mark(path) == known for path, known in self.marks)
        except OSError:
            return False

    def fits(self, rows: Rows) -> bool:
        """Whether what these rows have is either here or newer than all that is here.

        Not so where rows are here that the table does not reach to: it was put back, and what
        is written next would be taken for known.
        """
        if self.seqs.max(initial=-1) > rows.newest:
            return False
        upto = int(np.searchsorted(rows.seqs, self.seqs.max(initial=-1), "right"))
        there = rows.alive[:upto]
        found = locate(self.seqs, rows.seqs[:upto][there])
        return bool(
            (found >= 0).all() and (self.commits[found] == rows.commits[:upto][there]).all()
        )

    def part(self, rows: Rows) -> Part:
        """It as a part of an index of these rows."""
        return Part.of(self.searcher, rows.places(self.seqs, self.commits))


class WordSpace:
    """The words of one lineage of commits."""

    def __init__(self, folder: Path, store: str) -> None:
        """Hold nothing yet; derived files live in `folder`, and name the store they belong to."""
        self._folder, self._store = folder, store
        self.version = -1
        self._base: Kept | None = None
        self._tail: Kept | None = None
        self._growing: Any = None
        self._opened = False

    def untouched(self) -> bool:
        """Whether nobody wrote to the files behind it."""
        return self._base is None or self._base.untouched()

    def at(
        self, rows: Rows, dataset: Any, mask: Callable[[str], NDArray[np.bool_]], token: str
    ) -> WordIndex:
        """The index of these rows, which are of the last version asked for or of a later one."""
        if not self._opened:
            found = load(self._folder, self._store)
            self._base = found if found is not None and found.fits(rows) else None
            self._opened = True
        self._follow(rows, dataset, token)
        self.version = rows.version
        parts = [kept.part(rows) for kept in (self._base, self._tail) if kept is not None]
        return WordIndex(parts, rows, mask)

    def _follow(self, rows: Rows, dataset: Any, token: str) -> None:
        """Take in what is new, or make everything anew where much has changed."""
        base, tail = self._base, self._tail
        seen = max((int(k.seqs.max(initial=-1)) for k in (base, tail) if k is not None), default=-1)
        # Rows that were written and are gone again have no words to find.
        fresh = int(np.count_nonzero(rows.alive[np.searchsorted(rows.seqs, seen, "right") :]))
        there = 0 if base is None else len(base.seqs)
        behind = fresh + (0 if tail is None else len(tail.seqs))
        alive = rows.count
        if (
            base is None
            or behind > max(_TAIL_ROWS, _TAIL_SHARE * there)
            or (there + behind - alive > max(_TAIL_ROWS, _DEAD_SHARE * there))
        ):
            self._base, self._tail, self._growing = self._anew(rows, dataset, token), None, None
        elif fresh:
            self._grow(rows, dataset, seen)

    def _grow(self, rows: Rows, dataset: Any, seen: int) -> None:
        """Put newer rows into the part in memory."""
        import tantivy

        if self._growing is None:
            self._growing = tantivy.Index(schema())
        old = self._tail
        start = 0 if old is None else len(old.seqs)
        seqs, commits = _write(self._growing, rows, dataset, seen, start)
        if old is not None:
            seqs, commits = np.concatenate([old.seqs, seqs]), np.concatenate([old.commits, commits])
        self._tail = Kept(self._growing.searcher(), seqs, commits)

    def _anew(self, rows: Rows, dataset: Any, token: str) -> Kept:
        """An index of all rows, on disk where that can be written."""
        import tantivy

        target = self._folder / f"{NAME}.{uuid.uuid4().hex[:8]}"
        try:
            target.mkdir(parents=True)
            index = tantivy.Index(schema(), path=str(target))
            seqs, commits = _write(index, rows, dataset, -1, 0)
            return _publish(self._folder, target, self._store, token, seqs, commits)
        except (OSError, ValueError):  # Tantivy says "disk full" by a ValueError
            shutil.rmtree(target, ignore_errors=True)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
        index = tantivy.Index(schema())
        seqs, commits = _write(index, rows, dataset, -1, 0)
        return Kept(index.searcher(), seqs, commits)


def _write(
    index: Any, rows: Rows, dataset: Any, seen: int, start: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Add the rows above `seen` to an index, numbered from `start` → their `seq` and `commit`."""
    fields = cols.field_columns(rows.columns)
    texts = [name for parts in fields.values() for name in parts if name.startswith("t_")]
    found = table.newer_than(dataset, seen, ["commit", "id", "title", "description", *texts])
    seqs = np.asarray(found["seq"].to_numpy(), dtype=np.int64)
    fresh = (seqs <= rows.newest) & (np.diff(seqs, prepend=-1) > 0)
    found, seqs = found.filter(pa.array(fresh)), seqs[fresh]
    # One thread, so that equal scores stand in one order whoever makes the index.
    writer = index.writer(_HEAP, 1)
    for row, (id, title, description, values) in enumerate(_texts(found, texts), start):
        writer.add_document(document(row, id, title, description, values))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    return seqs, commits_of(found)


def _texts(found: Any, names: list[str]) -> Iterator[tuple[str, str, str, list[str]]]:
    """Each row's id, title, description and values of text fields."""
    own = (found[name].to_pylist() for name in ("id", "title", "description"))
    values = [found[name].to_pylist() for name in names]
    rows = zip(*values, strict=True) if values else iter([()] * found.num_rows)
    for id, title, description, cells in zip(*own, rows, strict=True):
        yield id, title or "", description or "", [cell for cell in cells if cell]


def _publish(
    folder: Path, target: Path, store: str, token: str,
    seqs: NDArray[np.int64], commits: NDArray[np.int64],
) -> Kept:  # fmt: skip
    """Let a folder count in one step, and drop older ones."""
    np.savez(target / _ROWS, seqs=seqs, commits=commits)
    for lock in target.glob(".tantivy-*.lock"):
        lock.unlink()
    names = sorted(path.name for path in target.iterdir())
    for name in names:  # Tantivy keeps some to their owner; who may read a store reads all of it
        (target / name).chmod((target / _ROWS).stat().st_mode)
    meta = {
        "format": derived.FORMAT, "words": _FORMAT, "store": store, "token": token,
        "folder": target.name, "checksums": {name: checksum(target / name) for name in names},
    }  # fmt: skip
    kept = _opened(target, names)
    write_atomically(folder / f"{NAME}.json", json.dumps(meta, indent=1))
    for old in folder.glob(f"{NAME}.*"):
        if old.is_dir() and old != target:
            shutil.rmtree(old, ignore_errors=True)
    return kept


def load(folder: Path, store: str) -> Kept | None:
    """Open what was published; None where it is absent, damaged, or of another store."""
    try:
        meta = json.loads((folder / f"{NAME}.json").read_text(encoding="utf-8"))
        target = folder / meta["folder"]
        if (meta["format"], meta.get("words"), meta["store"]) != (derived.FORMAT, _FORMAT, store):
            return None
        return None if derived.fault(target, meta) else _opened(target, list(meta["checksums"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _opened(target: Path, names: list[str]) -> Kept:
    import tantivy

    with np.load(target / _ROWS) as tables:
        seqs, commits = tables["seqs"], tables["commits"]
    index = tantivy.Index.open(str(target))
    searcher = index.searcher()
    if searcher.num_docs != len(seqs):
        raise ValueError("the index of words has other rows than its list")
    return Kept(searcher, seqs, commits, tuple((target / n, mark(target / n)) for n in names))
