"""Encoders that were trained here: a frozen base (or a backbone of its own) and a system on top.

Texts: a system that `takes_text` was trained so that texts of its base encoder may pass the same
layers (see its file); all others take pictures only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from coordi.artifacts import fingerprint
from coordi.errors import EncoderError
from coordi.geometry import unit_rows
from coordi.models.encoders.preprocessing import Preprocessing
from coordi.models.encoders.tower import TowerEncoder
from coordi.types import Encoder, Image, Vectors

if TYPE_CHECKING:
    from coordi.models.artifact import ArtifactConfig

Projection = Callable[[Vectors, bool], NDArray[np.float32]]
"""Features (B, feature_dim) and whether they are of street photos → (B, dim)."""


@dataclass(frozen=True, slots=True)
class TrainedEncoder:
    """An `Encoder` (coordi.types): `base` makes features, `head` makes embeddings of them."""

    name: str
    fingerprint: str
    dim: int
    base: Encoder
    head: Projection
    two_towers: bool = False
    """Whether street and shop photos are embedded differently."""
    takes_text: bool = False
    """Whether texts of `base` may pass `head` too."""
    street: bool = False
    """Whether the pictures given are street photos."""

    @property
    def modalities(self) -> frozenset[str]:
        """Which of "image" and "text" it takes."""
        return self.base.modalities if self.takes_text else frozenset({"image"})

    @property
    def image_size(self) -> int:
        """Shortest side, in pixels, below which a larger picture brings nothing more."""
        return self.base.image_size

    def side(self, street: bool) -> Self:
        """The same encoder for photos from the street, or from the shop."""
        return replace(self, street=street)

    def prepare(self, image: Image) -> NDArray[Any]:
        """Make one picture (H, W, 3) into the base's input; thread-safe."""
        return self.base.prepare(image)

    def encode_prepared(self, batch: NDArray[Any]) -> Vectors:
        """Encode prepared pictures (B, 3, h, w) → (B, dim)."""
        return self._rows(self.base.encode_prepared(batch))

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """Encode pictures of any sizes → (len(images), dim)."""
        return self._rows(self.base.encode_images(images))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode sentences → (len(texts), dim), where the system allows that."""
        if not self.takes_text:
            raise EncoderError(
                f"{self.name} was trained for pictures only; choose one that takes text too"
            )
        return self._rows(self.base.encode_texts(texts))

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Parts of a sentence that the base's vocabulary lacks."""
        return self.base.unknown_words(text) if self.takes_text else ()

    def cut_from(self, text: str) -> str:
        """What of a sentence lies beyond the base's length; "" for none."""
        return self.base.cut_from(text) if self.takes_text else ""

    def _rows(self, features: Vectors) -> Vectors:
        if len(features) == 0:
            return np.empty((0, self.dim), np.float32)
        return unit_rows(self.head(features, self.street))


def query_side(encoder: Encoder) -> Encoder:
    """The encoder for query pictures: the street tower of one that has two, else itself."""
    if isinstance(encoder, TrainedEncoder) and encoder.two_towers:
        return encoder.side(street=True)
    return encoder


def projection(system: Any, condition: str) -> Projection:
    """What `system` makes of features, under one of its conditions or ""."""
    import torch

    def run(features: Vectors, street: bool) -> NDArray[np.float32]:
        with torch.inference_mode():
            rows = torch.from_numpy(np.ascontiguousarray(features))
            flags = torch.full((len(rows),), street)
            if condition:
                out = system.embed_condition(rows, flags, condition)
            else:
                out = system.embed(rows, flags)
        array: NDArray[np.float32] = out.float().numpy()
        return array

    return run


def backbone_encoder(folder: Path, config: "ArtifactConfig") -> TowerEncoder:
    """The folder's own image tower as an encoder of features."""
    import torch
    from PIL.Image import Resampling

    from coordi.models.artifact import load_backbone

    assert config.backbone is not None
    backbone, size = load_backbone(folder), config.backbone.image_size
    preprocessing = Preprocessing(
        (size, size), None, Resampling.BICUBIC, 1 / 255, mean=(0.5,) * 3, std=(0.5,) * 3
    )

    def run(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            array: NDArray[np.float32] = backbone(torch.from_numpy(pixels)).numpy()
        return array

    own = fingerprint(folder, "backbone")
    return TowerEncoder(config.name, own, config.backbone.dim, (preprocessing, run))
