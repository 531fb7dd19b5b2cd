"""What a process knows of the table: which rows there are, alive or not, at one version.

Rows are numbered by position in the order of `seq`, the order in which they were written. A row
never changes: an updated item is a new row, and the old one is dead. So a newer version is
reached by reading only the new rows and marking the dead ones. `commit` is a random number that
each commit writes into its rows: a table that was put back to an earlier state and went on from
there gives the same `seq` to other rows, and `commit` tells them apart.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordi.store import table

COLUMNS = ["seq", "id", "commit"]

_DEAD_SHARE = 0.5
"""Above this share of dead rows everything is read again without them."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one table version. Newer versions share arrays with it, but never alter them."""

    version: int
    generation: int
    """Changes when positions were given anew; what was aligned with the old ones is void."""
    seqs: NDArray[np.int64]  # (n,) rising
    commits: NDArray[np.int64]  # (n,) 0 where an earlier version of coordi wrote the row
    addresses: NDArray[np.int64]  # (n,) where Lance finds the row; stale where dead
    alive: NDArray[np.bool_]  # (n,)
    ids: list[str]  # at least n; only the first n are this version's
    positions: dict[str, int]  # id → newest position, shared with newer versions
    before: list[int]  # at least n; position of the same id before that row, -1 for none
    fragments: dict[int, int]  # fragment id → rows deleted in it
    columns: tuple[str, ...]

    @property
    def count(self) -> int:
        """Rows that are alive."""
        return int(np.count_nonzero(self.alive))

    @property
    def newest(self) -> int:
        """The highest `seq`; -1 where there are no rows."""
        return int(self.seqs[-1]) if len(self.seqs) else -1

    def places(self, seqs: NDArray[np.int64], commits: NDArray[np.int64]) -> NDArray[np.int64]:
        """Position of each row, known by its `seq` and `commit`; -1 where it is dead."""
        found = locate(self.seqs, seqs)
        there = found >= 0
        there[there] = self.alive[found[there]]
        there[there] = self.commits[found[there]] == commits[there]
        return np.where(there, found, -1)

    def position(self, id: str) -> int | None:
        """Position of an item; None where there is no such item."""
        found = self.positions.get(id, -1)
        while found >= len(self.seqs):  # what a newer version wrote
            found = self.before[found]
        return found if found >= 0 and self.alive[found] else None


def load(dataset: Any, generation: int = 0) -> Rows:
    """Read all rows of a dataset's version."""
    found = table.read(dataset, COLUMNS, with_row_id=True).sort_by("seq")
    ids = found["id"].to_pylist()
    return Rows(
        version=dataset.version,
        generation=generation,
        seqs=_integers(found["seq"]),
        commits=commits_of(found),
        addresses=_integers(found["_rowid"]),
        alive=np.ones(len(ids), dtype=np.bool_),
        ids=ids,
        positions={id: position for position, id in enumerate(ids)},
        before=[-1] * len(ids),
        fragments=_fragments(dataset),
        columns=tuple(dataset.schema.names),
    )


def advance(rows: Rows, dataset: Any) -> Rows:
    """Reach a newer version of the same dataset, reading only what is new."""
    fragments = _fragments(dataset)
    kept = all(fragments.get(name) == deleted for name, deleted in rows.fragments.items())
    alive, addresses = rows.alive, rows.addresses
    if not kept:
        alive, addresses = _survivors(rows, dataset)
    if np.count_nonzero(alive) < (1 - _DEAD_SHARE) * len(alive):
        return load(dataset, rows.generation + 1)
    return _extended(rows, dataset, fragments, alive, addresses)


def _extended(
    rows: Rows,
    dataset: Any,
    fragments: dict[int, int],
    alive: NDArray[np.bool_],
    addresses: NDArray[np.int64],
) -> Rows:
    found = _newer(rows, dataset)
    start = len(rows.seqs)
    added = found["id"].to_pylist()
    newer = replace(
        rows,
        version=dataset.version,
        seqs=np.concatenate([rows.seqs, _integers(found["seq"])]),
        commits=np.concatenate([rows.commits, commits_of(found)]),
        addresses=np.concatenate([addresses, _integers(found["_rowid"])]),
        alive=np.concatenate([alive, np.ones(len(added), dtype=np.bool_)]),
        fragments=fragments,
        columns=tuple(dataset.schema.names),
    )
    # Last, because these are shared: nothing may fail between here and the caller's taking over.
    rows.before.extend([rows.positions.get(id, -1) for id in added])
    rows.ids.extend(added)
    rows.positions.update({id: start + place for place, id in enumerate(added)})
    return newer


def _newer(rows: Rows, dataset: Any) -> Any:
    fresh = [part for part in dataset.get_fragments() if part.fragment_id not in rows.fragments]
    if not fresh:
        empty = dataset.schema.empty_table().select(COLUMNS)
        return empty.append_column("_rowid", [np.empty(0, dtype=np.uint64)])
    found = table.read(
        dataset, COLUMNS, filter=f"seq > {rows.newest}", with_row_id=True, fragments=fresh
    )
    return found.sort_by("seq")


def _survivors(rows: Rows, dataset: Any) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which known rows are still there, and where: after deletions, updates or compaction."""
    found_rows = table.read(dataset, ["seq"], with_row_id=True)
    seqs, places = _integers(found_rows["seq"]), _integers(found_rows["_rowid"])
    order = np.argsort(seqs, kind="stable")
    found = locate(seqs[order], rows.seqs)
    alive = found >= 0
    addresses = rows.addresses.copy()
    addresses[alive] = places[order][found[alive]]
    return alive, addresses


def locate(haystack: NDArray[np.int64], needles: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of each needle in a rising haystack, -1 where it is absent."""
    if not len(haystack):
        return np.full(len(needles), -1, dtype=np.int64)
    places = np.searchsorted(haystack, needles)
    places[places == len(haystack)] = 0
    return np.where(haystack[places] == needles, places, -1).astype(np.int64)


def commits_of(found: Any) -> NDArray[np.int64]:
    """The `commit` of each row of an Arrow table."""
    return _integers(found["commit"].fill_null(0))


def _fragments(dataset: Any) -> dict[int, int]:
    deletions = (
        (part.fragment_id, part.metadata.deletion_file) for part in dataset.get_fragments()
    )
    return {name: file.num_deleted_rows if file else 0 for name, file in deletions}


def _integers(column: Any) -> NDArray[np.int64]:
    return np.asarray(column.to_numpy(), dtype=np.int64)
