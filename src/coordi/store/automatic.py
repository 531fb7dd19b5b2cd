"""Automatic fields: what coordi itself says of items, beside what their catalogue says.

They stand in columns like a catalogue's fields, so that filters, facets and the index of words take
them as such, under names that begin with `coordi.types.AUTOMATIC`. A row that has been told carries
a mark of who told it (`MARK`); a row that an ingest wrote anew has none, and is told again.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from coordi.errors import StoreError
from coordi.store import columns as cols
from coordi.store import table
from coordi.types import AUTOMATIC, FieldValue, Item

MARK = "told"
"""The column of marks: none of a field, whose columns begin with the letter of their type."""


def is_automatic(name: str) -> bool:
    """Whether a field is an automatic one, by its name."""
    return name.startswith(AUTOMATIC)


def told(item: Item, fields: Mapping[str, FieldValue]) -> Item:
    """The item with these automatic fields in place of those it has."""
    own = {name: value for name, value in item.fields.items() if not is_automatic(name)}
    return replace(item, fields={**own, **fields})


def check_names(columns: Sequence[str]) -> None:
    """Raise `StoreError` where a catalogue has fields whose names are kept for automatic ones."""
    taken = [name for name in cols.field_columns(columns) if is_automatic(name)]
    if taken and MARK not in columns:
        raise StoreError(
            f"the catalogue has a field {taken[0]!r} of its own, and names that begin with "
            f"{AUTOMATIC!r} are for automatic fields. Rename its column and ingest again"
        )


def widened(dataset: Any, items: Sequence[Item]) -> Any:
    """The table with the columns that automatic fields of these items need."""
    known = dataset.schema.names
    schema = cols.new_columns(items, known)
    if MARK not in known:
        schema = schema.append(pa.field(MARK, pa.string()))
    return table.add_columns(dataset, schema) if len(schema) else dataset


def batch(
    dataset: Any, items: Sequence[Item], addresses: Sequence[int], mark: str | None, first: int
) -> Any:
    """Rows that say of items what the rows at `addresses` do not, and all else as those do.

    `first` is the first row's `seq`.
    """
    schema, count = dataset.schema, len(items)
    cells = cols.item_columns(items, schema)
    kept = [name for name in schema.names if name == "hash" or name[:2] in ("v_", "w_")]
    old = table.take(dataset, addresses, kept)
    cells |= {name: old[name] for name in kept}
    cells["seq"] = pa.array(range(first, first + count), pa.int64())
    cells["commit"] = pa.array([secrets.randbits(63)] * count, pa.int64())
    cells[MARK] = pa.array([mark] * count, pa.string())
    empty = {name: pa.nulls(count, schema.field(name).type) for name in schema.names}
    return pa.table({**empty, **cells}, schema=schema)


def automatic_columns(names: Sequence[str]) -> list[str]:
    """Columns of automatic fields and of their mark, among the table's column names."""
    fields = cols.field_columns(names)
    found = [column for name, parts in fields.items() if is_automatic(name) for column in parts]
    return [*found, *([MARK] if MARK in names else [])]
