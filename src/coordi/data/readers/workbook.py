"""Excel workbooks (.xlsx): the first sheet that has a header, its cells as they are typed."""

from collections.abc import Collection, Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from coordi.data.readers.delimited import unique_names
from coordi.data.readers.table import Record, Table
from coordi.errors import CatalogError, install_command
from coordi.types import Origin, Problem

_HEADER_ROWS = 20  # in which the header is looked for: titles and blank rows stand above it


def _records(
    path: Path, sheet: str, header: int, columns: tuple[str, ...], _without: Collection[str]
) -> Iterator[Record | Problem]:
    """Stream the rows below the header's number; empty ones are passed over.

    Formulas give the value last computed.
    """
    with closing(_open(path)) as book:
        rows = book[sheet].iter_rows(min_row=header + 1, values_only=True)
        for number, row in enumerate(rows, header + 1):
            cells = [None if _is_error(cell) else cell for cell in row]
            if any(cell is not None for cell in cells):
                yield Record(Origin(str(path), number), dict(zip(columns, cells, strict=False)))


def open_workbook(path: Path) -> Table:
    """Open a workbook. Raises `CatalogError` where it cannot be read or has no header."""
    with closing(_open(path)) as book:
        others = len(book.sheetnames) - 1
        for name in book.sheetnames:
            if (found := _header(book[name])) is not None:
                number, columns = found
                note = f"sheet {name!r} of {path} was read; {others} others were left aside"
                rows = partial(_records, path, name, number, columns)
                return Table(path.parent, rows, columns, notes=(note,) if others else ())
    raise CatalogError(f"{path} has no sheet whose first rows name at least two columns")


def _open(path: Path) -> Any:
    try:
        import openpyxl
    except ImportError:
        raise CatalogError(
            f"{path} is an Excel workbook; install what reads it ({install_command('excel')}), "
            "or save the sheet as CSV"
        ) from None
    try:
        return openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, KeyError, ValueError, OSError, EOFError) as error:
        raise CatalogError(f"{path} cannot be read as an Excel workbook: {error}") from error


def _header(sheet: Any) -> tuple[int, tuple[str, ...]] | None:
    """The first row with two names or more: its number and the names."""
    if not hasattr(sheet, "iter_rows"):  # a sheet that is a chart
        return None
    rows = islice(sheet.iter_rows(values_only=True), _HEADER_ROWS)
    for number, row in enumerate(rows, 1):
        names = ["" if cell is None else str(cell).strip() for cell in row]
        while names and not names[-1]:
            names.pop()
        if sum(map(bool, names)) > 1:
            return number, unique_names(names)
    return None


def _is_error(cell: object) -> bool:
    return isinstance(cell, str) and cell.startswith("#") and cell.rstrip("!?").isupper()
