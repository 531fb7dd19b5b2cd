"""Cloth: a colour and a pattern, as an image that pieces are cut from."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil, cos, hypot, radians, sin

from PIL import Image as Pillow
from PIL import ImageDraw

from coordi.drawn.palette import RGB, blend, contrast_line


@dataclass
class Cloth:
    """The cloth of one garment; its image is drawn once per size, scale and turn."""

    color: RGB
    second: RGB
    pattern: str
    seed: int
    upright: bool = False
    """Whether stripes run along the body, as on trousers, and not around it."""
    fineness: float = 1.0
    """Size of the pattern; smaller on shoes, bags and hats, whose units are larger things."""
    _images: dict[tuple[tuple[int, int], float, float], Pillow.Image] = field(
        default_factory=dict, repr=False
    )

    @property
    def line(self) -> RGB:
        """Colour of seams and outlines."""
        return contrast_line(self.color)

    @property
    def inside(self) -> RGB:
        """Colour of the cloth's inner side, in shadow."""
        return blend(self.color, (40, 40, 50), 0.30)

    def line_on(self, color: RGB) -> RGB:
        """Colour of an outline around something that is not of this cloth."""
        return contrast_line(color)

    def paint(self, size: tuple[int, int], unit: float, turn: float = 0) -> Pillow.Image | RGB:
        """Draw the cloth, `unit` pixels per body unit, turned by `turn` degrees."""
        if self.pattern == "plain":
            return self.color
        turn = turn if self.pattern in ("stripes", "checks") else 0
        key = (size, round(unit, 3), turn)
        if key not in self._images:
            self._images[key] = self._draw(size, unit, turn)
        return self._images[key]

    def _draw(self, size: tuple[int, int], unit: float, turn: float) -> Pillow.Image:
        if self.upright and self.pattern == "stripes":
            turn += 90
        # What is turned is drawn as large as the diagonal, so that no corner stays bare.
        side = ceil(hypot(*size))
        image = Pillow.new("RGBA", (side, side) if turn else size, (*self.color, 255))
        draw = PATTERNS[self.pattern]
        draw(image, self.second, unit * self.fineness, random.Random(self.seed))
        if not turn:
            return image
        left, top = (side - size[0]) // 2, (side - size[1]) // 2
        turned = image.rotate(-turn, Pillow.Resampling.NEAREST)
        return turned.crop((left, top, left + size[0], top + size[1]))


def _stripes(image: Pillow.Image, second: RGB, unit: float, rng: random.Random) -> None:
    period = unit * rng.uniform(0.22, 0.30)
    share = rng.uniform(0.34, 0.48)
    draw = ImageDraw.Draw(image)
    for step in range(int(image.height / period) + 2):
        top = (step - 0.5) * period
        draw.rectangle((0, top, image.width, top + period * share), fill=second)


def _checks(image: Pillow.Image, second: RGB, unit: float, rng: random.Random) -> None:
    period = unit * rng.uniform(0.30, 0.40)
    ground = image.getpixel((0, 0))
    assert isinstance(ground, tuple)
    half = blend((ground[0], ground[1], ground[2]), second, 0.5)
    draw = ImageDraw.Draw(image)
    columns, rows = int(image.width / period) + 2, int(image.height / period) + 2
    band = period * 0.5
    for column in range(columns):
        draw.rectangle((column * period, 0, column * period + band, image.height), fill=half)
    for row in range(rows):
        draw.rectangle((0, row * period, image.width, row * period + band), fill=half)
    for column in range(columns):
        for row in range(rows):
            x, y = column * period, row * period
            draw.rectangle((x, y, x + band, y + band), fill=second)


def _dots(image: Pillow.Image, second: RGB, unit: float, rng: random.Random) -> None:
    period, radius = unit * rng.uniform(0.25, 0.31), unit * rng.uniform(0.062, 0.078)
    draw = ImageDraw.Draw(image)
    for row in range(int(image.height / period * 2) + 2):
        y = row * period / 2
        for column in range(int(image.width / period) + 2):
            x = (column + 0.5 * (row % 2)) * period
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=second)


def _floral(image: Pillow.Image, second: RGB, unit: float, rng: random.Random) -> None:
    stamps = [_flower(second, unit * rng.uniform(0.13, 0.17), turn) for turn in (0, 24, 48)]
    period = unit * 0.36
    for row in range(int(image.height / period) + 2):
        for column in range(int(image.width / period) + 2):
            x = (column + 0.5 * (row % 2) + rng.uniform(-0.16, 0.16)) * period
            y = (row + rng.uniform(-0.16, 0.16)) * period
            stamp = rng.choice(stamps)
            image.paste(stamp, (round(x - stamp.width / 2), round(y - stamp.height / 2)), stamp)


def _flower(color: RGB, radius: float, turn: float) -> Pillow.Image:
    side = max(8, round(radius * 2.6))
    stamp = Pillow.new("RGBA", (side, side), (*color, 0))
    draw = ImageDraw.Draw(stamp)
    middle, petal = side / 2, radius * 0.46
    leaf = (74, 128, 70, 255)
    draw.ellipse((0, middle - petal * 0.5, middle, middle + petal * 0.5), fill=leaf)
    for step in range(5):
        x, y = _polar(radius * 0.55, turn + step * 72)
        box = (middle + x - petal, middle + y - petal, middle + x + petal, middle + y + petal)
        draw.ellipse(box, fill=(*color, 255))
    heart = radius * 0.24
    draw.ellipse(
        (middle - heart, middle - heart, middle + heart, middle + heart), fill=(246, 200, 60, 255)
    )
    return stamp


def _polar(radius: float, degrees: float) -> tuple[float, float]:
    return radius * cos(radians(degrees)), radius * sin(radians(degrees))


PATTERNS: dict[str, Callable[[Pillow.Image, RGB, float, random.Random], None]] = {
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "floral": _floral,
}
"""How every pattern but "plain" is drawn onto a ground of the first colour."""
