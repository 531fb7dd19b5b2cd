"""Encoders that know nothing of garments: what a number must beat before it means anything."""

from collections.abc import Callable, Mapping

import numpy as np
import xxhash
from numpy.typing import NDArray
from PIL.Image import Resampling

from coordi.models.encoders.preprocessing import Preprocessing
from coordi.models.encoders.tower import TowerEncoder, chosen_dim

_SIDE = 64
_BINS = 8
_RANDOM_DIM = 64


def random_encoder(dim: int | None = None) -> TowerEncoder:
    """Unit rows drawn by the picture's content: the same picture twice is the same row."""
    full = chosen_dim("random", _RANDOM_DIM, (), dim)
    size = Preprocessing((_SIDE, _SIDE), None, Resampling.BOX, scale=1.0)
    return TowerEncoder("random", _fingerprint("random", 1), full, (size, _random_rows))


def color_histogram(dim: int | None = None) -> TowerEncoder:
    """Square roots of a histogram over 8 × 8 × 8 RGB cells of the picture's middle quarter.

    Their cosine is the Bhattacharyya coefficient of two histograms. The middle shows more of the
    garment and less of the background.
    """
    full = chosen_dim("color-histogram", _BINS**3, (), dim)
    middle = (_SIDE // 2, _SIDE // 2)
    size = Preprocessing((_SIDE, _SIDE), middle, Resampling.BOX, scale=1.0)
    name = "color-histogram"
    return TowerEncoder(name, _fingerprint(name, 1), full, (size, _histograms))


CONTROLS: Mapping[str, Callable[[int | None], TowerEncoder]] = {
    "random": random_encoder,
    "color-histogram": color_histogram,
}
"""Name → how to open it; `open_encoder` takes these names too."""


def _random_rows(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    seeds = [xxhash.xxh3_64_intdigest(picture.tobytes()) for picture in pixels]
    rows = [np.random.default_rng(seed).standard_normal(_RANDOM_DIM) for seed in seeds]
    return np.asarray(rows, np.float32)


def _histograms(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pixels (B, 3, h, w) in [0, 255] → (B, 512)."""
    levels = pixels.astype(np.int64) * _BINS // 256
    cells = (levels[:, 0] * _BINS + levels[:, 1]) * _BINS + levels[:, 2]  # (B, h, w)
    counts = [np.bincount(cell.ravel(), minlength=_BINS**3) for cell in cells]
    return np.sqrt(np.asarray(counts, np.float32))


def _fingerprint(name: str, version: int) -> str:
    """Changes where `version` is raised: there are no weights to tell by."""
    return xxhash.xxh3_64_hexdigest(f"{name} {version}".encode())
