"""What the readers of public benchmarks share: files found, lines read, photos gathered."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from coordi.data.collection import Collection, PhotoRows, Trial, checked
from coordi.data.splits import split_of
from coordi.errors import CatalogError, NotFoundError
from coordi.types import Box, Origin, Photo, Problem

VAL_SHARE = 0.1
"""Share of the training items that is held out to choose by, where the authors hold out none."""


@dataclass(slots=True)
class Gathering:
    """Photos and problems as a reader meets them."""

    photos: list[Photo] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    missing: dict[str, Problem] = field(default_factory=dict)
    """Id of a photo → why its picture is not there."""

    def trouble(self, origin: Origin, reason: str, id: str | None = None) -> None:
        """Note something that cannot be used."""
        self.problems.append(Problem(origin, reason, id))

    def add(self, photo: Photo, origin: Origin, missing: str = "") -> int:
        """Take a photo in, whether or not its file is there → its row."""
        path = photo.image.path
        if path is not None and not path.is_file():
            reason = missing or f"{path} is missing; unpack the pictures there"
            self.missing[photo.id] = Problem(origin, reason, photo.id)
        self.photos.append(photo)
        return len(self.photos) - 1

    def collection(
        self,
        name: str,
        train: PhotoRows,
        test: Trial,
        val: Trial,
        counts: Mapping[str, int],
        published: Mapping[str, int] | None = None,
    ) -> Collection:
        """The collection of all that was gathered; a `val` that asks nothing is left out."""
        asks = len(val.query) and len(val.gallery)
        return checked(
            Collection(
                name,
                tuple(self.photos),
                train,
                test,
                val if asks else None,
                tuple(self.problems),
                published or {},
                counts,
                self.missing,
            )
        )

    def share_box(
        self, path: Path, corners: Sequence[float], origin: Origin, id: str
    ) -> Box | None:
        """Corners in pixels → a box in shares; None, for the whole picture, where that fails.

        A box outside the picture is a problem; a picture that cannot be read is told by who
        needs its pixels.
        """
        try:
            with Pillow.open(path) as picture:
                width, height = picture.size
        except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError):
            return None
        box = shares(corners, width, height)
        if box is None:
            reason = f"box {list(corners)} lies outside {width}×{height} pixels; it is taken whole"
            self.trouble(origin, reason, id)
        return box


def shares(corners: Sequence[float], width: int, height: int) -> Box | None:
    """Corners (left, top, right, bottom) in pixels, cut to the picture, as shares of its sides.

    None where nothing of the box lies in the picture.
    """
    left, top, right, bottom = corners
    if not np.isfinite(corners).all():
        return None
    box = (
        max(0.0, left / width),
        max(0.0, top / height),
        min(1.0, right / width),
        min(1.0, bottom / height),
    )
    return box if box[0] < box[2] and box[1] < box[3] else None


def find(root: Path, *places: str) -> Path:
    """The first of several places that exists under `root`; `NotFoundError` where none does."""
    for place in places:
        if (root / place).exists():
            return root / place
    raise NotFoundError(
        f"{root} holds none of {', '.join(places)}; give the folder where the benchmark's files "
        "lie as its authors publish them"
    )


def find_all(folder: Path, pattern: str) -> list[Path]:
    """Files of a pattern in the order of their names; `NotFoundError` where there is none."""
    files = sorted(folder.glob(pattern))
    if not files:
        raise NotFoundError(f"{folder} holds no {pattern}; unpack the annotations there")
    return files


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a list: where it stands, and its values."""

    origin: Origin
    values: tuple[str, ...]


def listed(path: Path, columns: int, gathering: Gathering) -> Iterator[Line]:
    """Rows of a DeepFashion list: a count, a line of names, then rows split by white space.

    A row with another number of values is a problem, and so is a count that is not met.
    Raises `CatalogError` where the first lines are not that, or no row can be read.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path} cannot be read as text: {error}") from error
    if len(lines) < 2 or not lines[0].strip().isdigit():
        raise CatalogError(f"{path}:1: should be the number of rows, with column names below it")
    found = 0
    for number, line in enumerate(lines[2:], 3):
        values = tuple(line.split())
        if not values:
            continue
        origin = Origin(str(path), number)
        if len(values) != columns:
            gathering.trouble(origin, f"{len(values)} values where a row has {columns}")
            continue
        found += 1
        yield Line(origin, values)
    if not found:
        raise CatalogError(f"{path}:3: no row of {columns} values; is this the right list?")
    if found != int(lines[0]):
        gathering.trouble(
            Origin(str(path), 1), f"announces {int(lines[0]):,} rows and holds {found:,} usable"
        )


def read_json(path: Path) -> Any:
    """The content of a JSON file; `CatalogError` names file and line where it is broken."""
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        raise CatalogError(f"{path}:{error.lineno}: not valid JSON ({error.msg})") from error
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise CatalogError(f"{path}: cannot be read as JSON: {error}") from error


def numbers(values: Iterable[str]) -> tuple[float, ...] | None:
    """Values as numbers, None where one is not."""
    try:
        return tuple(map(float, values))
    except ValueError:
        return None


def as_rows(rows: Iterable[int]) -> PhotoRows:
    """Rows as an array."""
    return np.array(list(rows), np.int64)


def held_out(
    photos: Sequence[Photo], rows: PhotoRows, key: Callable[[Photo], str]
) -> tuple[PhotoRows, PhotoRows]:
    """Split training rows by the hash of their key → (rows to learn from, rows to choose by)."""
    out = np.array(
        [split_of(key(photos[row]), val=VAL_SHARE, test=0) == "val" for row in rows.tolist()], bool
    )
    return rows[~out], rows[out]


def street_to_shop(photos: Sequence[Photo], rows: PhotoRows) -> tuple[PhotoRows, PhotoRows]:
    """Rows of street photos and rows of shop photos."""
    street = np.array([photos[row].street for row in rows.tolist()], bool)
    return rows[street], rows[~street]
