"""Seals: one small file a commit, which says what the store is from then on.

Lance's own commit makes a version of the table; the seal behind it makes that version count. It
names every file of the version with its checksum, the commit before it, and the settings that
belong to it (encoders, picture roots), so that one atomic rename changes all of them together,
and so that a flipped bit, a mixed backup or another store in the same place is noticed.
"""

import json
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import xxhash

from coordi.artifacts import write_atomically
from coordi.errors import StoreDamagedError

FOLDER = "_seals"
HEAD = "newest"
_NAME = re.compile(r"(\d{10})\.json")
VERIFY = "Look at it with: coordi verify --store DIR"


@dataclass(frozen=True, slots=True)
class EncoderColumn:
    """An encoder whose vectors the store holds."""

    fingerprint: str
    name: str
    dim: int
    created: str
    """Time of its first vector, ISO 8601."""
    views: str = "main"
    """Pictures of an item that have vectors: "main" or "all"."""


@dataclass(frozen=True, slots=True)
class FileSum:
    """What a file of the table must be."""

    size: int
    checksum: str
    """XXH3-128 of its bytes, in hex."""


@dataclass(frozen=True, slots=True)
class Seal:
    """One commit of a store."""

    store: str
    """The store's own id."""
    number: int
    """1, 2, 3 … without a gap."""
    version: int
    """The table's version that this commit is."""
    parent: str
    """Token of the commit before; "" for the first."""
    nonce: str
    """Random, so that two commits of one number are told apart."""
    files: Mapping[str, FileSum]
    """Every file of the version, relative to the table's folder."""
    aside: Mapping[str, FileSum] = field(default_factory=dict)
    """Files that come with the version and that no reader needs."""
    encoders: tuple[EncoderColumn, ...] = ()
    encoder: str = ""
    """Fingerprint of the encoder that the store is searched with unless told otherwise."""
    roots: tuple[str, ...] = field(default=())
    """Folders that pictures may be read from."""

    @property
    def token(self) -> str:
        """Names this commit and no other, in answers and derived files."""
        return f"{self.number}-{self.nonce}"

    def next(self, **changed: Any) -> Self:
        """The seal of the commit that follows this one, with what differs in it."""
        following = {"number": self.number + 1, "parent": self.token, "nonce": _nonce()}
        return replace(self, **{**following, **changed})


def first(store: str, **settings: Any) -> Seal:
    """The seal of a store's first commit."""
    return Seal(store=store, number=1, parent="", nonce=_nonce(), **settings)


def _nonce() -> str:
    return uuid.uuid4().hex[:16]


def place(table: Path, number: int) -> Path:
    """The file of a seal."""
    return table / FOLDER / f"{number:010d}.json"


def write(table: Path, seal: Seal) -> None:
    """Make a commit count."""
    text = json.dumps(asdict(seal), ensure_ascii=False)
    (table / FOLDER).mkdir(exist_ok=True)
    write_atomically(place(table, seal.number), signed(text))
    write_atomically(table / FOLDER / HEAD, signed(str(seal.number)), lasting=False)


def noted(table: Path) -> int | None:
    """The newest commit by the note beside the seals; 0 where there is no note, None where it is
    damaged. A writer that was killed leaves it one behind; ahead of the seals it never is.
    """
    try:
        note = unsigned((table / FOLDER / HEAD).read_text("utf-8"))
    except FileNotFoundError:
        return 0
    except (OSError, ValueError):
        return None
    return int(note) if note.isdigit() else None


def numbers(table: Path) -> list[int]:
    """Numbers of the seals that are there, rising."""
    found = (_NAME.fullmatch(name) for name in os.listdir(table / FOLDER))  # noqa: PTH208
    return sorted(int(match[1]) for match in found if match)


def load(table: Path, number: int) -> Seal:
    """Read a seal; `StoreDamagedError` where it is not as it was written."""
    path = place(table, number)
    try:
        return _seal(json.loads(unsigned(path.read_bytes().decode("utf-8"))))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{path.name} of the store is damaged ({error}). {VERIFY}"
        raise StoreDamagedError(message) from error


def _seal(content: dict[str, Any]) -> Seal:
    files, aside = (
        {name: FileSum(**entry) for name, entry in content.pop(kind).items()}
        for kind in ("files", "aside")
    )
    encoders = tuple(EncoderColumn(**entry) for entry in content.pop("encoders"))
    roots = tuple(content.pop("roots"))
    return Seal(**content, files=files, aside=aside, encoders=encoders, roots=roots)


def signed(line: str) -> str:
    """A line, and its checksum on the next."""
    return f"{line}\n{xxhash.xxh3_128_hexdigest(line.encode('utf-8'))}\n"


def unsigned(text: str) -> str:
    """The line that was signed; `ValueError` where it is not as it was written."""
    line = text.partition("\n")[0]
    if text != signed(line):
        raise ValueError("its checksum does not fit")
    return line
