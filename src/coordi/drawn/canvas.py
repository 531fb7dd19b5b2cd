"""A supersampled sheet to draw garments on, in body units, with soft shading.

Shapes are drawn four times too large and reduced (Lanczos); shading is kept apart, at the final
size, where a blur is cheap, and laid on at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageChops, ImageDraw, ImageFilter

from coordi.drawn.fabric import Cloth
from coordi.drawn.palette import RGB

SUPERSAMPLE = 4

_CAST = [255 - level * 70 // 255 for level in range(256)]
"""How dark a piece's soft shadow makes what lies under it."""
_ROUND = [90 + level * 165 // 255 for level in range(256)]
"""How light a piece is between its edge and its middle."""

Point = tuple[float, float]
Points = Sequence[Point]


def bezier(start: Point, first: Point, second: Point, end: Point, steps: int = 14) -> list[Point]:
    """Walk a cubic Bézier curve, both ends included."""
    t = np.linspace(0, 1, steps)[:, None]
    a, b, c, d = (np.array(p, float) for p in (start, first, second, end))
    curve = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
    return [(float(x), float(y)) for x, y in curve]


def smooth(points: Points, closed: bool = False) -> list[Point]:
    """Lead a curve through all points: the Catmull-Rom spline, written as Bézier curves."""
    p = list(points)
    around = [p[-1], *p, p[0], p[1]] if closed else [p[0], *p, p[-1]]
    out: list[Point] = []
    for before, start, end, after in zip(around, around[1:], around[2:], around[3:], strict=False):
        first = (start[0] + (end[0] - before[0]) / 6, start[1] + (end[1] - before[1]) / 6)
        second = (end[0] - (after[0] - start[0]) / 6, end[1] - (after[1] - start[1]) / 6)
        out += bezier(start, first, second, end, 9)
    return out


def mirrored(points: Points) -> list[Point]:
    """Reflect on the body's centre line, walking the other way."""
    return [(-x, y) for x, y in reversed(points)]


class Canvas:
    """The shared layers under one or more pens: colour, and shading at the final size."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self.large = (size[0] * SUPERSAMPLE, size[1] * SUPERSAMPLE)
        self.ink = Pillow.new("RGBA", self.large, (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.ink)
        self.shade = Pillow.new("L", size, 255)
        self.folds = Pillow.new("L", size, 255)
        self.fold_blur = size[0] * 0.007

    def fill(self, polygon: list[Point], paint: Pillow.Image | RGB, blur: float) -> None:
        """Lay a piece of cloth on the sheet: it casts a soft shadow and has soft edges."""
        small_box = self._around(polygon, 3 * blur + 1)
        if small_box is None:
            return
        left, top, right, bottom = (edge * SUPERSAMPLE for edge in small_box)
        mask = Pillow.new("L", (right - left, bottom - top), 0)
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in polygon], fill=255)
        box = (left, top, right, bottom)
        cloth = paint.crop(box) if isinstance(paint, Pillow.Image) else (*paint, 255)
        self.ink.paste(cloth, box, mask)
        self._shade_piece(mask.reduce(SUPERSAMPLE), small_box, blur)

    def _around(self, polygon: list[Point], pad: float) -> tuple[int, int, int, int] | None:
        """Pixels of the final size that a piece touches, padded; None where it is outside."""
        xs, ys = zip(*polygon, strict=True)
        left = max(0, floor(min(xs) / SUPERSAMPLE - pad))
        top = max(0, floor(min(ys) / SUPERSAMPLE - pad))
        right = min(self.size[0], ceil(max(xs) / SUPERSAMPLE + pad))
        bottom = min(self.size[1], ceil(max(ys) / SUPERSAMPLE + pad))
        return (left, top, right, bottom) if left < right and top < bottom else None

    def _shade_piece(self, mask: Pillow.Image, box: tuple[int, int, int, int], blur: float) -> None:
        soft = mask.filter(ImageFilter.GaussianBlur(blur))
        below = self.shade.crop(box)
        shadow = Pillow.new("L", mask.size, 0)
        shadow.paste(soft, (0, round(blur * 0.6)))
        below = ImageChops.multiply(below, shadow.point(_CAST))
        below.paste(soft.point(_ROUND), mask=mask)
        self.shade.paste(below, box)

    def crease(self, points: list[Point], width: float, strength: int) -> None:
        """Mark a fold; all folds are blurred together at the end."""
        small = [(x / SUPERSAMPLE, y / SUPERSAMPLE) for x, y in points]
        draw = ImageDraw.Draw(self.folds)
        draw.line(small, fill=255 - strength, width=max(1, round(width / SUPERSAMPLE)))

    def finish(self) -> Pillow.Image:
        """Reduce to the final size and lay the shading on → RGBA."""
        out = Pillow.new("RGBA", self.size, (0, 0, 0, 0))
        used = self.ink.getbbox()
        box = self._around([used[:2], used[2:]], 1) if used else None
        if box is None:
            return out
        left, top, right, bottom = box
        large = (left * SUPERSAMPLE, top * SUPERSAMPLE, right * SUPERSAMPLE, bottom * SUPERSAMPLE)
        flat = self.ink.crop(large).resize(
            (right - left, bottom - top), Pillow.Resampling.LANCZOS, reducing_gap=2.0
        )
        soft = self.folds.crop(box).filter(ImageFilter.GaussianBlur(self.fold_blur))
        light = np.asarray(ImageChops.multiply(self.shade.crop(box), soft), np.float32) / 255
        out.paste(_lit(flat, light[..., None]), box)
        return out


def _lit(flat: Pillow.Image, light: NDArray[np.floating]) -> Pillow.Image:
    """Shade colours by light in [0, 1], (h, w, 1); lit cloth gains a little, even black."""
    rgba = np.asarray(flat, np.float32)
    rgb = rgba[..., :3] * (0.52 + 0.50 * light) + 16 * (light - 0.55)
    out = np.concatenate([rgb, rgba[..., 3:]], axis=2)
    return Pillow.fromarray(np.clip(out + 0.5, 0, 255).astype(np.uint8), "RGBA")


@dataclass(frozen=True)
class Pen:
    """Draws one garment on a canvas, in body units, through an affine map."""

    canvas: Canvas
    cloth: Cloth
    matrix: NDArray[np.float64]  # (2, 3): body units → pixels of the large sheet
    worn: bool = False
    """Whether a body is inside: then the inside of the back is not seen."""

    @cached_property
    def scale(self) -> float:
        """Pixels of the large sheet per body unit."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def at(self, x: float, y: float, scale: float, *, flip: bool = False, turn: float = 0) -> "Pen":
        """Give a pen for a thing with its own units: moved, scaled, turned (degrees), mirrored."""
        angle = np.deg2rad(turn)
        cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
        local = np.array([[cos, -sin, x], [sin, cos, y], [0, 0, 1]])
        if flip:
            local = local @ np.diag([-1.0, 1.0, 1.0])
        return replace(self, matrix=self.matrix @ local)

    def pixels(self, points: Points) -> list[Point]:
        """Map body units to pixels of the large sheet."""
        mapped = np.asarray(points, float) @ self.matrix[:, :2].T + self.matrix[:, 2]
        return [(float(x), float(y)) for x, y in mapped]

    def part(
        self, points: Points, color: RGB | None = None, *, turn: float = 0, edge: bool = True
    ) -> None:
        """Lay a piece of the cloth (turned by degrees), or of one colour, with an outline."""
        polygon = self.pixels(points)
        paint = color or self.cloth.paint(self.canvas.large, self.scale, turn)
        self.canvas.fill(polygon, paint, max(1.0, 0.085 * self.scale / SUPERSAMPLE))
        if edge:
            line = self.cloth.line if color is None else self.cloth.line_on(color)
            self._stroke([*polygon, polygon[0], polygon[1]], line, 0.022)

    def dye(self, points: Points, color: RGB) -> None:
        """Change the colour of a region, without an edge and without shading."""
        self.canvas.draw.polygon(self.pixels(points), fill=(*color, 255))

    def line(self, points: Points, color: RGB | None = None, width: float = 0.016) -> None:
        """Draw a seam."""
        self._stroke(self.pixels(points), color or self.cloth.line, width)

    def stitches(self, points: Points, color: RGB | None = None, dash: float = 0.05) -> None:
        """Draw a dashed seam; `points` are walked at even steps."""
        path = np.asarray(points, float)
        lengths = np.r_[0, np.cumsum(np.hypot(*np.diff(path, axis=0).T))]
        steps = np.arange(0, lengths[-1], dash)
        for step in steps:
            ends = np.clip([step, step + dash * 0.55], 0, lengths[-1])
            xs, ys = np.interp(ends, lengths, path[:, 0]), np.interp(ends, lengths, path[:, 1])
            self.line(list(zip(xs, ys, strict=True)), color, 0.013)

    def disc(self, x: float, y: float, radius: float, color: RGB, *, edge: bool = True) -> None:
        """Draw a button, an eyelet or another small round thing."""
        ((cx, cy),) = self.pixels([(x, y)])
        r = radius * self.scale
        box = (cx - r, cy - r, cx + r, cy + r)
        outline = self.cloth.line_on(color) if edge else None
        width = max(1, round(0.012 * self.scale))
        self.canvas.draw.ellipse(box, fill=(*color, 255), outline=outline, width=width)

    def fold(self, points: Points, strength: int = 70, width: float = 0.06) -> None:
        """Darken along a curve, softly."""
        self.canvas.crease(self.pixels(smooth(points)), width * self.scale, strength)

    def _stroke(self, pixels: list[Point], color: RGB, width: float) -> None:
        thick = max(1, round(width * self.scale))
        self.canvas.draw.line(pixels, fill=(*color, 255), width=thick, joint="curve")
