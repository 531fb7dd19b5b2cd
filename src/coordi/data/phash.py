"""Perceptual hashes: pictures that look alike have hashes that differ in few bits."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from coordi.types import Image

FLAT = np.uint64(0)
"""The hash of pictures without any structure; it says nothing, so leave it out of comparisons."""

_SIDE = 32  # pixels of the reduced picture, and 8 × 8 of its frequencies
_FREQUENCIES = 8
_NOISE = 1.0  # grey levels: less contrast than rounding makes is none


def perceptual_hashes(images: Sequence[Image]) -> NDArray[np.uint64]:
    """Hash pictures (H, W, 3) of any sizes → (len(images),), 64 bits each.

    The DCT hash of the pHash library (Zauner 2010) as ImageHash writes it, our reconstruction:
    grey, 32 × 32, two-dimensional DCT-II, the 8 × 8 lowest frequencies, one bit each for lying
    above their median. The constant term is left out of the median and its bit is always set,
    so that no picture with structure has the hash `FLAT`. Scaling, recompression and slight
    changes of light move few bits; mirroring and cropping move many.
    """
    if not len(images):
        return np.empty(0, np.uint64)
    grey = np.stack([_grey(image) for image in images])  # (N, 32, 32), levels 0 to 255
    basis = _basis()
    low = (basis @ grey @ basis.T).reshape(len(grey), -1)  # (N, 64)
    bits = low > np.median(low[:, 1:], axis=1, keepdims=True)
    bits[:, 0] = True
    bits[np.ptp(grey, axis=(1, 2)) <= _NOISE] = False
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


def _grey(image: Image) -> NDArray[np.float32]:
    reduced = Pillow.fromarray(image).convert("L").resize((_SIDE, _SIDE), Pillow.Resampling.BOX)
    return np.asarray(reduced, np.float32)


@cache
def _basis() -> NDArray[np.float32]:
    """The lowest rows of the orthonormal DCT-II, (8, 32)."""
    k, n = np.arange(_FREQUENCIES)[:, None], np.arange(_SIDE)
    basis = np.cos(np.pi * k * (2 * n + 1) / (2 * _SIDE)) * np.sqrt(2 / _SIDE)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, np.float32)
