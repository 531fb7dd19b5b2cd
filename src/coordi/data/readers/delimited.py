"""CSV and its relatives: comma, semicolon, tab or bar between values."""

import csv
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coordi.data.readers.table import Record
from coordi.data.readers.textfile import detect_encoding, is_clean, lines
from coordi.errors import CatalogError
from coordi.types import Origin, Problem

_DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class DelimitedTable:
    """A text file with a header line."""

    path: Path
    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()
    pictures: tuple[str, ...] = field(default=(), init=False)

    @property
    def folder(self) -> Path:
        """Where the file lies."""
        return self.path.parent

    def records(self, without: Collection[str] = ()) -> Iterator[Record | Problem]:  # noqa: ARG002
        """Stream the rows; a row of the wrong width is a `Problem`."""
        rows = _rows(self.path, self.encoding, self.delimiter, len(self.columns))
        next(rows, None)  # the header
        for line, cells in rows:
            origin = Origin(str(self.path), line)
            if isinstance(cells, str):
                yield Problem(origin, cells)
            else:
                yield Record(origin, dict(zip(self.columns, cells, strict=True)))


def open_delimited(path: Path) -> DelimitedTable:
    """Open a CSV file: encoding, delimiter and header are found out, rows are not read."""
    encoding, note = detect_encoding(path)
    first = next((line for line in lines(path, encoding) if line.strip()), None)
    if first is None:
        raise CatalogError(f"{path} is empty; the first line must name the columns")
    delimiter = _delimiter(first)
    _, header = next(_rows(path, encoding, delimiter, None))
    if isinstance(header, str):
        raise CatalogError(f"{path}: the header line cannot be read: {header}")
    notes = () if note is None else (note,)
    return DelimitedTable(path, encoding, delimiter, unique_names(header), notes)


def unique_names(header: Sequence[str]) -> tuple[str, ...]:
    """Give every column a name of its own: empty and repeated ones get their position."""
    names: list[str] = []
    for position, cell in enumerate(header, 1):
        name = cell.strip() or f"column_{position}"
        while name in names:
            name = f"{name}_{position}"
        names.append(name)
    return tuple(names)


def _delimiter(header: str) -> str:
    """The likeliest delimiter: the most frequent one outside quotes, comma where none is."""
    bare = "".join(header.split('"')[::2])
    return max(_DELIMITERS, key=bare.count)


class _Lines:
    """Physical lines, with the ones that the current row took, so that they can be put back."""

    def __init__(self, source: Iterator[str]) -> None:
        self._source = source
        self._back: deque[str] = deque()
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else next(self._source)
        self.number += 1
        self.taken.append(line)
        return line

    def put_back_all_but_first(self) -> None:
        self.number -= len(self.taken) - 1
        self._back.extendleft(reversed(self.taken[1:]))


def _rows(
    path: Path, encoding: str, delimiter: str, width: int | None
) -> Iterator[tuple[int, list[str] | str]]:
    """Stream (first line number, cells or what is wrong); lines without any text are passed over.

    A quote that is never closed would swallow the rows after it: where a row of several lines
    does not fit the header, only its first line is given up and reading goes on at the second.
    """
    source = _Lines(lines(path, encoding))
    reader = csv.reader(source, delimiter=delimiter)
    while True:
        source.taken.clear()
        line = source.number + 1
        cells: list[str] | str
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = f"not readable as CSV ({error}); is a quote not closed?"
        if not cells:
            continue
        if width is not None and not isinstance(cells, str):
            cells = _checked(cells, width, len(source.taken))
        if isinstance(cells, str) and len(source.taken) > 1:
            source.put_back_all_but_first()
        yield line, cells


def _checked(cells: list[str], width: int, taken: int) -> list[str] | str:
    if not any(cells[width:]):
        cells = cells[:width]  # spreadsheets leave delimiters behind the last value
    if len(cells) != width:
        hint = (
            "is a quote not closed?"
            if taken > 1
            else "put values that hold the delimiter in quotes"
            if len(cells) > width
            else "is the line cut off, or a quote not closed?"
        )
        return f"{len(cells)} values where the header has {width} columns; {hint}"
    if not all(map(is_clean, cells)):
        return "holds bytes that are not UTF-8, unlike the rest of the file; save it as UTF-8"
    return cells
