"""A bare folder of pictures, or a list of picture files."""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from coordi.data.readers.table import Record
from coordi.types import Origin, Problem

IMAGE_SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".gif", ".bmp"),
        *(".tif", ".tiff", ".jp2", ".ppm", ".pgm"),
    )
)


@dataclass(frozen=True, slots=True)
class FolderTable:
    """Pictures by path, sorted; where there are folders within, they become a column."""

    folder: Path
    names: tuple[str, ...]
    """Paths relative to `folder`, with "/"."""
    notes: tuple[str, ...] = ()
    pictures: tuple[str, ...] = field(default=(), init=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """ "image" (path) and, where there are folders within, "folder"."""
        return ("image", "folder") if any("/" in name for name in self.names) else ("image",)

    def records(self, without: Collection[str] = ()) -> Iterator[Record | Problem]:  # noqa: ARG002
        """Stream one record per picture."""
        nested = "folder" in self.columns
        for name in self.names:
            values = {"image": name}
            if nested:
                values["folder"] = name.rpartition("/")[0]
            yield Record(Origin(str(self.folder / name)), values)


def open_folder(folder: Path) -> FolderTable:
    """List the pictures below a folder; hidden files and folders are passed over."""
    names: list[str] = []
    for at, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        place = Path(at).relative_to(folder)
        names += [(place / name).as_posix() for name in files if is_image(name)]
    return FolderTable(folder, tuple(sorted(names)))


def is_image(name: str) -> bool:
    """Whether a file's name says that it is a picture."""
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES
