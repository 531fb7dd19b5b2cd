"""Parquet files, also as the Hugging Face hub has them: `image: struct<bytes, path>`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordi.data.readers.table import Record
from coordi.errors import CatalogError
from coordi.types import Origin, Problem

_BATCH_BYTES = 32 * 1024 * 1024
_BATCH_ROWS = 1024


@dataclass(frozen=True, slots=True)
class ParquetTable:
    """One Parquet file."""

    path: Path
    columns: tuple[str, ...]
    pictures: tuple[str, ...]
    batch: int
    """Rows read at a time, so that a batch of pictures fits in memory."""
    notes: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where the file lies."""
        return self.path.parent

    def records(self, *, pictures: bool = True) -> Iterator[Record | Problem]:
        """Stream the rows; damage inside the file is a `Problem` and ends it."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = [c for c in self.columns if pictures or c not in self.pictures]
        number = 0
        try:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(self.batch, columns=columns):
                    for values in _rows(batch, columns):
                        number += 1
                        yield Record(Origin(str(self.path), number), values)
        except (OSError, pa.ArrowException) as error:
            reason = f"the file cannot be read from row {number + 1} on ({error}); fetch it again"
            yield Problem(Origin(str(self.path), number + 1), reason)


def open_parquet(path: Path) -> ParquetTable:
    """Open a Parquet file; only its footer is read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            schema, metadata = file.schema_arrow, file.metadata
    except (OSError, pa.ArrowException) as error:
        raise CatalogError(
            f"{path} is not a readable Parquet file ({error}); fetch it again"
        ) from (error)
    size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    each = max(1, size // max(1, metadata.num_rows))
    pictures = tuple(f.name for f in schema if _holds_bytes(f.type))
    batch = max(1, min(_BATCH_ROWS, _BATCH_BYTES // each))
    return ParquetTable(path, tuple(schema.names), pictures, batch)


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _holds_bytes(field.type) for field in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _rows(batch: Any, columns: list[str]) -> Iterator[dict[str, object]]:
    if not columns:
        return ({} for _ in range(batch.num_rows))
    cells = [batch.column(name).to_pylist() for name in columns]
    return (dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True))
