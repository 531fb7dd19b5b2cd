"""Lines of text files, whatever encoding a spreadsheet chose."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from coordi.data.readers.encodings import guess_encoding
from coordi.errors import CatalogError

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

_OTHER_KINDS = {
    b"PK\x03\x04": "a zip archive or an Excel workbook; unpack it, or save the sheet as CSV",
    b"BZh91AY&SY": "compressed by bzip2; unpack it first (bunzip2)",
    b"\xfd7zXZ": "compressed by xz; unpack it first (unxz)",
    b"(\xb5/\xfd": "compressed by zstd; unpack it first (unzstd)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV",
    b"PAR1\x15": "a Parquet file; name it so that it ends in .parquet",
    b"SQLite format 3\0": "a SQLite database; export the table as CSV",
    b"%PDF-": "a PDF; export the table as CSV",
    b"<!doctype html": "a web page, saved in the file's place; fetch the file again",
    b"<html": "a web page, saved in the file's place; fetch the file again",
    b"<?xml": "XML; name it so that it ends in .xml",
}
"""First bytes of files that are no text tables, whatever they are called → what they are."""

_UNDECODED = "\udc80"
"""Stands for bytes that do not decode: half of a surrogate pair, which no text holds."""

codecs.register_error("coordi-undecoded", lambda error: (_UNDECODED, _end(error)))


def _end(error: UnicodeError) -> int:
    if isinstance(error, UnicodeDecodeError):
        return error.end
    raise error


def open_bytes(path: Path) -> BinaryIO:
    """Open a file to read its bytes, unpacked where it is compressed by gzip."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def refuse_other_kinds(path: Path) -> None:
    """Raise `CatalogError` where a file's first bytes say that it is no text table."""
    with whole(path), open_bytes(path) as file:
        start = file.read(64)
    markup = start.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    for magic, kind in _OTHER_KINDS.items():
        if start.startswith(magic) or (magic.startswith(b"<") and markup.startswith(magic)):
            raise CatalogError(f"{path} is {kind}")


def detect_encoding(path: Path, given: str | None = None) -> tuple[str, str | None]:
    """Find a text file's encoding → (codec, a note for the user where it had to be guessed).

    A byte-order mark decides; without one, UTF-8, unless more lines speak against it than for
    it: then the encoding in whose letters it makes most sense, Windows-1252 where none does. One
    that is `given` is taken, but for the byte-order mark, which is no text.
    """
    refuse_other_kinds(path)
    if given is not None:
        return _without_mark(path, given), None
    with whole(path), open_bytes(path) as file:
        start = file.read(4096)
        for mark, codec in _MARKS.items():
            if start.startswith(mark):
                return codec, None
        if start[1::2].count(0) > len(start) // 4:
            return "utf-16-le", f"{path} was read as UTF-16; save it as UTF-8 to be sure"
        if start[::2].count(0) > len(start) // 4:
            return "utf-16-be", f"{path} was read as UTF-16; save it as UTF-8 to be sure"
        file.seek(0)
        line = _first_line_against_utf8(file)
        if line is None:
            return "utf-8", None
        file.seek(0)
        codec, name = guess_encoding(file.read(1024 * 1024))
    return codec, (
        f"{path} is not UTF-8 (line {line}) and was read as {name}; "
        "if letters look wrong, state its encoding (--encoding) or save it as UTF-8"
    )


def lines(path: Path, encoding: str) -> Iterator[str]:
    """Stream physical lines with their ends; bytes that do not decode fail `is_clean`."""
    with (
        whole(path),
        open_bytes(path) as file,
        io.TextIOWrapper(file, encoding, "coordi-undecoded", newline="") as text,
    ):
        yield from text


def _without_mark(path: Path, given: str) -> str:
    with open_bytes(path) as file:
        marked = file.read(3) == codecs.BOM_UTF8
    return "utf-8-sig" if marked and codecs.lookup(given).name == "utf-8" else given


@contextmanager
def whole(path: Path) -> Iterator[None]:
    """Raise `CatalogError` where a compressed file turns out to be damaged or cut off."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CatalogError(
            f"{path} is compressed, and damaged or cut off ({error}); fetch it again"
        ) from error


def is_clean(text: str) -> bool:
    """Whether every byte of a text that came from `lines` did decode."""
    return text.isascii() or _UNDECODED not in text


def shown(text: str) -> str:
    """A text that came from `lines` as it can be printed, whatever did not decode."""
    return text.replace(_UNDECODED, "\ufffd")


def _first_line_against_utf8(lines: Iterator[bytes]) -> int | None:
    """Number of the first line that is not UTF-8, where such lines are in the majority."""
    balance, first = 0, None
    for number, line in enumerate(lines, 1):
        if line.isascii():
            continue
        try:
            line.decode()
            balance += 1
        except UnicodeDecodeError:
            first = first or number
            balance -= 1
    return first if balance < 0 else None
