"""One street view: garment, shadow and what covers it, laid over a backdrop and photographed."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFilter

from coordi.drawn.street_views.backdrops import BEFORE, WORN, Backdrop, Size
from coordi.drawn.street_views.cutout import Cutout, cut_out
from coordi.drawn.street_views.light import folds, match_light, photographed, relight
from coordi.drawn.street_views.warp import place
from coordi.types import Box, Image

_AREA = (0.14, 0.42)  # share of the view that the garment's rectangle takes
_WIDEST, _HIGHEST = 0.8, 0.86
_LEAST_SEEN = 0.6  # share of the garment that stays uncovered
_SKINS = ((236, 200, 174), (214, 168, 134), (176, 128, 94), (120, 82, 58), (84, 58, 46))


def street_view(
    packshot: Image, background: Image, rng: np.random.Generator, size: Size = (240, 320)
) -> tuple[Image, Box]:
    """Make a packshot (h, w, 3) into a street view of `size` (width, height) → view and box.

    The box holds what can be seen of the garment. The same arguments, with a generator in the
    same state, give the same pixels. Raises `ImageError` where the garment cannot be cut out.
    """
    scene = np.asarray(Pillow.fromarray(background).resize(size, Pillow.Resampling.BICUBIC))
    return paste_view(cut_out(packshot), Backdrop(scene), rng)


def paste_view(cutout: Cutout, backdrop: Backdrop, rng: np.random.Generator) -> tuple[Image, Box]:
    """Lay a cut-out over a backdrop of the view's size; see `street_view`."""
    height, width = backdrop.image.shape[:2]
    center, target = _where(cutout, backdrop, rng)
    layer = place(cutout, (width, height), center, target, rng)
    alpha = np.asarray(layer[..., 3:] / 255, np.float32)  # (H, W, 1)
    scene = backdrop.image.astype(np.float32)
    garment = np.multiply(
        match_light(layer[..., :3], scene), folds((width, height), rng)[..., None]
    )
    shaded = scene * (1 - _shadow(alpha, target, rng))
    front, front_pixels = _covering(backdrop, alpha[..., 0], rng)
    seen = np.asarray(alpha * (1 - front[..., None]), np.float32)
    worn = shaded * (1 - alpha) + garment * alpha
    whole = worn * (1 - front[..., None]) + front_pixels * front[..., None]
    return photographed(relight(whole, rng), rng), _box(seen[..., 0])


def _where(
    cutout: Cutout, backdrop: Backdrop, rng: np.random.Generator
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Centre and size of the garment in pixels: on the person where there is one."""
    height, width = backdrop.image.shape[:2]
    aspect = cutout.shape[1] / cutout.shape[0]
    area = rng.uniform(*_AREA) * width * height
    wide = min(np.sqrt(area * aspect), _WIDEST * width, _HIGHEST * height * aspect)
    target = (float(max(wide, 8)), float(max(wide / aspect, 8)))
    middle = np.array([width / 2, height / 2])
    if backdrop.layers is not None and (backdrop.layers >= WORN).any():
        ys, xs = np.nonzero(backdrop.layers >= WORN)
        middle = np.array([np.median(xs), rng.choice(ys)])
    spread = np.array([0.05 * width, 0.06 * height])
    center = middle + rng.normal(0, 1, 2) * spread
    half = np.array(target) / 2
    low = np.minimum(half, [width / 2, height / 2])
    center = np.clip(center, low, [width, height] - low)
    return (float(center[0]), float(center[1])), target


def _shadow(
    alpha: NDArray[np.float32], target: tuple[float, float], rng: np.random.Generator
) -> NDArray[np.float32]:
    """How much light the garment takes from what lies behind it: (H, W, 1) in 0 to 1."""
    reach = max(1.0, 0.03 * min(target))
    mask = Pillow.fromarray((255 * alpha[..., 0]).astype(np.uint8))
    moved = Pillow.new("L", mask.size)
    right, down = (int(v) for v in rng.normal(0, reach, 2))
    moved.paste(mask, (right, down))
    blurred = np.asarray(moved.filter(ImageFilter.GaussianBlur(reach)), np.float32)
    return np.asarray(blurred[..., None] / 255 * rng.uniform(0.15, 0.5), np.float32)


def _covering(
    backdrop: Backdrop, alpha: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What stands before the garment: its cover (H, W) in 0 to 1, and its pixels (H, W, 3).

    Hands, hair and bags of the person, now and then one of the person's garments (an open
    jacket, a belt); a drawn arm where nobody is known to stand there. Covers that would hide
    the garment are left out.
    """
    pixels = backdrop.image.astype(np.float32)
    cover = np.zeros(alpha.shape, np.float32)
    if backdrop.layers is None:
        drawn, color = _arm(alpha.shape, rng)
        pixels, offered = np.broadcast_to(color, pixels.shape), [drawn]
    else:
        chosen = [BEFORE] if rng.random() < 0.8 else []
        garments = np.unique(backdrop.layers[backdrop.layers >= WORN])
        if len(garments) and rng.random() < 0.3:
            chosen.append(int(rng.choice(garments)))
        offered = [_softened(backdrop.layers == value) for value in chosen]
    for part in offered:
        joined = np.maximum(cover, part)
        if (alpha * (1 - joined)).sum() >= _LEAST_SEEN * alpha.sum():
            cover = joined
    return cover, np.asarray(pixels, np.float32)


def _softened(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    picture = Pillow.fromarray((255 * mask).astype(np.uint8))
    blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.8)), np.float32)
    return np.asarray(blurred / 255, np.float32)


def _arm(
    shape: tuple[int, ...], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A bent stroke in a skin's colour from a side of the view to its middle, or none."""
    height, width = shape
    sheet = Pillow.new("L", (width, height))
    if rng.random() < 0.6:
        side = float(rng.choice([0.0, 1.0])) * width
        points = [
            (side, height * rng.uniform(0.1, 0.5)),
            (0.5 * side + width * rng.uniform(0.15, 0.35), height * rng.uniform(0.45, 0.7)),
            (width * rng.uniform(0.35, 0.65), height * rng.uniform(0.4, 0.8)),
        ]
        thick = round(width * rng.uniform(0.05, 0.1))
        ImageDraw.Draw(sheet).line(points, 255, thick, joint="curve")
    cover = np.asarray(sheet.filter(ImageFilter.GaussianBlur(1.0)), np.float32)
    return np.asarray(cover / 255, np.float32), np.asarray(
        _SKINS[int(rng.integers(len(_SKINS)))], np.float32
    )


def _box(seen: NDArray[np.float32]) -> Box:
    """The rectangle of what is seen, as shares of width and height."""
    height, width = seen.shape
    inside = seen > 0.4
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(rows):
        return 0.0, 0.0, 1.0, 1.0
    return (
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )
