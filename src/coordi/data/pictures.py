"""From the image cell of a row to the place of its bytes."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from coordi.data.readers.folder import open_folder
from coordi.types import ImageRef

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PictureFinder:
    """Finds pictures in the catalogue's folder, or in a folder given for them."""

    folder: Path | None = None
    """The folder given with `images=`; the catalogue's own where None."""
    by_stem: Mapping[str, Path] = field(default_factory=dict)
    """File name without suffix → file: pictures that are named after their item's id."""

    def find(self, cell: object, base: Path) -> ImageRef | str:
        """Find the picture of a cell, or say in one line why there is none."""
        data = cell.get("bytes") if isinstance(cell, Mapping) else cell
        if isinstance(data, bytes):
            return ImageRef(data=data) if data else "no image: the cell holds no bytes"
        name = file_name(cell)
        return self._find_path(name, base) if name else "no image: the cell is empty"

    def expected(self, cell: object, base: Path) -> ImageRef | None:
        """Where the picture of a cell should be, whether or not it is; None if it names no file."""
        data = cell.get("bytes") if isinstance(cell, Mapping) else cell
        if isinstance(data, bytes):
            return ImageRef(data=data)
        name = file_name(cell)
        if not name or _URL.match(name):
            return None
        return ImageRef((self.folder or base) / name.replace("\\", "/"))

    def find_by_id(self, id_: str) -> ImageRef | str:
        """Find the picture that is named after an item's id."""
        path = self.by_stem.get(id_)
        return ImageRef(path) if path else f"no image: {self.folder} has no file {id_}.*"

    def _find_path(self, cell: str, base: Path) -> ImageRef | str:
        if _URL.match(cell):
            return self._find_download(cell)
        folder = self.folder or base
        # A backslash may be part of a name; only where there is no such file is it Windows's.
        candidates = [folder / cell, folder / cell.replace("\\", "/")]
        if self.folder is not None:
            candidates.append(self.folder / PurePosixPath(cell.replace("\\", "/")).name)
        found = next((path for path in candidates if _is_file(path)), None)
        return ImageRef(found) if found else f"image file {candidates[1]} is not there"

    def _find_download(self, url: str) -> ImageRef | str:
        name = PurePosixPath(unquote(urlsplit(url).path)).name
        if self.folder is not None and name and _is_file(self.folder / name):
            return ImageRef(self.folder / name)
        where = f" to {self.folder}" if self.folder else " to a folder and give it with --images"
        return f"the image is a URL ({url}); coordi reads files: download it{where}"


def file_name(cell: object) -> str:
    """Path that an image cell states, "" where it states none; the first of a list counts."""
    if isinstance(cell, list | tuple):
        return file_name(cell[0]) if cell else ""
    if isinstance(cell, Mapping):
        return file_name(cell.get("path"))
    return cell.strip() if isinstance(cell, str) else ""


def find_pictures(images: Path | None, *, by_id: bool) -> PictureFinder:
    """Make the finder for a folder of pictures; `by_id` where no column names the files."""
    if images is None or not by_id:
        return PictureFinder(images)
    stems: dict[str, Path] = {}
    for name in open_folder(images).names:
        stems.setdefault(PurePosixPath(name).stem, images / name)
    return PictureFinder(images, stems)


def _is_file(path: Path) -> bool:
    try:
        return os.path.isfile(path)  # noqa: PTH113 - several times faster than Path.is_file
    except ValueError:  # a NUL within
        return False
