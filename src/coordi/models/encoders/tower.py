"""The one encoder class: preprocessing and two towers, whatever runs them."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from coordi.errors import EncoderError
from coordi.geometry import truncate, unit_rows
from coordi.models.encoders.preprocessing import Preprocessing
from coordi.types import Image, Vectors

_Row = TypeVar("_Row")

_IMAGES = 32
_TEXTS = 64
"""Rows per call of a tower: enough to fill two to sixteen cores, small enough for any memory."""

ImageRun = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Normalised pixels (B, 3, h, w) → (B, width), of any length."""

TextRun = Callable[[Sequence[str]], NDArray[np.float32]]
"""Sentences → (B, width), of any length."""

Unknown = Callable[[str], tuple[str, ...]]
"""Sentence → its parts that the vocabulary lacks."""


@dataclass(frozen=True, slots=True)
class TowerEncoder:
    """An `Encoder` (coordi.types) over an image tower, a text tower, or both."""

    name: str
    fingerprint: str
    dim: int
    image: tuple[Preprocessing, ImageRun] | None = None
    text: TextRun | None = None
    unknown: Unknown | None = None
    """None where the vocabulary cannot tell."""
    beyond: Callable[[str], str] | None = None
    """Sentence → what of it is cut at the tower's length; None where it cannot tell."""

    @property
    def modalities(self) -> frozenset[str]:
        """Which of "image" and "text" it takes."""
        pairs = (("image", self.image), ("text", self.text))
        return frozenset(name for name, tower in pairs if tower is not None)

    @property
    def image_size(self) -> int:
        """Shortest side, in pixels, below which a larger picture brings nothing more."""
        return 0 if self.image is None else self.image[0].side

    def prepare(self, image: Image) -> NDArray[np.uint8]:
        """Resize and crop one picture (H, W, 3) → (3, h, w) bytes; thread-safe."""
        return self._image_tower()[0].prepare(image)

    def encode_prepared(self, batch: NDArray[Any]) -> Vectors:
        """Encode prepared pictures (B, 3, h, w) → (B, dim)."""
        preprocessing, run = self._image_tower()
        if len(batch) == 0:
            return np.empty((0, self.dim), np.float32)
        return self._rows(run(preprocessing.normalise(batch)))

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """Encode pictures of any sizes → (len(images), dim), preparing ahead in threads."""
        preprocessing, _ = self._image_tower()
        if len(images) == 1:
            return self.encode_prepared(preprocessing.prepare(images[0])[None])
        out = np.empty((len(images), self.dim), np.float32)
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            prepared = [
                threads.submit(lambda part: np.stack([preprocessing.prepare(i) for i in part]), p)
                for p in _parts(images, _IMAGES)
            ]
            for number, batch in enumerate(prepared):
                rows = self.encode_prepared(batch.result())
                out[number * _IMAGES : number * _IMAGES + len(rows)] = rows
        return out

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode sentences → (len(texts), dim); too long ones are cut at the tower's length."""
        if self.text is None:
            raise EncoderError(f"{self.name} takes pictures only; choose one that takes text too")
        out = np.empty((len(texts), self.dim), np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # like lengths: less padding
        for part in _parts(order, _TEXTS):
            out[part] = self._rows(self.text([texts[i] for i in part]))
        return out

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Parts of a sentence that the vocabulary lacks; () where it cannot tell."""
        return () if self.unknown is None else self.unknown(text)

    def cut_from(self, text: str) -> str:
        """What of a sentence lies beyond the tower's length and so changes nothing; "" for none."""
        return "" if self.beyond is None else self.beyond(text)

    def _image_tower(self) -> tuple[Preprocessing, ImageRun]:
        if self.image is None:
            raise EncoderError(f"{self.name} takes text only; choose one that takes pictures too")
        return self.image

    def _rows(self, rows: NDArray[np.float32]) -> Vectors:
        """Cut to `dim` columns and scale to length one."""
        return unit_rows(rows) if rows.shape[1] == self.dim else truncate(rows, self.dim)


def chosen_dim(name: str, full: int, allowed: Sequence[int], dim: int | None) -> int:
    """Columns to keep: `full`, or `dim` where the encoder was trained to be cut there.

    Raises `EncoderError` for a cut that `allowed` (Matryoshka dimensions) does not list.
    """
    if dim is None or dim == full:
        return full
    if dim in allowed:
        return dim
    if not allowed:
        raise EncoderError(f"{name} was not trained to be cut (Matryoshka); it has dim {full} only")
    listed = ", ".join(map(str, allowed))
    raise EncoderError(f"{name} cannot be cut to {dim} columns; it allows {listed}")


def _parts(rows: Sequence[_Row], size: int) -> Iterator[Sequence[_Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
