"""Colours in numbers: sRGB to CIE L*a*b*, which pixels of a picture are the garment's, and the
words for what they show.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from coordi.data.duplicates import frame
from coordi.data.vocabulary import COLORS, relation
from coordi.types import Image, Vectors

SIDE = 64
"""Pixels of the square on which a garment's colours are measured."""

ANCHORS = {
    "black": (25, 25, 28), "white": (235, 235, 235), "grey": (128, 128, 130),
    "red": (185, 30, 40), "burgundy": (100, 25, 40), "orange": (230, 120, 40),
    "yellow": (230, 200, 60), "green": (50, 120, 60), "olive": (95, 95, 50),
    "blue": (50, 90, 170), "navy": (30, 38, 70), "light blue": (150, 185, 220),
    "purple": (105, 60, 130), "pink": (230, 150, 170), "brown": (95, 65, 45),
    "beige": (210, 190, 160), "camel": (170, 125, 80),
}  # fmt: skip
"""sRGB of what colour words mean on cloth in photos."""

LEVELS = {
    "L": (8.0, 16.0, 26.0, 38.0, 50.0, 62.0, 74.0, 84.0, 92.0),
    "a": (-22.0, -10.0, -4.0, 4.0, 10.0, 22.0, 40.0),
    "b": (-28.0, -14.0, -4.0, 4.0, 12.0, 24.0, 42.0),
}
"""Where the bins of `color_features` meet: narrow near grey, where words change soonest."""

COLOR_DIM = int(np.prod([len(edges) + 1 for edges in LEVELS.values()]))
"""Columns of `color_features`."""

MOST_COLORS = 3
SMALLEST_SHARE = 0.15
"""Share of a garment's pixels from which on a colour is one of its colours."""

_APART = 12.0  # CIE76 distance to the background from which on a pixel is taken for the garment
_UNREST = 10.0  # mean distance of the frame's pixels to their median, up to which it is flat
_FEWEST = (
    0.03  # share of the picture from which on what stands before the background is the garment
)

_TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], np.float32
)
_WHITE = np.array([0.9505, 1.0, 1.089], np.float32)  # D65


def lab(rgb: NDArray[np.uint8] | NDArray[np.floating]) -> NDArray[np.float32]:
    """sRGB in 0 to 255, (n, 3), to CIE L*a*b* under D65, (n, 3)."""
    linear = _levels()[rgb] if rgb.dtype == np.uint8 else _linear(rgb / 255)
    xyz = linear.astype(np.float32) @ _TO_XYZ.T / _WHITE
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + np.float32(16 / 116))
    out = np.empty_like(root)
    out[:, 0] = 116 * root[:, 1] - 16
    out[:, 1] = 500 * (root[:, 0] - root[:, 1])
    out[:, 2] = 200 * (root[:, 1] - root[:, 2])
    return out


def _linear(unit: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.where(unit > 0.04045, ((unit + 0.055) / 1.055) ** 2.4, unit / 12.92)


@cache
def _levels() -> NDArray[np.float32]:
    """Linear light of the 256 levels of sRGB."""
    return _linear(np.arange(256, dtype=np.float32) / 255).astype(np.float32)


@cache
def _anchors() -> NDArray[np.float32]:
    return lab(np.array(list(ANCHORS.values()), np.uint8))


def nearest_color(rgb: tuple[float, float, float], certain: float = 0.75) -> str | None:
    """The colour word nearest to a mean RGB, or None where a second word is nearly as near.

    Distance is Euclidean in CIE L*a*b*; "nearly" means a ratio of distances above `certain`.
    """
    distances = np.linalg.norm(_anchors() - lab(np.array([rgb], np.float64)), axis=1)
    first, second = np.argsort(distances)[:2]
    return list(ANCHORS)[first] if distances[first] < certain * distances[second] else None


def same_color(first: str, second: str) -> bool:
    """Whether two canonical colours may both be said of one garment (navy and blue)."""
    return relation(first, second, COLORS) >= 0 or relation(second, first, COLORS) >= 0


def garment_pixels(image: Image) -> NDArray[np.float32]:
    """The pixels of a picture's garment in CIE L*a*b*, (n, 3) with n > 0.

    Before a flat background they are all that it does not reach from the border, so that white
    stripes on white paper count; elsewhere, and where next to nothing is left, the middle half.
    """
    square = np.asarray(Pillow.fromarray(image).resize((SIDE, SIDE), Pillow.Resampling.BOX))
    pixels = lab(square.reshape(-1, 3)).reshape(SIDE, SIDE, 3)
    edge = frame(pixels)
    ground = np.median(edge, axis=0)
    if np.linalg.norm(edge - ground, axis=1).mean() <= _UNREST:
        garment = _enclosed(np.linalg.norm(pixels - ground, axis=2) > _APART)
        if garment.mean() > _FEWEST:
            return np.asarray(pixels[garment], np.float32)
    quarter = SIDE // 4
    return pixels[quarter:-quarter, quarter:-quarter].reshape(-1, 3)


def _enclosed(apart: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What stands apart from the background (S, S), with its holes and without its blurred rim."""
    from scipy import ndimage  # slow to load

    filled = ndimage.binary_fill_holes(apart)
    core = ndimage.binary_erosion(filled)
    return np.asarray(core if core.mean() > _FEWEST else filled, np.bool_)


def color_features(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pixels (n, 3) in CIE L*a*b* → a unit row (COLOR_DIM,): roots of the shares of its bins.

    Roots make the product of two rows the Bhattacharyya coefficient of their histograms.
    """
    number = np.zeros(len(pixels), np.int64)
    for column, edges in enumerate(LEVELS.values()):
        number = number * (len(edges) + 1) + np.searchsorted(edges, pixels[:, column])
    counts = np.bincount(number, minlength=COLOR_DIM)
    return np.sqrt(counts / len(pixels)).astype(np.float32)


def color_shares(pixels: NDArray[np.float32]) -> list[tuple[str, float]]:
    """Pixels (n, 3) in CIE L*a*b* → at most `MOST_COLORS` words with their shares, largest first.

    A pixel has the nearest of `ANCHORS`; words that may be said of one garment (navy and blue)
    are joined under the more frequent of them.
    """
    distances = np.linalg.norm(pixels[:, None] - _anchors(), axis=2)  # (n, words)
    counts = np.bincount(distances.argmin(1), minlength=len(ANCHORS)) / len(pixels)
    found: dict[str, float] = {}
    for place in np.argsort(-counts, kind="stable"):
        word, share = list(ANCHORS)[place], float(counts[place])
        if share == 0:
            break
        known = next((other for other in found if same_color(word, other)), word)
        found[known] = found.get(known, 0.0) + share
    ranked = sorted(found.items(), key=lambda pair: -pair[1])
    return [pair for pair in ranked if pair[1] >= SMALLEST_SHARE][:MOST_COLORS]


def join_features(vectors: Vectors, colors: NDArray[np.float32]) -> Vectors:
    """Unit rows (n, dim) and `color_features` (n, COLOR_DIM), side by side."""
    return np.concatenate([vectors, colors], axis=1)
