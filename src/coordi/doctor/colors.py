"""Colours in numbers: sRGB to CIE L*a*b*, and the colour word that is nearest to a colour."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from coordi.data.vocabulary import COLORS, ancestors, relation
from coordi.drawn.palette import COLORS as DYES

_TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], np.float32
)
_WHITE = np.array([0.9505, 1.0, 1.089], np.float32)  # D65


def lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """SRGB in 0 to 255, (n, 3), to CIE L*a*b* under D65, (n, 3)."""
    xyz = _linear()[rgb] @ _TO_XYZ.T / _WHITE
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + np.float32(16 / 116))
    out = np.empty_like(root)
    out[:, 0] = 116 * root[:, 1] - 16
    out[:, 1] = 500 * (root[:, 0] - root[:, 1])
    out[:, 2] = 200 * (root[:, 1] - root[:, 2])
    return out


@cache
def _linear() -> NDArray[np.float32]:
    """Linear light of the 256 levels of sRGB."""
    unit = np.arange(256, dtype=np.float32) / 255
    return np.where(unit > 0.04045, ((unit + 0.055) / 1.055) ** 2.4, unit / 12.92)


def measured_words(colors: NDArray[np.float32], certain: float = 0.8) -> list[str | None]:
    """The colour word nearest to each of (n, 3) L*a*b* colours, among those of the drawn wardrobe.

    None where a second, unrelated word is nearly as near: where the ratio of the two distances
    is above `certain`. Navy and blue are related, so either may be next to the other.
    """
    names = list(DYES)
    anchors = lab(np.array([DYES[name] for name in names], np.uint8))
    distances = np.linalg.norm(colors[:, None] - anchors, axis=2)  # (n, words)
    related = np.array([[same_color(a, b) for b in names] for a in names])
    first = distances.argmin(1)
    nearest = distances[np.arange(len(colors)), first]
    rivals = np.where(related[first], np.inf, distances).min(1)
    sure = nearest < certain * rivals
    return [names[at] if ok else None for at, ok in zip(first, sure, strict=True)]


def contradicted(word: str, colors: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of (n, 3) L*a*b* colours a garment of this canonical colour can hardly have.

    A gray colour (black, grey, white) is contradicted by chroma, or by a lightness far off; a
    chromatic one by plain gray that is not dark (dark cloth loses its hue), or by a hue far off.
    A colour that the drawn wardrobe has no value for is never contradicted.
    """
    named = next((name for name in (word, *ancestors(word, COLORS)) if name in DYES), None)
    if named is None or (named != word and named in ("white", "grey")):
        return np.zeros(len(colors), bool)  # cream is hardly white, charcoal hardly grey
    anchor = lab(np.array([DYES[named]], np.uint8))[0]
    chroma = np.hypot(colors[:, 1], colors[:, 2])
    light, hue = colors[:, 0], np.arctan2(colors[:, 2], colors[:, 1])
    if np.hypot(anchor[1], anchor[2]) < _GRAY:
        far = np.abs(light - anchor[0]) > _FAR
        return np.asarray(far | (chroma > 1.5 * _GRAY), bool)
    turn = np.abs(np.angle(np.exp(1j * (hue - np.arctan2(anchor[2], anchor[1])))))
    dark_and_pale = (light < _DARK) & (anchor[0] > 60)
    plain = (chroma < _GRAY / 2) & ((light > _DARK) | dark_and_pale)
    return np.asarray(plain | ((chroma > _GRAY) & (turn > np.radians(_TURN))), bool)


_GRAY = 10.0
"""Chroma below which a colour is gray."""
_FAR = 35.0
"""Difference in lightness that light and camera do not make."""
_DARK = 25.0
"""Lightness below which cloth shows no hue."""
_TURN = 60.0
"""Degrees of hue that light and camera do not make."""


def same_color(first: str, second: str) -> bool:
    """Whether two canonical colours may both be said of one garment (navy and blue)."""
    return relation(first, second, COLORS) >= 0 or relation(second, first, COLORS) >= 0
