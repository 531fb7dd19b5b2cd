"""JSON: one object per line, or one document that holds a list of objects."""

import json
import re
from collections.abc import Collection, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from coordi.data.readers.table import Record, Table
from coordi.data.readers.textfile import detect_encoding, is_clean, lines
from coordi.errors import CatalogError
from coordi.types import Origin, Problem

MAX_DOCUMENT = 1024 * 1024 * 1024
"""Bytes up to which a JSON document, which must be held whole, is read."""

_LIST_START = re.compile(r'\s*(?:\{\s*"(?:[^"\\]|\\.)*"\s*:\s*)?\[\s*(?=[{\]])')
_BLANK = re.compile(r"[\s,]*")


def _records_of_lines(
    path: Path, encoding: str, _without: Collection[str]
) -> Iterator[Record | Problem]:
    """Stream the objects; a line that is none is a `Problem`, an empty line is nothing."""
    for number, line in enumerate(lines(path, encoding), 1):
        if not line.strip():
            continue
        origin = Origin(str(path), number)
        value = _parse(line)
        yield Problem(origin, value) if isinstance(value, str) else Record(origin, value)


def _records_of_list(
    path: Path, encoding: str, _without: Collection[str]
) -> Iterator[Record | Problem]:
    """Stream the objects of a list, which the document is or holds under its first key, with the
    lines they start in; what follows damage is not read.
    """
    text = "".join(lines(path, encoding))
    start = _LIST_START.match(text)
    at = start.end() if start else 0
    line, counted = 1, 0
    decoder = json.JSONDecoder()
    while at < len(text) and text[at] != "]":
        line += text.count("\n", counted, at)
        counted, origin = at, Origin(str(path), line)
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            yield Problem(origin, f"not valid JSON ({error}); nothing behind it was read")
            return
        checked = _checked(value, text[counted:at])
        yield Problem(origin, checked) if isinstance(checked, str) else Record(origin, checked)
        at = _after(text, at)
    if at >= len(text):
        # How many objects stood behind nobody knows: at least one row is unread.
        reason = "the list has no end: the file is cut off here; fetch it again"
        yield Problem(Origin(str(path), line), reason)


def _after(text: str, at: int) -> int:
    """Where the next object of a list, or its end, stands."""
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at


def open_jsonlines(path: Path, encoding: str | None = None) -> Table:
    """Open a file of one JSON object per line, or a document that lists objects."""
    encoding, note = detect_encoding(path, encoding)
    notes = () if note is None else (note,)
    start = "".join(islice((line for line in lines(path, encoding) if line.strip()), 4))
    if not start:
        raise CatalogError(f"{path} is empty; it should hold one JSON object per line")
    if _LIST_START.match(start) and not _is_line(start):
        if path.stat().st_size > MAX_DOCUMENT:
            raise CatalogError(
                f"{path} is one JSON document above {MAX_DOCUMENT >> 30} GiB; write one object "
                f"per line: jq -c '.[]' {path} > {path.with_suffix('.jsonl')}"
            )
        return Table(path.parent, partial(_records_of_list, path, encoding), notes=notes)
    return Table(path.parent, partial(_records_of_lines, path, encoding), notes=notes)


def _is_line(start: str) -> bool:
    """Whether a file's first line is an object that does not end the file: one of many."""
    first, _, rest = start.lstrip().partition("\n")
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and (bool(rest.strip()) or not _one_list(value))


def _one_list(value: dict[str, object]) -> bool:
    """Whether an object is a wrapping around a list of objects, as {"products": […]} is."""
    first = next(iter(value.values()))
    return len(value) == 1 and isinstance(first, list) and all(isinstance(v, dict) for v in first)


def _parse(line: str) -> dict[str, object] | str:
    """The object of a line, or what is wrong with it."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        if not is_clean(line):
            return "holds bytes that are not UTF-8; save the file as UTF-8"
        return f"not valid JSON ({error}); each line must be one complete object"
    return _checked(value, line)


def _checked(value: object, source: str) -> dict[str, object] | str:
    """A parsed object, or why it cannot be one."""
    if not is_clean(source):
        return "holds bytes that are not UTF-8; save the file as UTF-8"
    if not isinstance(value, dict):
        return f'a JSON {type(value).__name__} where an object is needed, such as {{"id": …}}'
    if "\\ud" in source.lower() and not _is_utf8(value):
        return "holds half of a surrogate pair (\\ud800 to \\udfff); write the whole character"
    return value


def _is_utf8(value: dict[str, object]) -> bool:
    """Whether parsed text can be stored: JSON escapes may spell what is no character."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
