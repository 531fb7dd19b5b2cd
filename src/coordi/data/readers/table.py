"""What a reader of one file offers to the catalogue."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from coordi.types import Origin, Problem


@dataclass(frozen=True, slots=True)
class Record:
    """One row as its file has it: column → value, not yet typed."""

    origin: Origin
    values: Mapping[str, object]


class Table(Protocol):
    """The rows of one file, which may be read several times."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns known without reading rows; JSON Lines knows none."""

    @property
    def pictures(self) -> tuple[str, ...]:
        """Columns that hold picture bytes."""

    @property
    def folder(self) -> Path:
        """What image paths are relative to."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about how the file was read."""

    def records(self, without: Collection[str] = ()) -> Iterator[Record | Problem]:
        """Stream the rows in order; picture columns named in `without` need not be read."""


@dataclass(frozen=True, slots=True)
class OneFile:
    """What tables of one file without picture bytes have in common."""

    path: Path
    pictures: tuple[str, ...] = field(default=(), init=False)

    @property
    def folder(self) -> Path:
        """Where the file lies."""
        return self.path.parent


@dataclass(frozen=True, slots=True)
class UnreadableTable(OneFile):
    """One of several files, and why it cannot be read: a single problem, no rows."""

    reason: str
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def records(self, without: Collection[str] = ()) -> Iterator[Record | Problem]:  # noqa: ARG002
        """Yield the problem."""
        yield Problem(Origin(str(self.path)), self.reason)
