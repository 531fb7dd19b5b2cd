"""Pictures with marks laid onto a canvas of one size, as they are or changed at random."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from coordi.data.segments import LabelMap
from coordi.types import Image

GREY = 127
"""What lies around a picture that does not fill its canvas."""


class Place(NamedTuple):
    """Where points of the canvas lie in the picture: x' = a x + b y + c, y' = d x + e y + f."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float


def fitted(width: int, height: int, canvas: tuple[int, int]) -> Place:
    """A whole picture in the middle of a canvas (height, width)."""
    scale = max(width / canvas[1], height / canvas[0])
    return Place(
        scale, 0, (width - scale * canvas[1]) / 2, 0, scale, (height - scale * canvas[0]) / 2
    )


def thrown(
    width: int,
    height: int,
    canvas: tuple[int, int],
    rng: np.random.Generator,
    zoom: tuple[float, float] = (0.8, 1.7),
) -> Place:
    """A picture larger or smaller than fitted, moved, turned, stretched and mirrored at random."""
    scale = max(width / canvas[1], height / canvas[0])
    scale /= np.exp(rng.uniform(*np.log(zoom)))
    stretch = np.exp(rng.normal(0, 0.06))
    angle = rng.normal(0, 0.05)
    across, along = scale * stretch, scale / stretch
    mirror = -1 if rng.random() < 0.5 else 1
    a, b = across * np.cos(angle) * mirror, -along * np.sin(angle)
    d, e = across * np.sin(angle) * mirror, along * np.cos(angle)
    # The canvas's middle falls where it is within the picture by as much as the sizes differ.
    spare_x, spare_y = abs(width - scale * canvas[1]), abs(height - scale * canvas[0])
    x = width / 2 + rng.uniform(-0.5, 0.5) * spare_x
    y = height / 2 + rng.uniform(-0.5, 0.5) * spare_y
    middle_x, middle_y = canvas[1] / 2, canvas[0] / 2
    return Place(a, b, x - a * middle_x - b * middle_y, d, e, y - d * middle_x - e * middle_y)


def laid(
    picture: Image, marks: LabelMap, place: Place, canvas: tuple[int, int], beyond: int = 0
) -> tuple[Image, LabelMap]:
    """Both on a canvas (height, width); `beyond` marks what lies around."""
    size, how = (canvas[1], canvas[0]), Pillow.Transform.AFFINE
    pixels = Pillow.fromarray(picture).transform(
        size, how, place, Pillow.Resampling.BILINEAR, fillcolor=(GREY,) * 3
    )
    labels = Pillow.fromarray(marks).transform(
        size, how, place, Pillow.Resampling.NEAREST, fillcolor=beyond
    )
    return np.asarray(pixels), np.asarray(labels)


def relit(picture: Image, rng: np.random.Generator) -> Image:
    """Another exposure, gamma, white balance and saturation."""
    levels = (np.arange(256) / 255.0) ** np.exp(rng.normal(0, 0.15))
    gains = np.exp(rng.normal(0, 0.12)) * np.exp(rng.normal(0, 0.04, 3))
    table = np.clip(255 * levels[:, None] * gains, 0, 255).astype(np.float32)
    changed = np.stack([table[picture[..., c], c] for c in range(3)], -1)
    gray = changed.mean(-1, keepdims=True)
    vivid = gray + (changed - gray) * rng.uniform(0.6, 1.3)
    return np.asarray(np.clip(vivid, 0, 255), np.uint8)


Named = tuple[Image, NDArray[np.int64]]
"""A picture and what its pixels are, by whatever numbers."""


def over(below: Named, above: Named, inside: NDArray[np.bool_]) -> Named:
    """A picture with its marks, and another laid on it where `inside` (h, w)."""
    return (
        np.where(inside[..., None], above[0], below[0]),
        np.where(inside, above[1], below[1]),
    )
