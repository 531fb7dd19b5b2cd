"""Items as rows of the table: which Arrow columns there are, and the way there and back.

A catalogue's fields get columns of their own, typed. The column's name is a letter for the type,
an underscore and the field's name with odd characters as %XX ("n_price", "t_neck%20line"), so no
field can clash with the store's own columns. A field that turns out wider in a later batch
(integers, then text) gets a second column; reading joins them in the widest type. Nothing written
is ever converted on disk, so nothing is lost.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from coordi.errors import StoreError
from coordi.types import FieldValue, ImageRef, Item, Origin, Vectors

ITEM_COLUMNS = (
    "id", "title", "description", "image_path", "image_bytes", "more", "file", "line",
)  # fmt: skip
"""The store's own columns that make an `Item`."""

RARE_COLUMNS = ("image_bytes", "more")
"""Those that most catalogues leave empty; reading them takes a tenth of a search's time."""

KINDS = {"b": "boolean", "i": "integer", "n": "number", "t": "text"}
"""Type letter of a field's column → the kind of field."""

ARROW_TYPES = {"b": pa.bool_(), "i": pa.int64(), "n": pa.float64(), "t": pa.string()}
"""Type letter of a field's column → the column's Arrow type."""

FURTHER_TYPE = pa.list_(pa.float32())
"""Arrow type of a `further_column`: all of an item's further vectors, one behind the other."""

_INTEGERS = range(-(2**63), 2**63)


def base_schema() -> Any:
    """Columns that every store has. `seq` numbers every row ever written, and is never reused."""
    texts = ("id", "title", "description", "image_path")
    more = pa.struct([("path", pa.string()), ("data", pa.binary())])
    columns = [("seq", pa.int64()), ("commit", pa.int64())]
    columns += [(name, pa.string()) for name in texts]
    columns += [("image_bytes", pa.binary()), ("hash", pa.string())]
    columns += [("more", pa.list_(more)), ("file", pa.string()), ("line", pa.int64())]
    return pa.schema(columns)


def vector_column(fingerprint: str) -> str:
    """Name of the vector column of an encoder."""
    return f"v_{fingerprint}"


def further_column(fingerprint: str) -> str:
    """Name of the column with the vectors of an item's further pictures."""
    return f"w_{fingerprint}"


def field_column(name: str, value: FieldValue) -> str | None:
    """Name of the column that holds `value` of the field `name`; None for a missing value."""
    letter = _letter(value)
    if letter is None:
        return None
    return f"{letter}_{quote(name, safe='').replace('.', '%2E').replace('~', '%7E')}"


def _letter(value: FieldValue) -> str | None:
    if isinstance(value, bool):
        return "b"
    if isinstance(value, int):
        return "i" if value in _INTEGERS else "t"
    if isinstance(value, float):
        return None if math.isnan(value) else "n"
    return None if value is None else "t"


def field_columns(names: Iterable[str]) -> dict[str, list[str]]:
    """Field → its columns, among the table's column names, in the table's order."""
    fields: dict[str, list[str]] = {}
    for name in names:
        if name[:2] in ("b_", "i_", "n_", "t_"):
            fields.setdefault(unquote(name[2:]), []).append(name)
    return fields


def kind_of(columns: Sequence[str]) -> str:
    """Kind of a field stored in these columns: the narrowest that holds all of them."""
    letters = {name[0] for name in columns}
    if len(letters) == 1:
        return KINDS[letters.pop()]
    return "number" if letters == {"i", "n"} else "text"


def as_kind(value: FieldValue, kind: str) -> FieldValue:
    """One stored value in its field's kind."""
    if value is None or kind in ("boolean", "integer"):
        return value
    if kind == "number":
        return float(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def logical_column(table: Any, columns: Sequence[str]) -> Any:
    """Join a field's columns of an Arrow table into one of the field's kind."""
    if len(columns) == 1:
        return table[columns[0]]
    target = pa.float64() if kind_of(columns) == "number" else pa.string()
    parts = (_cast(table[name], target) for name in columns)
    return pc.coalesce(*parts)


def _cast(column: Any, target: Any) -> Any:
    # Arrow's number → text differs from Python's for floats ("5" for 5.0); hits and filters
    # must show the same text.
    if column.type == pa.float64() and target == pa.string():
        texts = (None if value is None else str(value) for value in column.to_pylist())
        return pa.chunked_array([pa.array(texts, pa.string())])
    return pc.cast(column, target, safe=False)


def new_columns(items: Sequence[Item], known: Iterable[str]) -> Any:
    """Schema of the field columns that `items` need and the table lacks."""
    names = {field_column(name, value) for item in items for name, value in item.fields.items()}
    missing = sorted({name for name in names if name is not None} - set(known))
    return pa.schema([pa.field(name, ARROW_TYPES[name[0]]) for name in missing])


def item_columns(items: Sequence[Item], schema: Any) -> dict[str, Any]:
    """Columns of `items` but for `seq`, `hash` and the vectors."""
    columns: dict[str, list[Any]] = {
        "id": [item.id for item in items],
        "title": [item.title for item in items],
        "description": [item.description for item in items],
        "image_path": [_path(item.image) for item in items],
        "image_bytes": [item.image.data if item.image else None for item in items],
        "more": [_more_cell(item) for item in items],
        "file": [item.origin.file if item.origin else None for item in items],
        "line": [item.origin.line if item.origin else None for item in items],
    }
    for row, item in enumerate(items):
        for name, value in item.fields.items():
            column = field_column(name, value)
            if column is not None:
                cells = columns.setdefault(column, [None] * len(items))
                cells[row] = str(value) if column[0] == "t" else value
    return {name: pa.array(cells, schema.field(name).type) for name, cells in columns.items()}


def _more_cell(item: Item) -> list[dict[str, Any]] | None:
    return [{"path": _path(ref), "data": ref.data} for ref in item.more] or None


def _path(image: ImageRef | None) -> str | None:
    return str(image.path) if image is not None and image.path is not None else None


def vector_array(vectors: Vectors, dim: int) -> Any:
    """(n, dim) → an Arrow column; a row with a NaN becomes null: "this item has no vector"."""
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    if rows.ndim != 2 or rows.shape[1] != dim:
        raise StoreError(f"vectors of shape {rows.shape} do not fit a column of {dim} dimensions")
    missing = np.isnan(rows).any(axis=1)
    mask = pa.array(missing) if missing.any() else None
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), dim, mask=mask)


def vector_rows(column: Any, dim: int) -> tuple[Vectors, np.ndarray[Any, np.dtype[np.bool_]]]:
    """A vector column (no nulls inside rows) → (n, dim), and which rows are there (n,)."""
    array = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    if hasattr(array, "chunks"):
        array = array.chunk(0) if array.num_chunks else array.type.wrap_array([])
    there = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    values = array.filter(array.is_valid()).flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype=np.float32).reshape(-1, dim), there


def further_array(further: Sequence[Vectors | None], dim: int) -> Any:
    """The further vectors of items, (m, dim) each → an Arrow column; None becomes null."""
    for rows in further:
        if rows is not None and (rows.ndim != 2 or rows.shape[1] != dim):
            raise StoreError(f"vectors of shape {rows.shape} do not fit {dim} dimensions")
    sizes = [0 if rows is None else rows.size for rows in further]
    ends = np.cumsum([0, *sizes]).astype(np.int32)
    there = [np.asarray(rows, np.float32).ravel() for rows in further if rows is not None]
    values = np.concatenate(there) if there else np.empty(0, np.float32)
    missing = pa.array([rows is None for rows in further])
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values), mask=missing)


def further_rows(column: Any, dim: int) -> tuple[Vectors, NDArray[np.int64]]:
    """A column of further vectors → all of them (m, dim), and how many each row has (n,)."""
    sizes = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    values = pc.list_flatten(column).to_numpy()
    vectors = np.asarray(values, dtype=np.float32).reshape(-1, dim)
    return vectors, np.asarray(sizes // dim, dtype=np.int64)


def items_of(table: Any, fields: Mapping[str, Sequence[str]]) -> list[Item]:
    """Rows of an Arrow table with the fields' columns and `ITEM_COLUMNS`, of which `RARE_COLUMNS`
    may be missing where nothing fills them → items."""
    # Column by column: a search that misses the cache spends half of its time here.
    there = set(table.column_names)
    of = {
        name: table[name].to_pylist() if name in there else [None] * table.num_rows
        for name in ITEM_COLUMNS
    }
    values: list[dict[str, FieldValue]] = [{} for _ in of["id"]]
    for name, columns in fields.items():
        for row, cell in zip(values, _cells(table, columns), strict=True):
            if cell is not None:
                row[name] = cell
    return [
        Item(
            id, _image(path, data), title, description, fields_of_row,
            Origin(file, line) if file is not None else None, _more(more) if more else (),
        )
        for id, title, description, path, data, more, file, line, fields_of_row in zip(
            *(of[name] for name in ITEM_COLUMNS), values, strict=True
        )
    ]  # fmt: skip


def _cells(table: Any, columns: Sequence[str]) -> list[FieldValue]:
    """A field's values in its kind."""
    first: list[FieldValue] = table[columns[0]].to_pylist()
    if len(columns) == 1:
        return first
    kind = kind_of(columns)
    rows = zip(first, *(table[name].to_pylist() for name in columns[1:]), strict=True)
    return [as_kind(next((cell for cell in row if cell is not None), None), kind) for row in rows]


def _more(cells: Sequence[Mapping[str, Any]]) -> tuple[ImageRef, ...]:
    refs = (_image(cell["path"], cell["data"]) for cell in cells)
    return tuple(ref for ref in refs if ref is not None)


def _image(path: str | None, data: bytes | None) -> ImageRef | None:
    if path is not None:
        return ImageRef(path=Path(path))
    return ImageRef(data=data) if data is not None else None
