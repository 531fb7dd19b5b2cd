"""What a reader of one file offers to the catalogue."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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

    def records(self, *, pictures: bool = True) -> Iterator[Record | Problem]:
        """Stream the rows in order; columns of picture bytes only where `pictures`."""
