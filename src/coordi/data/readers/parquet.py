"""Parquet files, also as the Hugging Face hub has them: `image: struct<bytes, path>`."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from coordi.data.readers.table import Record, Table
from coordi.errors import CatalogError, one_line
from coordi.types import Origin, Problem

_BATCH_BYTES = 32 * 1024 * 1024
_BATCH_ROWS = 1024


def _records(
    path: Path, columns: Sequence[str], batch: int, without: Collection[str]
) -> Iterator[Record | Problem]:
    """Stream the rows; a damaged row group is a `Problem`, and the next ones are read.

    `batch` rows are read at a time, so that their pictures fit in memory.
    """
    import pyarrow.parquet as pq

    wanted = [name for name in columns if name not in without]
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        first = 1
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            batches = partial(file.iter_batches, batch, row_groups=[group], columns=wanted)
            yield from _group(path, batches, range(first, first + rows), wanted)
            first += rows


def _group(
    path: Path, batches: Callable[[], Iterable[Any]], numbers: range, columns: list[str]
) -> Iterator[Record | Problem]:
    """Stream one row group, whose rows have some numbers in the file."""
    import pyarrow as pa

    number, behind = numbers.start, numbers.stop
    reason = "fewer rows than the file states"
    try:
        for batch in batches():
            for values in islice(_rows(batch, columns), max(0, behind - number)):
                yield Record(Origin(str(path), number), values)
                number += 1
    except _unreadable(pa) as error:
        reason = one_line(error)
    if number < behind:
        yield Problem(
            Origin(str(path), number),
            f"rows {number} to {behind - 1} cannot be read ({reason}); fetch the file again",
            rows=behind - number,
        )


def _unreadable(pa: Any) -> tuple[type[Exception], ...]:
    """What pyarrow raises about damaged data: its own errors and Python's."""
    return (OSError, pa.ArrowException, ValueError, OverflowError, MemoryError)


def open_parquet(path: Path) -> Table:
    """Open a Parquet file; only its footer is read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            schema, metadata = file.schema_arrow, file.metadata
    except _unreadable(pa) as error:
        raise CatalogError(
            f"{path} is not a readable Parquet file ({error}); fetch it again"
        ) from (error)
    _check_names(path, schema.names)
    size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    each = max(1, size // max(1, metadata.num_rows))
    pictures = tuple(f.name for f in schema if _holds_bytes(f.type))
    vectors = [f.name for f in schema if _holds_vectors(f.type)]
    columns = tuple(name for name in schema.names if name not in vectors)
    notes = tuple(f"{path}: column {name} holds vectors and is left out" for name in vectors)
    batch = max(1, min(_BATCH_ROWS, _BATCH_BYTES // each))
    return Table(path.parent, partial(_records, path, columns, batch), columns, pictures, notes)


def _check_names(path: Path, names: Sequence[str]) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise CatalogError(
            f"{path} has several columns of one name ({', '.join(twice)}); rename or drop all "
            "but one of each"
        )


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _holds_bytes(field.type) for field in kind)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _holds_bytes(kind.value_type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _holds_vectors(kind: Any) -> bool:
    import pyarrow as pa

    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_kind(kind) for is_kind in lists) and bool(pa.types.is_floating(kind.value_type))


def _rows(batch: Any, columns: list[str]) -> Iterator[dict[str, object]]:
    if not columns:
        return ({} for _ in range(batch.num_rows))
    cells = [batch.column(name).to_pylist() for name in columns]
    return (dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True))
