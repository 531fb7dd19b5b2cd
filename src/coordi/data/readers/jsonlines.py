"""JSON Lines: one object per line."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from coordi.data.readers.table import Record
from coordi.data.readers.textfile import detect_encoding, is_clean, lines
from coordi.errors import CatalogError
from coordi.types import Origin, Problem


@dataclass(frozen=True, slots=True)
class JsonLinesTable:
    """A file with one JSON object per line; objects may lack keys that others have."""

    path: Path
    encoding: str
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = field(default=(), init=False)
    pictures: tuple[str, ...] = field(default=(), init=False)

    @property
    def folder(self) -> Path:
        """Where the file lies."""
        return self.path.parent

    def records(self, without: Collection[str] = ()) -> Iterator[Record | Problem]:  # noqa: ARG002
        """Stream the objects; a line that is none is a `Problem`, an empty line is nothing."""
        for number, line in enumerate(lines(self.path, self.encoding), 1):
            if not line.strip():
                continue
            origin = Origin(str(self.path), number)
            value = _parse(line)
            yield Problem(origin, value) if isinstance(value, str) else Record(origin, value)


def open_jsonlines(path: Path) -> JsonLinesTable:
    """Open a JSON Lines file; a JSON array is refused with the way to convert it."""
    encoding, note = detect_encoding(path)
    first = next((line for line in lines(path, encoding) if line.strip()), None)
    if first is None:
        raise CatalogError(f"{path} is empty; it should hold one JSON object per line")
    if first.lstrip().startswith("["):
        raise CatalogError(
            f"{path} is a JSON array; coordi reads JSON Lines (one object per line). "
            f"Convert it: jq -c '.[]' {path} > {path.with_suffix('.jsonl')}"
        )
    return JsonLinesTable(path, encoding, () if note is None else (note,))


def _parse(line: str) -> dict[str, object] | str:
    """The object of a line, or what is wrong with it."""
    if not is_clean(line):
        return "holds bytes that are not UTF-8; save the file as UTF-8"
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not valid JSON ({error}); each line must be one complete object"
    if not isinstance(value, dict):
        return f'a JSON {type(value).__name__} where an object is needed, such as {{"id": …}}'
    if "\\ud" in line.lower() and not _is_utf8(value):
        return "holds half of a surrogate pair (\\ud800 to \\udfff); write the whole character"
    return value


def _is_utf8(value: dict[str, object]) -> bool:
    """Whether parsed text can be stored: JSON escapes may spell what is no character."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
