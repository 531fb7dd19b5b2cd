"""`coordi stats`: what a store holds, and the fields that can be filtered on."""

import dataclasses
from typing import TYPE_CHECKING, Any

from coordi.cli.options import DebugOption, JsonOption, StoreOption, store_folder
from coordi.cli.output import Output, printable, reporting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coordi.types import Facet

SHOWN_VALUES = 6


def stats(
    store: StoreOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Say how many items a store holds, under which encoders, and which fields they have."""
    with reporting(as_json, debug) as out:
        folder = store_folder(store)
        from coordi.engine import Engine

        with Engine.open(folder) as engine:
            figures, facets = engine.stats(), engine.facets()
        document: dict[str, Any] = dataclasses.asdict(figures)
        fields = [dataclasses.asdict(facet) for facet in facets]
        out.json({"store": str(folder), **document, "fields": fields})
        out.text(f"{folder}: {figures.items:,} items, {figures.bytes / 1e6:,.1f} MB on disk")
        for entry in figures.encoders:
            count = figures.vectors[entry.fingerprint]
            out.text(f"  {entry.name} ({entry.fingerprint}, {entry.dim}): {count:,} vectors")
        _show_fields(out, facets)


def _show_fields(out: Output, facets: "Sequence[Facet]") -> None:
    if not facets or out.as_json:
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("field", "type", "distinct", "values", box=None)
    for facet in facets:
        cells = (facet.name, facet.kind, f"{facet.distinct:,}", _values(facet))
        table.add_row(*(Text(printable(cell)) for cell in cells))
    out.console.print(table)


def _values(facet: "Facet") -> str:
    if facet.minimum is not None and facet.maximum is not None:
        return f"{facet.minimum:g} to {facet.maximum:g}"
    shown = [f"{value} ({count:,})" for value, count in facet.values[:SHOWN_VALUES]]
    return ", ".join(shown) + (" ..." if facet.distinct > SHOWN_VALUES else "")
