"""Prices in a query's words → a filter over the catalogue's own."""

from collections.abc import Iterable
from dataclasses import replace

from coordi.errors import FilterError, QueryError
from coordi.types import Chip, Index, Price, Query, Snapshot


def priced(
    query: Query, chips: Iterable[Chip], store: Snapshot, index: Index
) -> tuple[Query, tuple[str, ...]]:
    """The query with the prices that its words state in its filter, and what could not be kept.

    Bounds are inclusive and about the field `price`; a currency counts where items state theirs.
    """
    notes = []
    for chip in chips:
        if chip.price is None:
            continue
        where = _filter(chip.price, store)
        if query.where:
            where = f"({query.where}) and {where}"
        try:
            index.allowed(where)
        except FilterError:
            notes.append(f"No item states its price as a number: “{chip.text}” is not kept.")
        else:
            query = replace(query, where=where)
    return query, tuple(notes)


def _filter(price: Price, store: Snapshot) -> str:
    bounds = [
        f"price {sign} {bound:.10g}"
        for sign, bound in ((">=", price.low), ("<=", price.high))
        if bound is not None
    ]
    if price.currency and _states(store, "currency"):
        bounds.append(f"currency = '{price.currency}'")
    return " and ".join(bounds)


def _states(store: Snapshot, field: str) -> bool:
    try:
        store.keys(field)
    except QueryError:
        return False
    return True
