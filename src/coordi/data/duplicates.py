"""Near duplicates: the one definition by which splits are made and datasets are examined.

What stands before the background is cut out, so that a garment that was moved on the paper or
framed otherwise stays the same. Two pictures show nearly the same thing where the perceptual
hashes of their cut-outs differ in at most `BITS` of 64 and their thumbnails hardly differ in
shape and colour (`alike`). Either alone is wrong on packshots: whole pictures' hashes take
purses, glasses and shoes on white paper for each other, thumbnails all white shirts.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from coordi.data.phash import FLAT, perceptual_hashes
from coordi.types import Image

BITS = 8
"""Bits of the hashes that may differ."""
MOST, AVERAGE = 40, 4.0
"""Levels by which thumbnails may differ: any pixel, and on average."""
_SHAPE = 0.05  # and logarithms of width over height
TINY = 12
"""Side of the thumbnail of a cut-out."""

CUTOUT = np.dtype(
    [
        ("hash", "<u8"),  # perceptual hash of the box around what is not background
        ("aspect", "<f4"),  # its width over its height
        ("tiny", "u1", (TINY, TINY, 3)),  # its RGB
    ]
)
"""What is kept of a picture."""

_SQUARE = 64  # pixels of the square on which the background is measured
_LEVELS = 24  # difference to it in any channel from which on a pixel is taken for the garment
_SPECKS = 0.01  # share of a row or column of pixels that may be dirt on the paper
_BLOCK = 1024  # hashes that are compared with all others at once


def cutout(image: Image) -> NDArray[np.void]:
    """Measure one picture (H, W, 3) → a scalar of `CUTOUT`."""
    whole = Pillow.fromarray(image)
    square = np.asarray(whole.resize((_SQUARE, _SQUARE), Pillow.Resampling.BOX))
    box = _box(image, np.median(frame(square), axis=0))
    cut = whole.crop(box)
    out = np.zeros((), CUTOUT)
    out["hash"] = perceptual_hashes([np.asarray(cut)])[0]
    out["aspect"] = cut.width / cut.height
    out["tiny"] = np.asarray(whole.resize((TINY, TINY), Pillow.Resampling.BOX, box))
    return out


def frame(square: NDArray[Any]) -> NDArray[Any]:
    """The outermost pixels of (side, side, 3) → (n, 3)."""
    return np.concatenate([square[0], square[-1], square[1:-1, 0], square[1:-1, -1]])


def _box(image: Image, ground: NDArray[np.floating]) -> tuple[int, int, int, int]:
    """The box around all that is not background, in pixels; the whole picture where all is."""
    apart = np.abs(image.astype(np.int16) - ground.astype(np.int16)).max(2) > _LEVELS
    rows = np.flatnonzero(apart.mean(1) > _SPECKS)
    columns = np.flatnonzero(apart.mean(0) > _SPECKS)
    if not (len(rows) and len(columns)):
        return 0, 0, image.shape[1], image.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def near_pairs(cutouts: NDArray[np.void]) -> NDArray[np.int64]:
    """All pairs of near duplicates among (n,) of a type that has `CUTOUT`'s fields → (pairs, 2).

    Pairs are (lower row, higher row), in ascending order. Flat pictures are like none.
    """
    rows = np.flatnonzero(cutouts["hash"] != FLAT)
    pairs = rows[hamming_pairs(cutouts["hash"][rows], BITS)]
    parts = np.array_split(pairs, len(pairs) // _BLOCK + 1)  # thumbnails of few pairs at once
    return np.concatenate([p[alike(cutouts[p[:, 0]], cutouts[p[:, 1]])] for p in parts])


def hamming_pairs(hashes: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    """All pairs of hashes (n,) that differ in at most `bits` of 64 → (pairs, 2), ordered as above.

    Exact, by comparing all with all. A large set of equal hashes gives a number of pairs
    quadratic in its size: leave those of flat pictures out.
    """
    import faiss  # slow to load, and few commands compare pictures

    codes = np.ascontiguousarray(hashes, np.uint64).view(np.uint8).reshape(-1, 8)
    index = faiss.IndexBinaryFlat(64)
    index.add(codes)
    found = [np.empty((0, 2), np.int64)]
    for start in range(0, len(codes), _BLOCK):
        # FAISS takes what lies strictly within the radius.
        limits, _, near = index.range_search(codes[start : start + _BLOCK], bits + 1)
        first = start + np.repeat(np.arange(len(limits) - 1), np.diff(limits).astype(np.int64))
        pairs = np.stack([first, near.astype(np.int64)], axis=1)[first < near]
        found.append(pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))])
    return np.concatenate(found)


def alike(first: NDArray[np.void], second: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which of two lists of cut-outs (n,) have one shape and one colour.

    Their boxes have one shape within 5%; no pixel of the thumbnails is further apart than 40
    levels, nor the average one than 4. The rim, which takes in the background, does not count.
    """
    gaps = np.abs(first["tiny"].astype(np.int16) - second["tiny"])[:, 1:-1, 1:-1]
    gaps = gaps.reshape(len(first), 3 * (TINY - 2) ** 2)
    shape = np.abs(np.log(first["aspect"] / second["aspect"]))
    return np.asarray((gaps.max(1) <= MOST) & (gaps.mean(1) <= AVERAGE) & (shape <= _SHAPE), bool)
