"""What is far in a store: measured when it was filled, kept in its folder, read by each search."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coordi.artifacts import write_atomically
from coordi.tasks.floor import Floors, measure

if TYPE_CHECKING:
    from coordi.store import Snapshot
    from coordi.types import Encoder

NAME = "floors.json"

GROWN = 1.2
"""Times as many items, or as few, from which it is measured anew."""


class StoreFloors:
    """One encoder's floors by fingerprint, in one file, replaced as a whole.

    A file that cannot be read counts as none: it only says what is far, and the next ingest makes
    it again.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` is the store's."""
        self._file = folder / NAME
        self._known: tuple[tuple[int, int] | None, dict[str, Any]] = (None, {})

    def at(self, fingerprint: str) -> Floors | None:
        """An encoder's floors; None where none were measured."""
        entry = self._entries().get(fingerprint)
        return None if entry is None else _read(entry)

    def measure(self, at: "Snapshot", encoder: "Encoder") -> None:
        """Measure those of an encoder, unless they are known of about as many items.

        A disk that is full or read-only is no error: without them searches only say less.
        """
        index, entries = at.index(encoder.fingerprint), self._entries()
        entry = entries.get(encoder.fingerprint)
        if _fits(entry, index.total):
            return
        found = {"items": index.total, **asdict(measure(index.sample(), encoder))}
        # Of encoders that the store no longer has vectors of, nothing need be known.
        theirs = {one.fingerprint for one in at.encoders()}
        kept = {name: one for name, one in entries.items() if name in theirs}
        try:
            write_atomically(self._file, json.dumps({**kept, encoder.fingerprint: found}, indent=1))
        except OSError:
            return

    def _entries(self) -> dict[str, Any]:
        """The file's content, read again when it changes."""
        try:
            found = self._file.stat()
            mark = (found.st_mtime_ns, found.st_size)
            if self._known[0] != mark:
                content = json.loads(self._file.read_text("utf-8"))
                self._known = mark, content if isinstance(content, dict) else {}
        except (OSError, ValueError):
            return {}
        return self._known[1]


def _read(entry: Any) -> Floors | None:
    try:
        return Floors(**{name: _number(entry[name]) for name in ("photos", "words")})
    except (KeyError, TypeError, ValueError):
        return None


def _fits(entry: Any, total: int) -> bool:
    """Whether there is one, of about as many items as the store has now."""
    if _read(entry) is None or not isinstance(entry.get("items"), int):
        return False
    items: int = entry["items"]
    known, now = max(items, 1), max(total, 1)
    return max(known / now, now / known) < GROWN


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
