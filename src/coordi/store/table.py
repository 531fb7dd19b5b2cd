"""The Lance table: opening one version, committing in one step, naming the files of a version."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from coordi.errors import CoordiError, StoreDamagedError, StoreError

_NEWEST = 2**64 - 1
"""Lance names the manifest of version v by this minus v, so that the newest is listed first."""

_NEVER = timedelta(days=36_500)


@contextmanager
def translated(what: str, kind: type[StoreError] = StoreError) -> Iterator[None]:
    """Turn whatever Lance and the system raise into a `StoreError` that begins with `what`."""
    try:
        yield
    except (CoordiError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except OSError as error:
        raise StoreError(f"{what}: {error.strerror or error}") from error
    except BaseException as error:  # Lance's Rust code panics with one of its own
        full = "No space left" in str(error)
        reason = "the disk is full" if full else f"{type(error).__name__}: {error}"
        raise (StoreError if full else kind)(f"{what}: {reason}") from error


def create(path: Path, schema: Any) -> Any:
    """Make an empty table."""
    import lance

    with translated("cannot make the store's table"):
        return lance.write_dataset(schema.empty_table(), str(path), mode="create")


def open_version(path: Path, version: int | None = None) -> Any:
    """Open a version of the table, the newest where None."""
    import lance

    with translated("cannot open the store's table", StoreDamagedError):
        return lance.dataset(str(path), version=version)


def add_columns(dataset: Any, schema: Any) -> Any:
    """Add empty columns, which rewrites nothing; return the new version."""
    with translated("cannot add columns to the store"):
        dataset.add_columns(schema)
        return dataset.checkout_version(dataset.latest_version)


def drop_columns(dataset: Any, names: Sequence[str]) -> Any:
    """Drop columns, which rewrites nothing; return the new version."""
    with translated("cannot drop columns of the store"):
        dataset.drop_columns(list(names))
        return dataset.checkout_version(dataset.latest_version)


def commit(dataset: Any, rows: Any | None, doomed: Mapping[int, Sequence[int]]) -> Any:
    """Append `rows` and delete rows in one atomic step; return the new version.

    `doomed` maps a fragment's id to the `seq` numbers in it that go.
    """
    import lance
    from lance.fragment import write_fragments

    with translated("cannot write to the store"):
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


def drop_fragments(dataset: Any, fragments: Sequence[int]) -> Any:
    """Remove whole fragments, read or not; return the new version."""
    import lance

    operation = lance.LanceOperation.Update(
        removed_fragment_ids=list(fragments), updated_fragments=[], new_fragments=[],
        fields_modified=[],
    )  # fmt: skip
    with translated("cannot repair the store's table"):
        return lance.LanceDataset.commit(dataset, operation, read_version=dataset.version)


def join_fragments(dataset: Any) -> Any:
    """Join small fragments; return the new version."""
    with translated("cannot compact the store"):
        dataset.optimize.compact_files()
        return dataset.checkout_version(dataset.latest_version)


def restore(dataset: Any) -> Any:
    """Make an old version the newest again; return it."""
    with translated("cannot undo an unfinished commit"):
        dataset.restore()
        return dataset.checkout_version(dataset.latest_version)


def forgettable(dataset: Any, keep: timedelta) -> list[int]:
    """Versions that a newer one replaced longer than `keep` ago.

    A version that was the newest until just now is none of them, however old it is: somebody
    reads it.
    """
    with translated("cannot read the store's table"):
        versions = sorted(entry["version"] for entry in dataset.versions())
    made = {v: (Path(dataset.uri) / _manifest(dataset, v)).stat().st_mtime for v in versions}
    latest = time.time() - keep.total_seconds()
    return [version for version, newer in pairwise(versions) if made[newer] < latest]


def forget(dataset: Any, versions: Iterable[int]) -> None:
    """Drop versions, and files that belong to none: the caller holds the writer's lock, so
    unfinished ones can only be a killed writer's.
    """
    which: dict[str, Any] = {"versions": sorted(versions)}
    if not which["versions"]:
        which = {"older_than": _NEVER}
    with translated("cannot drop old versions of the store"):
        dataset.cleanup_old_versions(**which, delete_unverified=True)


def take(dataset: Any, addresses: Sequence[int], columns: Sequence[str]) -> Any:
    """Read rows by address, in the order given."""
    with translated("cannot read items of the store", StoreDamagedError):
        return dataset._take_rows(list(addresses), columns=list(columns))


def newer_than(dataset: Any, seq: int, columns: Sequence[str]) -> Any:
    """Rows with a `seq` above `seq`, rising, with `seq` as the first column."""
    table = read(dataset, ["seq", *columns], filter=None if seq < 0 else f"seq > {seq}")
    seqs = table["seq"].to_numpy()
    return table if (seqs[1:] > seqs[:-1]).all() else table.sort_by("seq")


def read(dataset: Any, columns: Sequence[str], **options: Any) -> Any:
    """Columns of a version as an Arrow table; `options` are those of Lance's `scanner`."""
    with translated("cannot read the store's table", StoreDamagedError):
        return dataset.scanner(columns=list(columns), **options).to_table()


def files_of(dataset: Any) -> dict[str, int | None]:
    """Every file that this version consists of, relative to the table's folder.

    → path to the fragment that is lost with the file; None where the whole version is.
    """
    found: dict[str, int | None] = {_manifest(dataset, dataset.version): None}
    for fragment in dataset.get_fragments():
        for file in fragment.data_files():
            found[f"data/{file.path}"] = fragment.fragment_id
        deletions = fragment.deletion_file()
        if deletions is not None:
            found[deletions] = fragment.fragment_id
    return found


def check_written(dataset: Any, names: Iterable[str]) -> None:
    """Raise `StoreError` where files that were just written are not whole.

    Lance takes no notice of a write that came out short, as they do where a disk runs full.
    """
    new = set(names)
    for fragment in dataset.get_fragments():
        files = fragment.data_files()
        if not new & {*(f"data/{file.path}" for file in files), fragment.deletion_file()}:
            continue
        for file in files:
            size = (Path(dataset.uri) / "data" / file.path).stat().st_size
            if file.file_size_bytes not in (None, size):
                raise StoreError(
                    "cannot write to the store: a file came out short. Is the disk full?"
                )
        if read(dataset, ["seq"], fragments=[fragment]).num_rows != fragment.count_rows():
            raise StoreError("cannot write to the store: rows are missing. Is the disk full?")


def aside_of(dataset: Any, since: int) -> list[str]:
    """Files that came with this version and that no reader of it needs.

    Lance's notes of the transactions after version `since`, and the versions between, which are
    steps on the way (a column added before the rows that need it).
    """
    found = []
    for version in range(since + 1, dataset.version + 1):
        found += [_manifest(dataset, version)] if version < dataset.version else []
        found += _transaction(dataset, version)
    return [name for name in found if (Path(dataset.uri) / name).exists()]


def _transaction(dataset: Any, version: int) -> list[str]:
    try:
        found = dataset.read_transaction(version)
    except Exception:  # of a version that is forgotten, or by another writer of Lance's format
        return []
    return [f"_transactions/{found.read_version}-{found.uuid}.txn"]


def _manifest(dataset: Any, version: int) -> str:
    for name in (f"{_NEWEST - version:020d}", str(version)):
        if (Path(dataset.uri) / f"_versions/{name}.manifest").exists():
            return f"_versions/{name}.manifest"
    raise StoreDamagedError(f"version {version} of the store's table has no manifest")


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
