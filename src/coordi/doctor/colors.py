"""Colour words against measured colours: the nearest word, and words that cannot be true."""

import numpy as np
from numpy.typing import NDArray

from coordi.data.colors import lab, same_color
from coordi.data.vocabulary import COLORS, ancestors
from coordi.drawn.palette import COLORS as DYES


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
