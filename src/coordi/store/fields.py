"""The catalogue's fields in memory, one Arrow column each, for filters and facets."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from coordi.errors import QueryError
from coordi.store import columns as cols
from coordi.store import facets, filters, table
from coordi.store.keys import Keys, keys_of
from coordi.store.rows import Rows, locate
from coordi.types import Facet

OWN = ("title", "description")
"""Attributes of an item that can be filtered on like fields, unless a field has their name."""

_MOST_CHUNKS = 64
_CACHED_MASKS = 64


@dataclass(frozen=True, slots=True)
class FieldTable:
    """The fields of one version's rows; it never changes."""

    rows: Rows
    kinds: Mapping[str, str]
    """Field → kind."""
    table: Any
    """Arrow table of len(rows.seqs) rows, each field in one column of its kind. A row that is
    dead and no longer readable is null."""


def load(rows: Rows, dataset: Any, earlier: FieldTable | None = None) -> FieldTable:
    """Read the fields of all rows; those that an earlier version's table has are taken over."""
    fields = cols.field_columns(rows.columns)
    kinds = {name: cols.kind_of(parts) for name, parts in fields.items()}
    known = earlier.table if earlier is not None and _continues(earlier, rows, fields) else None
    start = 0 if known is None else known.num_rows
    if known is not None and start == len(rows.seqs):
        return FieldTable(rows, kinds, known)
    wanted = [name for parts in fields.values() for name in parts]
    found = aligned(rows, dataset, wanted, start)
    arrays = {name: cols.logical_column(found, parts) for name, parts in fields.items()}
    # A column keeps the number of rows where a catalogue has no fields at all.
    added = pa.table(arrays or {"": found["seq"]})
    whole = added if known is None else pa.concat_tables([known, added])
    many = whole.num_columns and whole.column(0).num_chunks > _MOST_CHUNKS
    return FieldTable(rows, kinds, whole.combine_chunks() if many else whole)


def _continues(earlier: FieldTable, rows: Rows, fields: Mapping[str, list[str]]) -> bool:
    """Whether the earlier table's rows are the first of these, in the same columns."""
    return (
        earlier.rows.generation == rows.generation
        and earlier.rows.ids is rows.ids
        and len(earlier.rows.seqs) <= len(rows.seqs)
        and cols.field_columns(earlier.rows.columns) == fields
    )


def aligned(rows: Rows, dataset: Any, columns: list[str], start: int) -> Any:
    """Columns at positions from `start` on; null where a row is dead and no longer readable."""
    last = int(rows.seqs[start - 1]) if start else -1
    found = table.newer_than(dataset, last, columns)
    places = locate(np.asarray(found["seq"].to_numpy(), dtype=np.int64), rows.seqs[start:])
    if len(places) == found.num_rows and (places >= 0).all():
        return found
    return found.take(pa.array(places, mask=places < 0))


class Filters:
    """Which rows of one version pass a filter. Safe to use from several threads."""

    def __init__(self, rows: Rows, dataset: Any, earlier: FieldTable | None) -> None:
        """Read nothing before the first use; `earlier` is a version's table to go on from."""
        self._rows, self._dataset, self._earlier = rows, dataset, earlier
        self._own: dict[str, Any] = {}
        self._masks: OrderedDict[str, NDArray[np.bool_]] = OrderedDict()
        self._keys: dict[str, Keys] = {}
        self._lock = threading.RLock()
        self._found: FieldTable | None = None

    @property
    def known(self) -> FieldTable | None:
        """What the next version may go on from."""
        return self._found or self._earlier

    @property
    def fields(self) -> FieldTable:
        """The fields, read at first use."""
        with self._lock:
            if self._found is None:
                self._found = load(self._rows, self._dataset, self._earlier)
                self._earlier = None
            return self._found

    def mask(self, where: str) -> NDArray[np.bool_]:
        """Which positions are alive and pass; `FilterError` where the filter does not fit."""
        with self._lock:
            found = self._masks.get(where)
            if found is None:
                found = self._passing(self._parsed(where)) & self._rows.alive
                self._masks[where] = found
                if len(self._masks) > _CACHED_MASKS:
                    self._masks.popitem(last=False)
            return found

    def keys(self, name: str) -> Keys:
        """The values of a field at all positions; `QueryError` where no item has such a field."""
        with self._lock:
            if name not in self._keys:
                kinds = self._kinds()
                if name not in kinds:
                    raise QueryError(filters.unknown(name, kinds))
                self._keys[name] = keys_of(self._column(name))
            return self._keys[name]

    def facets(self, wanted: facets.Wanted, within: NDArray[np.bool_] | None) -> list[Facet]:
        """The fields of the items that pass `wanted.where` and stand in `within`, by position.

        A field's values are counted without the conditions on that field alone, so that a second
        value can be chosen. Raises `QueryError` for a field that is not there.
        """
        with self._lock:
            kinds = self.fields.kinds
            if wanted.field is not None and wanted.field not in kinds:
                raise QueryError(filters.unknown(wanted.field, kinds))
            names = sorted(kinds) if wanted.field is None else [wanted.field]
            everything = self._rows.alive if within is None else self._rows.alive & within
            parts = self._parts(wanted.where)
            return [
                facets.of(name, kinds[name], self.keys(name), _without(parts, name, everything),
                          wanted)
                for name in names
            ]  # fmt: skip

    def _parts(self, where: str | None) -> list[tuple[frozenset[str], NDArray[np.bool_]]]:
        """What must all hold: the fields that each part names, and which positions pass it."""
        if where is None:
            return []
        parts = filters.conjuncts(self._parsed(where))
        named = (frozenset(one.field for one in filters.conditions(part)) for part in parts)
        return [(n, self._passing(part)) for n, part in zip(named, parts, strict=True)]

    def _parsed(self, where: str) -> filters.Filter:
        parsed = filters.parse(where)
        filters.check(parsed, where, self._kinds(), self._values)
        return parsed

    def _values(self, name: str) -> Sequence[Any]:
        """A field's values; none of `id`, `title` and `description`, which are meant as text."""
        return self.keys(name).values if name in self.fields.kinds else ()

    def _passing(self, parsed: filters.Filter) -> NDArray[np.bool_]:
        found = filters.evaluate(parsed, self._column)
        return np.asarray(found.to_numpy(), dtype=np.bool_)

    def _kinds(self) -> dict[str, str]:
        return {**dict.fromkeys(("id", *OWN), "text"), **self.fields.kinds}

    def _column(self, name: str) -> Any:
        fields = self.fields
        return fields.table[name] if name in fields.kinds else self._attribute(name)

    def _attribute(self, name: str) -> Any:
        """One of the items' own columns, read at first use."""
        if name not in self._own and name == "id":
            ids = self._rows.ids[: len(self._rows.seqs)]
            self._own[name] = pa.chunked_array([pa.array(ids, pa.string())])
        elif name not in self._own:
            self._own[name] = aligned(self._rows, self._dataset, [name], 0)[name]
        return self._own[name]


def _without(
    parts: list[tuple[frozenset[str], NDArray[np.bool_]]], name: str, rows: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which of `rows` pass all parts but those about the field `name` alone."""
    for named, mask in parts:
        if named != {name}:
            rows = rows & mask
    return rows
