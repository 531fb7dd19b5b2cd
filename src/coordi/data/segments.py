"""Garments cut out of street photos by their pixel masks (the layout of ../shared/data/street).

A folder holds `photos.csv` (id, photo, mask, labels), `labels.txt` (a mask value is a line
number, from 0), the photos and the masks.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from coordi.data.images import decode_image, read_bytes
from coordi.errors import CatalogError, ImageError
from coordi.types import Box, Image, ImageRef, Origin, Problem

_NOT_WORN = frozenset({"null", "hair", "skin"})


LabelMap = NDArray[np.uint8]
"""A mask: (height, width), the number of a label per pixel."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One garment in one street photo."""

    photo: str
    label: str
    box: Box
    """Where the garment is, with a margin."""
    crop: Image
    color: tuple[float, float, float]
    """Mean RGB of the garment's own pixels, 0 to 255."""


def read_segments(
    folder: Path, *, smallest: float = 0.01, margin: float = 0.1
) -> Iterator[Segment | Problem]:
    """Garments of at least `smallest` of the photo's area, cut out with `margin` around them.

    A photo or mask that is missing or cannot be read, and a mask with values that no label has,
    is a `Problem`; a photo without a mask is skipped, for it says nothing of where a garment is.
    Raises `CatalogError` where the folder does not hold the layout above.
    """
    labels, rows = read_list(folder)
    for line, row in rows:
        if not row["mask"]:
            continue
        try:
            yield from _cut(folder, row, labels, smallest, margin)
        except ImageError as error:
            yield Problem(Origin(str(folder / "photos.csv"), line), str(error), id=row["id"])


def read_list(folder: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """The labels by their number, and the rows of photos.csv (id, photo, mask) with their lines.

    Raises `CatalogError` where one of the files is missing, is no text or lacks a column.
    """
    try:
        labels = (folder / "labels.txt").read_text("utf-8").splitlines()
        with (folder / "photos.csv").open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines, restval="")
            lacking = {"id", "photo", "mask"} - set(reader.fieldnames or ())
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CatalogError(
            f"{folder} is no folder of street photos with masks ({error}); it needs photos.csv "
            "with id, photo and mask, and labels.txt"
        ) from error
    if lacking:
        raise CatalogError(f"{folder / 'photos.csv'}:1: the column {min(lacking)} is missing")
    return labels, rows


def read_mask(path: Path, labels: int) -> LabelMap:
    """The mask of a photo, one of `labels` numbers per pixel; `ImageError` where it is none."""
    try:
        with Pillow.open(io.BytesIO(read_bytes(ImageRef(path)))) as picture:
            if picture.mode not in {"L", "P", "1"}:
                raise ImageError(f"the mask {path} holds no numbers (its mode is {picture.mode})")
            mask = np.asarray(picture, np.uint8)
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        raise ImageError(f"cannot read the mask {path}: {error}") from error
    if mask.max(initial=0) >= labels:
        raise ImageError(f"the mask {path} holds {mask.max()}; there are {labels} labels, from 0")
    return mask


def _cut(
    folder: Path, row: dict[str, str], labels: list[str], smallest: float, margin: float
) -> Iterator[Segment]:
    mask = read_mask(folder / row["mask"], len(labels))
    photo = Pillow.fromarray(decode_image(read_bytes(ImageRef(folder / row["photo"]))))
    pixels = np.asarray(photo.resize((mask.shape[1], mask.shape[0])))
    for value in np.unique(mask).tolist():
        inside = mask == value
        if labels[value] in _NOT_WORN or inside.mean() < smallest:
            continue
        box = _box(inside, margin)
        left, top, right, bottom = (
            round(edge * size) for edge, size in zip(box, mask.shape[::-1] * 2, strict=True)
        )
        red, green, blue = pixels[inside].mean(0)
        yield Segment(
            row["id"],
            labels[value],
            box,
            np.ascontiguousarray(pixels[top:bottom, left:right]),
            (float(red), float(green), float(blue)),
        )


def _box(inside: NDArray[np.bool_], margin: float) -> Box:
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    height, width = inside.shape
    extra_y = margin * (rows[-1] + 1 - rows[0])
    extra_x = margin * (columns[-1] + 1 - columns[0])
    return (
        max(0.0, (columns[0] - extra_x) / width),
        max(0.0, (rows[0] - extra_y) / height),
        min(1.0, (columns[-1] + 1 + extra_x) / width),
        min(1.0, (rows[-1] + 1 + extra_y) / height),
    )
