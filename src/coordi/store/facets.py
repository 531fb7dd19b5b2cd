"""Facets: what a page needs to offer a field for filtering."""

from collections.abc import Mapping
from typing import Any

from coordi.types import Facet

_MOST_VALUES = 50


def of(table: Any, kinds: Mapping[str, str]) -> list[Facet]:
    """Facets of the fields of an Arrow table, by name."""
    return [_facet(name, kinds[name], table[name]) for name in sorted(kinds)]


def _facet(name: str, kind: str, column: Any) -> Facet:
    import pyarrow.compute as pc

    distinct = pc.count_distinct(column, mode="only_valid").as_py()
    if kind in ("text", "boolean"):
        return Facet(name, kind, _values(column), distinct)
    ends = pc.min_max(column).as_py()
    return Facet(name, kind, (), distinct, ends["min"], ends["max"])


def _values(column: Any) -> tuple[tuple[str, int], ...]:
    """Values and counts, most frequent first, then by name."""
    import pyarrow.compute as pc

    counts = pc.value_counts(column.drop_null()).to_pylist()
    pairs = [(_shown(entry["values"]), entry["counts"]) for entry in counts]
    return tuple(sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:_MOST_VALUES])


def _shown(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()
