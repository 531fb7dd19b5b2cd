"""The Lance table: opening, committing in one step, noticing other processes' commits."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from coordi.errors import NotFoundError, StoreError

_SETTLED_NS = 50_000_000
"""A folder's time stamp this old cannot hide a second change within the clock's own tick."""


def create(path: Path, schema: Any) -> Any:
    """Make an empty table."""
    import lance

    return lance.write_dataset(schema.empty_table(), str(path), mode="create")


def open_table(path: Path) -> Any:
    """Open the newest version of the table."""
    import lance

    try:
        return lance.dataset(str(path))
    except (ValueError, FileNotFoundError) as error:
        raise NotFoundError(f"there is no table at {path}: {error}") from error
    except OSError as error:
        raise StoreError(f"cannot read the table at {path}: {error}") from error


class Stamp:
    """Tells in microseconds whether the table may have a newer version.

    Every commit adds a manifest to the table's folder of versions, which changes the folder's
    time. Nothing else has to be written, so a writer killed after a commit leaves nothing to
    heal. A time younger than the clock's tick is not trusted: the next check looks again.
    """

    def __init__(self, table: Path) -> None:
        """Watch the table at `table`."""
        self._folder = str(table / "_versions")
        self._seen: int | None = None

    def changed(self) -> bool:
        """Whether the folder differs from what `mark` saw."""
        return self._seen is None or self.read() != self._seen

    def read(self) -> int:
        """The folder's time in nanoseconds; read it before opening the table."""
        try:
            return os.stat(self._folder).st_mtime_ns  # noqa: PTH116 - pathlib doubles the cost
        except OSError as error:
            raise NotFoundError(f"the store's table is gone: {error}") from error

    def mark(self, seen: int) -> None:
        """Remember the time that was read before the table was opened."""
        self._seen = seen if abs(time.time_ns() - seen) > _SETTLED_NS else None


def add_columns(dataset: Any, schema: Any) -> Any:
    """Add empty columns; costs no rewriting."""
    if len(schema):
        dataset.add_columns(schema)
    return dataset


def commit(dataset: Any, rows: Any | None, doomed: Mapping[int, Sequence[int]]) -> Any:
    """Append `rows` and delete rows in one atomic step; return the new version.

    `doomed` maps a fragment's id to the `seq` numbers in it that go.
    """
    import lance
    from lance.fragment import write_fragments

    if rows is not None and not doomed:
        return lance.write_dataset(rows, dataset, mode="append")
    changed = [(name, _delete(dataset, name, seqs)) for name, seqs in doomed.items()]
    operation = lance.LanceOperation.Update(
        removed_fragment_ids=[name for name, left in changed if left is None],
        updated_fragments=[left for _, left in changed if left is not None],
        new_fragments=write_fragments(rows, dataset) if rows is not None else [],
        fields_modified=[],
    )
    return lance.LanceDataset.commit(dataset, operation, read_version=dataset.version)


def _delete(dataset: Any, fragment: int, seqs: Iterable[int]) -> Any | None:
    """Metadata of the fragment without these rows; None where nothing is left of it."""
    numbers = ", ".join(map(str, seqs))
    return dataset.get_fragment(fragment).delete(f"seq in ({numbers})")


def compact(dataset: Any, *, keep: timedelta) -> None:
    """Join small fragments, and drop versions older than `keep` that readers no longer need."""
    dataset.optimize.compact_files()
    # The caller holds the writer lock, so unfinished files can only be a killed writer's.
    dataset.cleanup_old_versions(older_than=keep, delete_unverified=True)


def take(dataset: Any, addresses: Sequence[int], columns: Sequence[str]) -> Any:
    """Read rows by address, in the order given."""
    return dataset._take_rows(list(addresses), columns=list(columns))


def newer_than(dataset: Any, seq: int, columns: Sequence[str]) -> Any:
    """Rows with a `seq` above `seq`, rising, with `seq` as the first column."""
    wanted = ["seq", *columns]
    everything = seq < 0
    table = dataset.to_table(columns=wanted, filter=None if everything else f"seq > {seq}")
    seqs = table["seq"].to_numpy()
    return table if (seqs[1:] > seqs[:-1]).all() else table.sort_by("seq")


def folder_bytes(path: Path) -> int:
    """Bytes of all files under a folder; files that vanish meanwhile count nothing."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += (Path(folder) / name).stat().st_size
            except OSError:
                continue
    return total
