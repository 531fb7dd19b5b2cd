"""`coordi stats`: what a store holds, and the fields that can be filtered on."""

import dataclasses
from typing import TYPE_CHECKING, Any

from coordi.cli.options import DebugOption, JsonOption, StoreOption, open_engine, store_folder
from coordi.cli.output import reporting

if TYPE_CHECKING:
    from coordi.store import EncoderColumn, Stats
    from coordi.types import Facet

SHOWN_VALUES = 6


def stats(
    store: StoreOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Say how many items a store holds, under which encoders, and which fields they have."""
    with reporting(as_json, debug) as out:
        folder = store_folder(store)
        with open_engine(store) as engine:
            figures, facets = engine.stats(), engine.facets()
        document: dict[str, Any] = dataclasses.asdict(figures)
        fields = [dataclasses.asdict(facet) for facet in facets]
        out.json({"store": str(folder), **document, "fields": fields})
        size = f"{figures.bytes / 1e6:,.1f} MB on disk"
        out.text(f"{folder}: {figures.items:,} items, {size}, commit {figures.token}")
        for entry in figures.encoders:
            out.text(_encoder(entry, figures))
        for root in figures.roots:
            out.text(f"  pictures below {root}")
        rows = ((f.name, f.kind, f"{f.distinct:,}", _values(f)) for f in facets)
        out.table(("field", "type", "distinct", "values"), rows)


def _encoder(entry: "EncoderColumn", figures: "Stats") -> str:
    """An encoder's line: how far its column is, and whether searches use it."""
    count = figures.vectors[entry.fingerprint]
    lacking = f", {figures.items - count:,} items have none" if count < figures.items else ""
    used = "; searches use it" if entry.fingerprint == figures.encoder else ""
    views = ", all pictures of an item" if entry.views == "all" else ""
    of = f"  {entry.name} ({entry.fingerprint}, {entry.dim}{views})"
    return f"{of}: {count:,} vectors{lacking}{used}"


def _values(facet: "Facet") -> str:
    if facet.minimum is not None and facet.maximum is not None:
        return f"{facet.minimum:g} to {facet.maximum:g}"
    shown = [f"{value} ({count:,})" for value, count in facet.values[:SHOWN_VALUES]]
    return ", ".join(shown) + (" ..." if facet.distinct > SHOWN_VALUES else "")
