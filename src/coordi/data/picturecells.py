"""What the picture cell of a row lists: names, addresses, embedded bytes, one or several."""

import ast
import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

Entry = str | bytes
"""One picture as a cell states it: a path or an address, or the picture's own bytes."""

_RARELY_READ = frozenset((".heic", ".heif", ".svg", ".psd", ".jxl", ".dng", ".cr2", ".nef", ".arw"))
PICTURE_SUFFIXES = _RARELY_READ | {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".gif", ".bmp"),
    *(".tif", ".tiff", ".jp2", ".ppm", ".pgm", ".mpo"),
}
"""Suffixes of pictures, also of those that no decoder here reads: they are reported by name."""

_PICTURE = re.compile(
    rf"(?:{'|'.join(map(re.escape, sorted(PICTURE_SUFFIXES, reverse=True)))})(?=$|[?#])",
    re.IGNORECASE,
)
_BYTES_KEYS = ("bytes", "data")
_PATH_KEYS = ("path", "src", "url", "file", "file_name", "filename", "href", "link", "image")
_NESTED_KEYS = ("images", "media", "original", "full", "large")

_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]+:)?//", re.IGNORECASE)
_BEFORE_ADDRESS = re.compile(r"[\s,;|]+(?=(?:[a-z][a-z0-9+.-]+:)?//)", re.IGNORECASE)
_HARD_BREAK = re.compile(r"\s*[,;|\n]\s*")
_MARKS = " \t\r\n,;|"
_BREAK = re.compile(r"(\s*[,;|]\s*|\s+)")
_DATA = re.compile(r"data:image/[\w.+-]+;base64,", re.IGNORECASE)
_LONGEST = 1_000_000  # characters of a cell that is looked at as a list


def entries(cell: object) -> tuple[Entry, ...]:
    """List the pictures that a cell of any reader states, in its order, each once.

    Texts may hold one name or several between commas, semicolons, bars or blanks, or a list as
    JSON or Python writes it; lists and objects ({"src": …}, {"bytes": …}) may nest.
    """
    listed = tuple(_entries(cell))
    return listed if len(listed) < 2 else tuple(dict.fromkeys(listed))  # bytes are slow to hash


def _entries(cell: object, depth: int = 4) -> Iterator[Entry]:
    match cell:
        case str():
            yield from _in_text(cell.strip(), depth)
        case bytes():
            if cell:
                yield cell
        case list() | tuple() if depth:
            for part in cell:
                yield from _entries(part, depth - 1)
        case Mapping() if depth:
            yield from _in_object(cell, depth)


def _in_object(cell: Mapping[str, object], depth: int) -> Iterator[Entry]:
    for key in (*_BYTES_KEYS, *_PATH_KEYS, *_NESTED_KEYS):
        value = cell.get(key)
        if key in _PATH_KEYS and isinstance(value, str) and value.strip():
            yield value.strip()  # a name of its own, however many commas it has
            return
        if value and not isinstance(value, str):
            yield from _entries(value, depth - 1)
            return
    for value in cell.values():  # under names of its own: {"image-group": [{"image": …}]}
        if isinstance(value, Mapping | list | tuple):
            yield from _entries(value, depth - 1)


def _in_text(text: str, depth: int) -> Iterator[Entry]:
    inner = _written(text) if depth and text[:1] in ("[", "{") else None
    if inner is not None:
        yield from _entries(inner, depth - 1)
    elif _DATA.match(text) or len(text) > _LONGEST:
        yield _decoded(text)
    else:
        yield from map(_decoded, split_names(text))


def _written(text: str) -> object | None:
    """The list or object that a text spells as JSON or Python; None where it spells neither."""
    if len(text) > _LONGEST or text[-1] not in "]}":
        return None
    # Python's own parser warns about odd backslashes, which lists of names do not need.
    for parse in (json.loads,) if "\\" in text else (json.loads, ast.literal_eval):
        try:
            value = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        if isinstance(value, list | tuple | dict):
            return value
    return None


def _decoded(text: str) -> Entry:
    """The bytes of a data: address; any other text as it is, without quotes around it."""
    start = _DATA.match(text)
    if start:
        try:
            return base64.b64decode(text[start.end() :], validate=True) or text
        except (binascii.Error, ValueError):
            return text
    quoted = len(text) > 2 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1].strip() if quoted else text


def split_names(text: str) -> list[str]:
    """Split a text into the picture names and addresses that it lists.

    A name ends before an address, or at a break behind a picture's suffix; other commas and
    blanks belong to it ("red dress.jpg", "https://cdn/w_100,h_100/a.jpg", "a.jpg?w=1,2").
    """
    return [name for chunk in _BEFORE_ADDRESS.split(text.strip(_MARKS)) for name in _names(chunk)]


def _names(text: str) -> list[str]:
    """Split what holds no further address behind its start."""
    names: list[str] = []
    name: list[str] = []  # parts of the one that grows, with the breaks before and between them
    for number, piece in enumerate(_BREAK.split(text)):
        name.append(piece)
        if number % 2 == 0 and is_picture_name(piece):
            names.append("".join(name[1:] if names else name))
            name = []
    rest = "".join(name)
    if not names:
        return [rest] if rest else []
    if rest.strip(_MARKS):
        names[-1] += rest  # it ends no name of its own
    return names


def plain_parts(text: str) -> list[str]:
    """Split a text at every comma, semicolon, bar and line break: names without suffixes."""
    return [part for part in _HARD_BREAK.split(text) if part]


def is_address(name: str) -> bool:
    """Whether a name is a web address, with its scheme or without ("//host/a.jpg")."""
    return _ADDRESS.match(name) is not None


def bare_path(name: str) -> str:
    """A name without what an address adds behind its path: "a.jpg?v=1#x" → "a.jpg"."""
    return name.partition("#")[0].partition("?")[0]


def is_picture_name(name: str) -> bool:
    """Whether a name ends as pictures' names do, behind its path or before a query."""
    return _PICTURE.search(name) is not None


def is_rarely_read(name: str) -> bool:
    """Whether a picture is of a kind that stands behind any other of the same name."""
    return PurePosixPath(name).suffix.lower() in _RARELY_READ
