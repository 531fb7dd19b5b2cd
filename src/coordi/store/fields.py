"""The catalogue's fields in memory, one Arrow column each, for filters and facets."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordi.store import columns as cols
from coordi.store import filters, table
from coordi.store.rows import Rows, locate

_OWN = ("title", "description")
"""Attributes of an item that can be filtered on like fields, unless a field has their name."""

_MOST_CHUNKS = 64


class FieldTable:
    """Field columns aligned with the positions of `Rows`; follows newer versions row by row."""

    def __init__(self) -> None:
        """Read nothing before the first use."""
        self.kinds: dict[str, str] = {}
        """Field → kind, of the version that `at` was last asked for."""
        self._key: tuple[Any, ...] = ()
        self._table: Any = None
        self._own: dict[str, Any] = {}

    def at(self, rows: Rows, dataset: Any) -> Any:
        """Arrow table (len(rows.seqs) rows) of the fields, each in one column of its kind."""
        fields = cols.field_columns(rows.columns)
        key = (rows.generation, tuple((name, *parts) for name, parts in fields.items()))
        start = 0
        if key == self._key and self._table is not None:
            start = self._table.num_rows
        else:
            self._table = None
        if start < len(rows.seqs) or self._table is None:
            self._extend(rows, dataset, fields, start)
            self._own.clear()
        self._key = key
        self.kinds = {name: cols.kind_of(parts) for name, parts in fields.items()}
        return self._table.slice(0, len(rows.seqs))

    def _extend(self, rows: Rows, dataset: Any, fields: dict[str, list[str]], start: int) -> None:
        import pyarrow as pa

        wanted = [name for parts in fields.values() for name in parts]
        found = aligned(rows, dataset, wanted, start)
        arrays = {name: cols.logical_column(found, parts) for name, parts in fields.items()}
        # A column keeps the number of rows where a catalogue has no fields at all.
        added = pa.table(arrays or {"": found["seq"]})
        whole = added if self._table is None else pa.concat_tables([self._table, added])
        many = whole.num_columns and whole.column(0).num_chunks > _MOST_CHUNKS
        self._table = whole.combine_chunks() if many else whole

    def mask(
        self, parsed: filters.Filter, text: str, rows: Rows, dataset: Any
    ) -> NDArray[np.bool_]:
        """Which positions pass a filter."""
        fields = self.at(rows, dataset)
        kinds = {**dict.fromkeys(("id", *_OWN), "text"), **self.kinds}
        filters.check(parsed, text, kinds)

        def column(name: str) -> Any:
            return fields[name] if name in self.kinds else self._attribute(name, rows, dataset)

        found = filters.evaluate(parsed, column)
        return np.asarray(found.to_numpy(), dtype=np.bool_)

    def _attribute(self, name: str, rows: Rows, dataset: Any) -> Any:
        import pyarrow as pa

        count = len(rows.seqs)
        if name not in self._own or len(self._own[name]) < count:
            if name == "id":
                self._own[name] = pa.chunked_array([pa.array(rows.ids[:count], pa.string())])
            else:
                self._own[name] = aligned(rows, dataset, [name], 0)[name]
        return self._own[name].slice(0, count)


def aligned(rows: Rows, dataset: Any, columns: list[str], start: int) -> Any:
    """Columns at positions from `start` on; null where a row is dead and no longer readable."""
    import pyarrow as pa

    last = int(rows.seqs[start - 1]) if start else -1
    found = table.newer_than(dataset, last, columns)
    places = locate(np.asarray(found["seq"].to_numpy(), dtype=np.int64), rows.seqs[start:])
    if len(places) == found.num_rows and (places >= 0).all():
        return found
    return found.take(pa.array(places, mask=places < 0))
