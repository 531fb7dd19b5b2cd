"""A small honest encoder for tests: histograms of colour, for pictures and for colour words.

Run as a script it is the command line with this encoder in the place of every other:
`python tests/fakes.py ingest catalog.csv --store DIR`.
"""

import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageColor

from coordi.geometry import unit_rows
from coordi.types import Encoder, Image, Vectors

SIDE = 16
BINS = 4
DELAY = float(os.environ.get("FAKE_ENCODER_DELAY", "0"))
"""Seconds that a batch takes, so that a test can interrupt it."""


class ColorHistogram:
    """Pictures and colour words as the square roots of a histogram over 4 × 4 × 4 colours."""

    image_size = SIDE
    dim = BINS**3

    def __init__(
        self,
        name: str = "color-histogram",
        fingerprint: str = "c0105c0105c01050",
        modalities: frozenset[str] = frozenset({"image", "text"}),
    ) -> None:
        self.name, self.fingerprint, self.modalities = name, fingerprint, modalities
        self.encoded = 0
        """Pictures encoded so far."""

    def prepare(self, image: Image) -> NDArray[Any]:
        small = Pillow.fromarray(image).resize((SIDE, SIDE), Pillow.Resampling.BOX)
        return np.asarray(small, dtype=np.uint8).transpose(2, 0, 1)

    def encode_prepared(self, batch: NDArray[Any]) -> Vectors:
        time.sleep(DELAY)
        self.encoded += len(batch)
        levels = batch.astype(np.int64) * BINS // 256  # (B, 3, h, w)
        cells = (levels[:, 0] * BINS + levels[:, 1]) * BINS + levels[:, 2]
        rows = [np.bincount(c.ravel(), minlength=self.dim) for c in cells]
        return unit_rows(np.sqrt(np.array(rows, dtype=np.float32).reshape(-1, self.dim)))

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        return self.encode_prepared(np.stack([self.prepare(image) for image in images]))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return unit_rows(np.stack([self._text(text) for text in texts]))

    def unknown_words(self, text: str) -> tuple[str, ...]:
        words = text.lower().split()
        return tuple(word for word in words if word not in ImageColor.colormap)

    def cut_from(self, text: str) -> str:
        return ""

    def _text(self, text: str) -> Vectors:
        colors = [word for word in text.lower().split() if word in ImageColor.colormap]
        swatches = [
            np.full((SIDE, SIDE, 3), ImageColor.getrgb(color), np.uint8) for color in colors
        ]
        if not swatches:
            return np.full(self.dim, self.dim**-0.5, dtype=np.float32)
        return self.encode_images(swatches).sum(axis=0)


def open_fake(name: str, *, dim: int | None = None) -> Encoder:
    """Stands in for `coordi.models.opening.open_encoder`; another name, another fingerprint."""
    from coordi.errors import UnknownNameError

    known = {
        "coordi-mini": ColorHistogram("coordi-mini"),
        "color-histogram": ColorHistogram(),
        "other": ColorHistogram("other", "0123456789abcdef"),
        "pictures-only": ColorHistogram("pictures-only", "f" * 16, frozenset({"image"})),
    }
    if name not in known:
        raise UnknownNameError("encoder", name, known)
    return known[name]


if __name__ == "__main__":
    import coordi.models.opening as opening
    from coordi.cli import main

    opening.open_encoder = open_fake
    main()
