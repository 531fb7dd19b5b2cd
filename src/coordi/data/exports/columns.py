"""Cells of an export's row by the bare names of their columns."""

from collections.abc import Callable, Collection, Iterable

from coordi.data.fieldtypes import plain, text
from coordi.data.readers.table import Record
from coordi.data.rolenames import bare


class Row:
    """A record whose columns are found whatever their case, blanks and punctuation."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.cells: dict[str, object] = {}
        for name, value in record.values.items():
            self.cells.setdefault(bare(name), value)

    def get(self, *names: str) -> object:
        """The first filled cell of columns; None where all are empty."""
        cells = (self.cells.get(name) for name in names)
        return next((cell for cell in cells if cell is not None and cell != ""), None)

    def text(self, *names: str) -> str:
        """The same as text; "" where all are empty."""
        return text(plain(self.get(*names))).strip()

    def number(self, name: str) -> float:
        """A cell as a number; those that are none come last."""
        try:
            return float(self.text(name))
        except ValueError:
            return float("inf")


def told_by(signs: str) -> Callable[[frozenset[str]], bool]:
    """Whether bare column names are those of an export: all signs, of those between bars one."""
    groups = [set(sign.split("|")) for sign in signs.split()]
    return lambda columns: all(columns & group for group in groups)


def grouped(records: Iterable[Record], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    """Rows by their key, wherever they stand; a row without one is a group of its own."""
    groups: dict[str, list[Row]] = {}
    for number, row in enumerate(map(Row, records), 1):
        groups.setdefault(key(row) or f"row-{number}", []).append(row)
    return groups


def rest(row: Row, dropped: Collection[str]) -> dict[str, object]:
    """Cells of all columns but some, under their own names."""
    return {name: value for name, value in row.record.values.items() if bare(name) not in dropped}


def split(cell: object, signs: str = ",") -> list[str]:
    """Entries of a cell that lists several."""
    entries = [text(plain(cell)).strip()]
    for sign in signs:
        entries = [part for entry in entries for part in entry.split(sign)]
    return [entry.strip() for entry in entries if entry.strip()]
