"""What the columns of a catalogue hold, found out in one pass over its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from coordi.data.fieldtypes import Kind, kind_of, plain, widen
from coordi.data.readers.table import Table
from coordi.types import Problem

SAMPLE = 200
"""Filled cells of a column that are kept, to judge what it holds."""


@dataclass(slots=True)
class Column:
    """One column: its type, how many of its cells are filled, and the first of those."""

    kind: Kind | None = None
    filled: int = 0
    sample: list[object] = field(default_factory=list)

    def see(self, value: object) -> None:
        """Take in one cell."""
        if value is None or value == "":
            return
        if self.kind == "text" and len(self.sample) == SAMPLE:
            self.filled += 1
            return
        scalar = plain(value)
        if scalar is None and not isinstance(value, dict | list | bytes):
            return
        self.filled += 1
        if len(self.sample) < SAMPLE:
            self.sample.append(value)
        if self.kind != "text":
            self.kind = widen(self.kind, kind_of(scalar))


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
                column.see(value)
    return columns, count
