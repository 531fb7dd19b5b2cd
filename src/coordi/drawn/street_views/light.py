"""Light and camera: folds, shade, colour cast, blur, grain, and what a JPEG file leaves of it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageFilter

from coordi.data.images import decode_image, encode_jpeg
from coordi.types import Image

Field = NDArray[np.float32]
"""A factor per pixel: (height, width)."""


def folds(size: tuple[int, int], rng: np.random.Generator) -> Field:
    """Shading as folds cast it: soft patches and a few slanting streaks, about 1."""
    patches = _noise(size, (6, 8), rng) * rng.uniform(0.04, 0.12)
    streaks = _noise(size, (14, 5), rng) * rng.uniform(0.02, 0.09)
    return np.asarray(1 + patches + streaks, np.float32)


def _noise(size: tuple[int, int], cells: tuple[int, int], rng: np.random.Generator) -> Field:
    """Smooth noise of unit height from a coarse random grid (columns, rows)."""
    coarse = rng.standard_normal((cells[1], cells[0])).astype(np.float32)
    return np.asarray(Pillow.fromarray(coarse).resize(size, Pillow.Resampling.BICUBIC))


def relight(pixels: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Change gain, colour cast, gamma, and let a slope of shade run over (h, w, 3), in 0 to 255.

    The cast stays within a tenth per channel: a person would still name the colour the same.
    """
    height, width = pixels.shape[:2]
    cast = 1 + np.array([1, rng.uniform(-0.3, 0.3), -1]) * rng.normal(0, 0.045)
    gain = rng.uniform(0.72, 1.12) * np.clip(cast, 0.9, 1.1)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    slope = 1 + rng.uniform(0, 0.18) * (np.cos(angle) * x + np.sin(angle) * y)
    lit = pixels * slope[..., None].astype(np.float32) * (gain / 255).astype(np.float32)
    return np.asarray(255 * np.clip(lit, 0, 1) ** np.float32(rng.uniform(0.85, 1.18)))


def match_light(garment: NDArray[np.float32], scene: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pull the garment's light a little towards the scene's: a dark street has dark garments."""
    mean = float(scene.mean())
    return np.asarray(garment * np.clip(0.78 + 0.27 * mean / 128, 0.8, 1.1), np.float32)


def photographed(pixels: NDArray[np.float32], rng: np.random.Generator) -> Image:
    """What a telephone makes of the scene (h, w, 3): lost sharpness, grain, a JPEG file."""
    clipped = np.clip(pixels, 0, 255).astype(np.uint8)
    picture = _unsharp(Pillow.fromarray(clipped), rng)
    noisy = np.asarray(picture, np.float32)
    grain = rng.standard_normal(noisy.shape[:2], dtype=np.float32)
    noisy = noisy + grain[..., None] * np.float32(rng.uniform(0.5, 6.0))
    taken = np.clip(noisy + 0.5, 0, 255).astype(np.uint8)
    return decode_image(encode_jpeg(taken, quality=int(rng.integers(42, 88))))


def _unsharp(picture: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    chance = rng.random()
    if chance < 0.4:
        return picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    if chance < 0.65:
        share = rng.uniform(0.45, 0.8)
        small = tuple(max(8, round(side * share)) for side in picture.size)
        less = picture.resize((small[0], small[1]), Pillow.Resampling.BILINEAR)
        return less.resize(picture.size, Pillow.Resampling.BICUBIC)
    return picture
