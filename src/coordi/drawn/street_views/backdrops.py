"""What a street view stands before: real street photos with their masks, or drawn scenes."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from coordi.data.images import decode_image, read_bytes
from coordi.data.segments import read_list, read_mask
from coordi.data.splits import Split, split_of
from coordi.errors import CatalogError
from coordi.types import Image, ImageRef

Size = tuple[int, int]
"""Width and height in pixels."""

_BEFORE_GARMENTS = frozenset({"hair", "skin", "bag", "purse", "wallet", "gloves", "watch"})
NOTHING, BEFORE, WORN = 0, 1, 2
"""Values of `Backdrop.layers`; garments that the person wears count up from `WORN`."""


@dataclass(frozen=True, slots=True)
class Backdrop:
    """A picture to stand before, cut to the view's size."""

    image: Image
    layers: NDArray[np.uint8] | None = None
    """(height, width): 0 street, 1 what covers garments (hands, hair, bags), above it the
    person's garments, a number each; None where nobody is known to stand there."""


class Backdrops(Protocol):
    """A supply of backdrops for one side of a split."""

    @property
    def name(self) -> str:
        """What the views depend on: changes where the backdrops do."""

    def draw(self, rng: np.random.Generator, size: Size) -> Backdrop:
        """One backdrop, chosen and cut by `rng`."""


class DrawnBackdrops:
    """Drawn streets, parks and rooms; each side of the split has its own."""

    def __init__(self, side: Split) -> None:
        """Remember the side."""
        self.side = side
        self.name = f"drawn {side}"

    def draw(self, rng: np.random.Generator, size: Size) -> Backdrop:
        """Draw a scene."""
        from coordi.drawn.street import draw_background

        number = int(rng.integers(1 << 40))
        scene = draw_background(size, random.Random(f"{self.side} {number}"))
        return Backdrop(np.asarray(scene))


class StreetBackdrops:
    """Street photos with masks whose ids fall on one side of the split.

    The folder is laid out as `coordi.data.segments` says. Raises `CatalogError` where it is
    not, or where no photo with a mask falls on the side.
    """

    def __init__(self, folder: Path, side: Split, *, val: float = 0.1, test: float = 0.1) -> None:
        """List the photos of a side; none is read before it is drawn."""
        labels, listed = read_list(folder)
        masked = [row for _, row in listed if row["mask"]]
        rows = [row for row in masked if split_of(row["id"], val=val, test=test) == side]
        if not rows:
            raise CatalogError(f"{folder} has no masked photo on the {side} side; add photos")
        self._files = [(folder / row["photo"], folder / row["mask"]) for row in rows]
        self._layers = np.array([_layer_of(n, label) for n, label in enumerate(labels)], np.uint8)
        self.name = f"street {side} {' '.join(row['id'] for row in rows)}"

    def draw(self, rng: np.random.Generator, size: Size) -> Backdrop:
        """Cut a window that holds most of the person, mirrored half of the time."""
        photo, mask = self._files[int(rng.integers(len(self._files)))]
        picture = Pillow.fromarray(decode_image(read_bytes(ImageRef(photo))))
        layers = self._read_mask(mask, picture.size)
        window = _window(picture.size, size, rng)
        image = np.asarray(picture.resize(size, Pillow.Resampling.BICUBIC, window))
        cut = np.asarray(
            Pillow.fromarray(layers).resize(size, Pillow.Resampling.NEAREST, window), np.uint8
        )
        if rng.random() < 0.5:
            image, cut = image[:, ::-1], cut[:, ::-1]
        return Backdrop(np.ascontiguousarray(image), np.ascontiguousarray(cut))

    def _read_mask(self, path: Path, size: Size) -> NDArray[np.uint8]:
        mask = Pillow.fromarray(read_mask(path, len(self._layers)))
        return np.asarray(
            self._layers[np.asarray(mask.resize(size, Pillow.Resampling.NEAREST))], np.uint8
        )


def _layer_of(number: int, label: str) -> int:
    if label == "null":
        return NOTHING
    return BEFORE if label in _BEFORE_GARMENTS else WORN + number


def _window(whole: Size, size: Size, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """A window of the view's shape near the middle: (left, top, right, bottom) in pixels."""
    scale = min(whole[0] / size[0], whole[1] / size[1]) * rng.uniform(0.62, 1.0)
    width, height = size[0] * scale, size[1] * scale
    left = (whole[0] - width) * rng.uniform(0.25, 0.75)
    top = (whole[1] - height) * rng.random()
    return left, top, left + width, top + height
