"""CSV and its relatives: comma, semicolon, tab or bar between values."""

import csv
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from coordi.data.readers.table import Record, Table
from coordi.data.readers.textfile import detect_encoding, is_clean, lines, shown
from coordi.errors import CatalogError
from coordi.types import Origin, Problem

_DELIMITERS = ",;\t|"
_STATED = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_FORMULA = re.compile(r'="(.*)"', re.DOTALL)
_TORN = "a quote is not closed, or stands within a value without being doubled"
_SAMPLE_LINES = 500
_LONGEST_CELL = 16 * 1024 * 1024  # characters; Python's own limit of 131,072 is a description's


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file writes its values."""

    delimiter: str
    skip_blanks: bool = False
    """Blanks stand between a delimiter and the quote that opens a value."""
    backslashes: bool = False
    """A quote within quotes is written \\" instead of twice."""
    skip_lines: int = 0
    """Lines before the header ("sep=;")."""


def _records(
    path: Path, encoding: str, dialect: Dialect, columns: Sequence[str], _without: Collection[str]
) -> Iterator[Record | Problem]:
    """Stream the rows; a row of the wrong width is a `Problem`."""
    rows = _rows(path, encoding, dialect, len(columns))
    next(rows, None)  # the header
    for line, cells in rows:
        origin = Origin(str(path), line)
        if isinstance(cells, str):
            yield Problem(origin, cells)
        else:
            yield Record(origin, dict(zip(columns, cells, strict=True)))


def open_delimited(path: Path, encoding: str | None = None) -> Table:
    """Open a CSV file: encoding, dialect and header are found out, few rows are read."""
    csv.field_size_limit(_LONGEST_CELL)
    encoding, note = detect_encoding(path, encoding)
    written = (line for line in lines(path, encoding) if line.strip())
    first = next(written, None)
    if first is None:
        raise CatalogError(f"{path} is empty; the first line must name the columns")
    stated = _STATED.fullmatch(first.strip())
    skipped = 1 if stated else _lines_before_header(path, encoding)
    first = next(islice((line for line in lines(path, encoding)), skipped, None), first)
    delimiter = stated[1] if stated else _delimiter(first)
    dialect = _dialect(path, encoding, Dialect(delimiter, skip_lines=skipped))
    _, header = next(_rows(path, encoding, dialect, None), (0, "the file ends before it"))
    if isinstance(header, str):
        raise CatalogError(f"{path}: the header line cannot be read: {header}")
    notes = [note] if note else []
    if dialect.backslashes:
        notes.append(f'{path} writes quotes within values as \\"; they were read as quotes')
    names = unique_names([shown(cell) for cell in header])
    rows = partial(_records, path, encoding, dialect, names)
    return Table(path.parent, rows, names, notes=tuple(notes))


def _lines_before_header(path: Path, encoding: str) -> int:
    """Remarks above the header: Meta's begin with "#", Amazon's first two are for itself."""
    start = list(islice(lines(path, encoding), 20))
    if start and start[0].startswith("TemplateType="):
        return 2
    remarks = next((n for n, line in enumerate(start) if not line.startswith(("#", '"#'))), 0)
    named = remarks and _delimiter(start[remarks])
    return remarks if named and start[remarks].count(named) else 0


def _dialect(path: Path, encoding: str, plain: Dialect) -> Dialect:
    """The way of writing that leaves the fewest of the first rows unreadable; plain at a tie."""
    start = list(islice(lines(path, encoding), plain.skip_lines, _SAMPLE_LINES))
    spaced = re.compile(rf'{re.escape(plain.delimiter)} +"')
    ways = [plain]
    if any(map(spaced.search, start)):
        ways.append(replace(plain, skip_blanks=True))
    if any('\\"' in line for line in start):
        ways += [replace(way, backslashes=True) for way in ways]
    if len(ways) == 1:
        return plain
    return min(ways, key=lambda way: _unreadable(start, way))


def _unreadable(start: Sequence[str], dialect: Dialect) -> int:
    """How many rows of a file's start do not fit its header, or have quotes out of place."""
    bad = width = 0
    reader = _reader(start, dialect, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return bad
        except csv.Error:
            bad += 1
            continue
        width = width or len(cells)
        bad += bool(cells) and len(cells) != width


def _reader(
    source: Iterable[str], dialect: Dialect, *, strict: bool = False
) -> Iterator[list[str]]:
    if dialect.backslashes:
        source = map(_doubled, source)  # unlike a generator, it goes on after lines put back
    return csv.reader(
        source,
        delimiter=dialect.delimiter,
        skipinitialspace=dialect.skip_blanks,
        strict=strict,
    )


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


def _doubled(line: str) -> str:
    return line.replace('\\"', '""')


def _rows(
    path: Path, encoding: str, dialect: Dialect, width: int | None
) -> Iterator[tuple[int, list[str] | str]]:
    """Stream (first line number, cells or what is wrong); lines without any text are passed over.

    A quote that is never closed would swallow the rows after it: where a row of several lines
    does not fit the header, or has quotes out of place, only its first line is given up and
    reading goes on at the second.
    """
    source = _Lines(lines(path, encoding))
    for _ in range(dialect.skip_lines):
        next(source, None)
    reader = _reader(source, dialect)
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
        if not isinstance(cells, str) and _is_torn(source.taken, dialect):
            cells = _TORN
        if isinstance(cells, str) and len(source.taken) > 1:
            source.put_back_all_but_first()
        yield line, cells


def _is_torn(taken: list[str], dialect: Dialect) -> bool:
    """Whether a row that fits the header does so only because a quote was never closed."""
    if len(taken) == 1 and taken[0].endswith(("\n", "\r")):
        return False
    try:
        read = list(_reader(taken, dialect, strict=True))
    except csv.Error as error:
        return len(taken) > 1 or "unexpected end" in str(error)
    return len(read) != 1


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
        return "holds bytes that are no text, unlike the rest of the file; save it as UTF-8"
    # Spreadsheets keep the zeros of a code by writing it as a formula.
    return [_FORMULA.sub(r"\1", cell) if cell.startswith('="') else cell for cell in cells]
