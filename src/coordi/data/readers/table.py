"""What a reader of one file offers to the catalogue."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from coordi.types import Origin, Problem


@dataclass(frozen=True, slots=True)
class Record:
    """One row as its file has it: column → value, not yet typed."""

    origin: Origin
    values: Mapping[str, object]


@dataclass(slots=True)
class Table:
    """The rows of one file, which may be read several times."""

    folder: Path
    """What image paths are relative to."""
    read: Callable[[Collection[str]], Iterator[Record | Problem]]
    """Streams the rows in order; of the columns that it is given pictures need not be read."""
    columns: tuple[str, ...] = ()
    """Columns known without reading rows; JSON Lines knows none."""
    pictures: tuple[str, ...] = ()
    """Columns that hold picture bytes."""
    notes: tuple[str, ...] = ()
    """What the user should know about how the file was read."""

    def records(self, without: Collection[str] = ()) -> Iterator[Record | Problem]:
        """Stream the rows in order; picture columns named in `without` need not be read."""
        return self.read(without)
