"""What a process knows of the table: which rows there are, alive or not, at one version.

Rows are numbered by position in the order of `seq`, the order in which they were written. A row
never changes: an updated item is a new row, and the old one is dead. So a newer version is
reached by reading only the new rows and marking the dead ones.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DEAD_SHARE = 0.5
"""Above this share of dead rows everything is read again without them."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one table version. Newer versions share arrays with it, but never alter them."""

    version: int
    generation: int
    """Changes when positions were given anew; what was aligned with the old ones is void."""
    seqs: NDArray[np.int64]  # (n,) rising
    addresses: NDArray[np.int64]  # (n,) where Lance finds the row; stale where dead
    alive: NDArray[np.bool_]  # (n,)
    ids: list[str]  # at least n; only the first n are this version's
    positions: dict[str, int]  # id → newest position, shared with newer versions
    fragments: dict[int, int]  # fragment id → rows deleted in it
    columns: tuple[str, ...]

    @property
    def count(self) -> int:
        """Rows that are alive."""
        return int(np.count_nonzero(self.alive))

    def position(self, id: str) -> int | None:
        """Position of an item; None where there is no such item."""
        found = self.positions.get(id)
        if found is None or found >= len(self.seqs) or not self.alive[found]:
            return None
        return found


def load(dataset: Any, generation: int = 0) -> Rows:
    """Read all rows of a dataset's version."""
    table = dataset.to_table(columns=["seq", "id"], with_row_id=True).sort_by("seq")
    ids = table["id"].to_pylist()
    return Rows(
        version=dataset.version,
        generation=generation,
        seqs=_integers(table["seq"]),
        addresses=_integers(table["_rowid"]),
        alive=np.ones(len(ids), dtype=np.bool_),
        ids=ids,
        positions={id: position for position, id in enumerate(ids)},
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
    table = _newer(rows, dataset)
    start = len(rows.seqs)
    added = table["id"].to_pylist()
    del rows.ids[start:]
    rows.ids.extend(added)
    rows.positions.update({id: start + place for place, id in enumerate(added)})
    return Rows(
        version=dataset.version,
        generation=rows.generation,
        seqs=np.concatenate([rows.seqs, _integers(table["seq"])]),
        addresses=np.concatenate([addresses, _integers(table["_rowid"])]),
        alive=np.concatenate([alive, np.ones(len(added), dtype=np.bool_)]),
        ids=rows.ids,
        positions=rows.positions,
        fragments=fragments,
        columns=tuple(dataset.schema.names),
    )


def _newer(rows: Rows, dataset: Any) -> Any:
    fresh = [part for part in dataset.get_fragments() if part.fragment_id not in rows.fragments]
    last = int(rows.seqs[-1]) if len(rows.seqs) else -1
    columns = ["seq", "id"]
    if not fresh:
        return (
            dataset.schema.empty_table()
            .select(columns)
            .append_column("_rowid", [np.empty(0, dtype=np.uint64)])
        )
    scanner = dataset.scanner(
        columns=columns, filter=f"seq > {last}", with_row_id=True, fragments=fresh
    )
    return scanner.to_table().sort_by("seq")


def _survivors(rows: Rows, dataset: Any) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which known rows are still there, and where: after deletions, updates or compaction."""
    table = dataset.to_table(columns=["seq"], with_row_id=True)
    seqs, places = _integers(table["seq"]), _integers(table["_rowid"])
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


def _fragments(dataset: Any) -> dict[int, int]:
    deletions = (
        (part.fragment_id, part.metadata.deletion_file) for part in dataset.get_fragments()
    )
    return {name: file.num_deleted_rows if file else 0 for name, file in deletions}


def _integers(column: Any) -> NDArray[np.int64]:
    return np.asarray(column.to_numpy(), dtype=np.int64)
