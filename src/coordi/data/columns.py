"""What the columns of a catalogue hold, found out in one pass over its rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from coordi.data.dates import ORDERS, like_date, orders_of
from coordi.data.fieldtypes import Kind, is_blank, kind_of, plain, widen
from coordi.data.readers.table import Table
from coordi.types import FieldValue, Origin, Problem

SAMPLE = 200
"""Filled cells of a column that are kept, to judge what it holds."""

_NAMED = 3  # cells that are named where they alone make a column text
_FEW = 0.1  # share of a column's cells that may be named so


@dataclass(slots=True)
class Column:
    """One column: its type, how many of its cells are filled, and the first of those."""

    kind: Kind | None = None
    filled: int = 0
    sample: list[object] = field(default_factory=list)
    orders: frozenset[str] = frozenset(ORDERS)
    """Orders of year, month and day in which all of its dates exist."""
    blanks: int = 0
    """Cells that say that there is no value."""
    words: int = 0
    """Cells that are neither numbers nor yes and no, nor dates."""
    odd: list[tuple[Origin, str]] = field(default_factory=list)
    """The first of those."""

    def see(self, value: object, origin: Origin | None = None) -> None:
        """Take in one cell."""
        if value is None or value == "":
            return
        if self.kind == "text" and len(self.sample) == SAMPLE and self.words > _FEW * self.filled:
            self.filled += 1
            self.words += 1
            return
        scalar = plain(value)
        if scalar is None and not isinstance(value, dict | list | bytes):
            return
        self.filled += 1
        if len(self.sample) < SAMPLE:
            self.sample.append(value)
        if is_blank(scalar):
            self.blanks += 1
            return
        found = self._kind(scalar)
        if found == "text":
            self.words += 1
            if origin is not None and len(self.odd) < _NAMED:
                self.odd.append((origin, str(scalar)))
        self.kind = widen(self.kind, found)

    def _kind(self, scalar: FieldValue) -> Kind | None:
        found = kind_of(scalar)
        if found != "text" or not isinstance(scalar, str) or not like_date(scalar):
            return found
        self.orders &= orders_of(scalar)
        return "date" if self.orders else "text"

    def settle(self) -> None:
        """Decide what could not be while cells were still to come."""
        if self.kind is None and self.blanks:
            self.kind = "text"
        if self.kind == "date" and len(self.orders) != 1:
            self.kind = "text"


def read_columns(tables: Sequence[Table]) -> tuple[Mapping[str, Column], int]:
    """Read all rows without their pictures → (name → column, number of rows)."""
    columns = {name: Column() for table in tables for name in table.columns}
    count = 0
    for table in tables:
        for record in table.records(table.pictures):
            if isinstance(record, Problem):
                count += record.rows
                continue
            count += 1
            for name, value in record.values.items():
                column = columns.get(name)
                if column is None:
                    column = columns[name] = Column()
                column.see(value, record.origin)
    for column in columns.values():
        column.settle()
    return columns, count


def remarks_on(name: str, column: Column) -> Iterator[str]:
    """What the user should know of how a column that becomes a field was read."""
    rest = column.filled - column.words - column.blanks
    if column.kind == "text" and 0 < column.words <= _FEW * column.filled and rest:
        cells = ", ".join(f"{cell[:30]!r} ({origin})" for origin, cell in column.odd)
        more = column.words - len(column.odd)
        yield (
            f"column {name} is text because of {cells}{f' and {more:,} more' if more else ''}; "
            f"its {rest:,} other values are numbers, dates or yes and no"
        )
    elif column.kind == "text" and len(column.orders) > 1 and rest and not column.words:
        if like_date(str(column.sample[0]).strip()):
            yield (
                f"column {name} stays text: day and month of its dates cannot be told apart "
                f"({str(column.sample[0])[:20]}); write them as 2026-12-31"
            )
    elif column.kind != "text" and column.blanks:
        yield f"column {name}: {column.blanks:,} cells such as N/A were taken as empty"
    elif column.kind == "date" and column.orders != {"ymd"}:
        written = {"dmy": "day, month, year", "mdy": "month, day, year"}[min(column.orders)]
        yield f"column {name} was read as dates written {written}; they are stored as 2026-12-31"
