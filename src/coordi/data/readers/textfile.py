"""Lines of text files, whatever encoding a spreadsheet chose."""

import codecs
from collections.abc import Iterator
from pathlib import Path

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def detect_encoding(path: Path) -> tuple[str, str | None]:
    """Find a text file's encoding → (codec, a note for the user where it had to be guessed).

    A byte-order mark decides; without one, UTF-8, unless more lines speak against it than for
    it: then Windows-1252, the superset of Latin-1 that spreadsheets write.
    """
    with path.open("rb") as file:
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
    return "cp1252", (
        f"{path} is not UTF-8 (line {line}) and was read as Windows-1252 (Latin-1); "
        "if letters look wrong, save it as UTF-8"
    )


def lines(path: Path, encoding: str) -> Iterator[str]:
    """Stream physical lines with their ends; bytes that do not decode become surrogates."""
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    with path.open(encoding=encoding, errors=errors, newline="") as file:
        yield from file


def is_clean(text: str) -> bool:
    """Whether every byte of a text that came from `lines` did decode."""
    return text.isascii() or not any("\udc80" <= char <= "\udcff" for char in text)


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
