"""A garment alone on a white ground, as a shop's product picture shows it."""

import random
from collections.abc import Callable

import numpy as np
from PIL import Image as Pillow
from PIL import ImageFilter

from coordi.drawn import accessories, bottoms, tops
from coordi.drawn.canvas import SUPERSAMPLE, Canvas, Pen
from coordi.drawn.fabric import Cloth
from coordi.drawn.garments import Garment
from coordi.drawn.palette import jittered
from coordi.types import Image

Frame = tuple[float, float, float, float]
"""What a picture shows, in the units of the drawing: left, top, right, bottom."""

DRAW: dict[str, Callable[[Pen, Garment], None]] = {
    "tee": tops.draw_tee,
    "shirt": tops.draw_shirt,
    "knit": tops.draw_knit,
    "hoodie": tops.draw_hoodie,
    "cardigan": tops.draw_cardigan,
    "blazer": tops.draw_blazer,
    "jacket": tops.draw_jacket,
    "coat": tops.draw_coat,
    "dress": tops.draw_dress,
    "skirt": bottoms.draw_skirt,
    "trousers": bottoms.draw_trousers,
    "jeans": bottoms.draw_jeans,
    "shorts": bottoms.draw_shorts,
    "sneakers": accessories.draw_sneaker,
    "boots": accessories.draw_boot,
    "pumps": accessories.draw_pump,
    "bag": accessories.draw_bag,
    "hat": accessories.draw_hat,
    "scarf": accessories.draw_scarf,
}
"""How each kind is drawn."""

_FINENESS = {"shoes": 0.55, "bag": 0.7, "hat": 0.6}
_HAT_FRAME = (-0.98, -0.62, 0.98, 0.72)

SHOES = frozenset({"sneakers", "boots", "pumps"})


def cloth_of(garment: Garment) -> Cloth:
    """Dye the cloth of a garment."""
    rng = random.Random(garment.jitter)
    color, second = jittered(garment.color, rng), jittered(garment.second_color, rng)
    upright = garment.kind == "trousers"
    fineness = _FINENESS.get(garment.slot, 1.0)
    return Cloth(color, second, garment.pattern, garment.jitter, upright, fineness)


def frame_of(garment: Garment) -> Frame:
    """Choose what the picture of a garment shows: all of it, with little around."""
    if garment.kind in SHOES:
        tall = garment.length == "knee-high"
        return (-0.30, -1.72, 1.52, 0.30) if tall else (-0.16, -1.0, 1.36, 0.34)
    if garment.slot == "bag":
        return (-0.72, -0.75, 0.72, 1.12)
    if garment.slot == "hat":
        return (-0.58, -0.62, 0.98, 0.72) if garment.silhouette == "cap" else _HAT_FRAME
    if garment.slot == "scarf":
        return (-0.9, 0.9, 0.9, 4.7 if garment.length == "long" else 3.4)
    if garment.slot == "bottom":
        hems = bottoms.SKIRT_HEMS if garment.kind == "skirt" else bottoms.LEG_HEMS
        return (-1.2, bottoms.WAIST - 0.08, 1.2, hems[garment.length] + 0.2)
    top = 0.55 if garment.kind == "hoodie" else 0.96
    wrist = 3.95 if garment.sleeve in ("long", "three-quarter", "") else 3.4
    return (-1.5, top, 1.5, max(tops.HEMS[garment.length] + 0.25, wrist))


def _fit(
    frame: Frame, size: int, margin: float
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    left, top, right, bottom = frame
    side = size * SUPERSAMPLE
    scale = side * (1 - 2 * margin) / max(right - left, bottom - top)
    x = side / 2 - scale * (left + right) / 2
    y = side / 2 - scale * (top + bottom) / 2
    return np.array([[scale, 0, x], [0, scale, y]])


def draw_cutout(garment: Garment, size: int) -> Pillow.Image:
    """Draw a garment alone on nothing → RGBA, size × size."""
    canvas = Canvas((size, size))
    rng = random.Random(garment.jitter + 1)
    pen = Pen(canvas, cloth_of(garment), _fit(frame_of(garment), size, rng.uniform(0.05, 0.08)))
    if garment.kind in SHOES:
        far = pen.at(0.22, -0.13, 0.95)
        DRAW[garment.kind](far, garment)
    DRAW[garment.kind](pen, garment)
    return canvas.finish()


def draw_garment(garment: Garment, size: int = 256) -> Image:
    """Draw the product picture of a garment → (size, size, 3), on off-white, with a soft shadow.

    The same garment gives the same pixels, on one machine and one version of Pillow.
    """
    cutout = draw_cutout(garment, size)
    ground = Pillow.new("RGB", (size, size), (247, 246, 244))
    shadow = Pillow.new("L", (size, size), 0)
    shadow.paste(cutout.getchannel("A"), (round(size * 0.012), round(size * 0.022)))
    shadow = shadow.filter(ImageFilter.GaussianBlur(size * 0.02)).point(lambda v: v * 80 // 255)
    ground.paste((96, 94, 100), mask=shadow)
    ground.paste(cutout, mask=cutout)
    return np.asarray(ground)
