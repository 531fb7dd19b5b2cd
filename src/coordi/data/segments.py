"""Garments cut out of street photos by their pixel masks (the layout of ../shared/data/street).

A folder holds `photos.csv` (id, photo, mask, labels), `labels.txt` (a mask value is a line
number, from 0), the photos and the masks.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from coordi.errors import CatalogError
from coordi.types import Box, Image

_NOT_WORN = frozenset({"null", "hair", "skin"})


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
) -> Iterator[Segment]:
    """Garments of at least `smallest` of the photo's area, cut out with `margin` around them.

    Raises `CatalogError` where the folder does not hold the layout above; a photo without a
    mask is skipped, for it says nothing of where a garment is.
    """
    labels_file, photos_file = folder / "labels.txt", folder / "photos.csv"
    for needed in (labels_file, photos_file):
        if not needed.is_file():
            raise CatalogError(f"{needed} is missing: a folder of segments needs it")
    labels = labels_file.read_text("utf-8").splitlines()
    with photos_file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["mask"]:
                yield from _cut(folder, row, labels, smallest, margin)


def _cut(
    folder: Path, row: dict[str, str], labels: list[str], smallest: float, margin: float
) -> Iterator[Segment]:
    mask = np.asarray(Pillow.open(folder / row["mask"]))
    photo = Pillow.open(folder / row["photo"]).convert("RGB")
    pixels = np.asarray(photo.resize((mask.shape[1], mask.shape[0])))
    for value in np.unique(mask):
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
