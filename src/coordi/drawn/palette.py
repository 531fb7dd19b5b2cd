"""The sixteen colours of the drawn wardrobe: their names, their values, and how they relate."""

import random
from math import dist

RGB = tuple[int, int, int]

COLORS: dict[str, RGB] = {
    "black": (34, 34, 38),
    "white": (250, 250, 248),
    "grey": (146, 148, 152),
    "navy": (30, 42, 84),
    "blue": (40, 92, 190),
    "light blue": (160, 202, 236),
    "red": (206, 34, 42),
    "burgundy": (112, 22, 46),
    "pink": (242, 152, 182),
    "orange": (238, 124, 34),
    "yellow": (248, 210, 66),
    "green": (38, 134, 74),
    "olive": (110, 112, 54),
    "brown": (114, 72, 44),
    "beige": (220, 198, 162),
    "purple": (118, 62, 154),
}

NEUTRALS = frozenset({"black", "white", "grey", "navy", "beige", "brown"})
"""Colours that go with every other colour."""

HUES = {
    "red": 0,
    "orange": 25,
    "yellow": 48,
    "olive": 61,
    "green": 142,
    "light blue": 207,
    "blue": 219,
    "purple": 276,
    "pink": 340,
    "burgundy": 344,
}
"""Angle on the colour wheel, in degrees, of every colour that is not neutral."""


def jittered(name: str, rng: random.Random) -> RGB:
    """Give one dye lot of a named colour: up to 9 levels off, nearly alike in each channel."""
    shift = rng.randint(-6, 6)
    red, green, blue = (min(252, max(22, c + shift + rng.randint(-3, 3))) for c in COLORS[name])
    return red, green, blue


def contrast(first: str, second: str) -> bool:
    """Whether a pattern of one colour is seen at a glance on a ground of the other."""
    return dist(COLORS[first], COLORS[second]) >= 110


def luminance(color: RGB) -> float:
    """Perceived brightness from 0 to 255 (ITU-R BT.601 weights)."""
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]


def blend(first: RGB, second: RGB, share: float) -> RGB:
    """Mix two colours; `share` of the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def contrast_line(color: RGB) -> RGB:
    """Pick the colour of seams and outlines: darker than the cloth, lighter on dark cloth."""
    if luminance(color) < 62:
        return blend(color, (255, 255, 255), 0.24)
    return blend(color, (20, 20, 30), 0.42)
