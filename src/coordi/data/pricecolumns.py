"""Which columns of a catalogue are prices, and how each is written."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from coordi.data.columns import Column
from coordi.data.fieldtypes import Kind
from coordi.data.prices import PriceNotation, find_notation, is_in_doubt
from coordi.data.readers.table import Table
from coordi.data.rolenames import CURRENCY_NAMES, USUAL_NAMES, bare
from coordi.types import FieldValue, Problem

CURRENCY = "currency"
"""Field that holds the currency of prices, stated in their cells or in a column of its own."""


def read_prices(
    tables: Sequence[Table], columns: Mapping[str, Column], roles: Mapping[str, str]
) -> tuple[dict[str, PriceNotation], list[str]]:
    """Find out how columns of prices that are no plain numbers are written, from all rows."""
    main = roles.get("price")
    usual = {bare(name) for name in USUAL_NAMES["price"]}
    free = [c for c in columns if c not in roles.values() and bare(c) in usual]
    asked = [c for c in ([main] if main else []) + free if _needs_notation(columns[c])]
    found: dict[str, PriceNotation] = {}
    said: list[str] = []
    for column, cells in _cells(tables, asked).items():
        notation = find_notation(cells)
        if (
            notation.count
            and notation.count >= notation.unread
            and (column == main or not notation.unread)
        ):
            found[column] = notation
            said += _price_notes(column, notation)
        elif column == main:
            example = next(iter(cells), "")
            said.append(
                f"column {column} holds no prices that can be read ({example[:40]!r}); it stays "
                "text, and price < 50 would compare letters"
            )
    return found, said


def _needs_notation(column: Column) -> bool:
    return column.kind == "text" or (column.kind == "number" and is_in_doubt(column.sample))


def _cells(tables: Sequence[Table], asked: Sequence[str]) -> dict[str, Counter[str]]:
    """How often each text stands in some columns, in a pass over the rows of their own."""
    cells: dict[str, Counter[str]] = {name: Counter() for name in asked}
    for table in tables if asked else ():
        for record in table.records(frozenset({*table.columns, *table.pictures}) - set(asked)):
            if isinstance(record, Problem):
                continue
            for name in asked:
                value = record.values.get(name)
                if isinstance(value, str) and value.strip():
                    cells[name][value.strip()] += 1
    return cells


def _price_notes(column: str, notation: PriceNotation) -> Iterator[str]:
    mark = {".": "a point", ",": "a comma"}[notation.mark]
    counts = ", ".join(f"{code} {count:,}" for code, count in notation.currencies.items())
    stated = f", currency {counts}" if counts else ""
    yield f"column {column} was read as numbers with {mark} before the decimals{stated}"
    if len(notation.currencies) > 1:
        yield f"column {column} has several currencies: filter by currency too"
    yield from (f"column {column}: {note}" for note in notation.notes)


def add_prices(
    fields: dict[str, str],
    types: dict[str, Kind],
    prices: Mapping[str, PriceNotation],
    columns: Mapping[str, Column],
    roles: Mapping[str, str],
) -> list[str]:
    """Make price columns numbers, and the main one's currency a field where there is none.

    What was renamed is returned as notes.
    """
    for name, column in fields.items():
        if column in prices:
            types[name] = "number"
    main = roles.get("price", "")
    stated = main in prices and prices[main].currencies
    if CURRENCY in fields and columns[fields[CURRENCY]].filled:
        return []
    named = [n for n, c in fields.items() if bare(c) in CURRENCY_NAMES and columns[c].filled]
    if named and not stated:
        fields[CURRENCY], types[CURRENCY] = fields.pop(named[0]), types.pop(named[0])
        return [f"column {fields[CURRENCY]} is the field {CURRENCY}"]
    if stated:
        fields[CURRENCY], types[CURRENCY] = main, "text"
    return []


def price_of(value: FieldValue, notation: PriceNotation) -> tuple[float | None, str | None]:
    """Amount and currency of a plain value of a price column."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value), None
    read = notation.read(value) if isinstance(value, str) else None
    return (None, None) if read is None else (read[0], read[1] or None)
