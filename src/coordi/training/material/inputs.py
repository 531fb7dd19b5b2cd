"""Pictures as a system takes them: features of a frozen encoder, or pixels for a backbone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from coordi.data.collection import PhotoRows
from coordi.data.features import photo_features
from coordi.models.encoders.backbone import Backbone, open_backbone
from coordi.models.opening import open_encoder
from coordi.models.system import EmbeddingSystem, System
from coordi.training.net import Net
from coordi.training.pixels import load_pixels
from coordi.training.recipe import Recipe, Stage, changed
from coordi.types import Encoder, Photo, Problem, Say

_SHOWN = 3
"""Problems that are told; all of them stand in problems.csv."""

_END_TO_END = ("grad_cache_chunk", "image_size", "augment", "backbone_lr")


class PictureRecipe(Recipe):
    """A recipe whose pictures pass one encoder, frozen or learning along, in one stage."""

    encoder: str = "coordi-mini"
    """Encoder whose features are the input; end to end, the one whose image tower learns along."""
    features: Literal["cached", "end-to-end"] = "cached"
    """Whether features are computed once by the frozen encoder, or the encoder learns along."""
    image_size: int = Field(128, ge=32, le=512)
    """End to end: side of the pictures in pixels."""
    augment: bool = True
    """End to end: whether pictures are cropped, turned and lit at random."""
    steps: int = Field(1000, ge=1)
    """Optimiser steps."""
    lr: float = Field(1e-3, gt=0)
    """Peak learning rate (AdamW; linear warm-up, then a cosine to a tenth)."""
    backbone_lr: float = Field(1e-4, ge=0)
    """End to end: peak learning rate of the backbone."""
    warmup: int = Field(50, ge=0)
    """Steps until the peak."""

    @property
    def schedule(self) -> tuple[Stage, ...]:
        """One stage."""
        stage = Stage(
            steps=self.steps,
            lr=self.lr,
            backbone_lr=self.backbone_lr,
            warmup=self.warmup,
            frozen_blocks=0,
        )
        return (stage,)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.features == "cached" and (unused := changed(self, _END_TO_END)):
            raise ValueError(f"{unused[0]} is for features: end-to-end only; leave it out")
        if self.features == "end-to-end" and self.system_type.cached_only:
            raise ValueError(f"{self.system} keeps its features frozen: set features to cached")
        return self


@dataclass(frozen=True, slots=True)
class Inputs:
    """N photos as a system or a backbone takes them."""

    of_batch: Callable[[PhotoRows, int], Tensor]
    """Rows and the number of the batch → (B, D), or (B, 3, S, S) changed at random."""
    plain: Callable[[PhotoRows], Tensor]
    """The same for photos as they are."""
    readable: NDArray[np.bool_]
    """Which of the photos (N,) were asked for and can be read."""
    made_by: Encoder | Backbone
    """What made the features, or will make them."""
    problems: tuple[Problem, ...]
    hashes: Mapping[str, str]
    """Photo's id → `image_hash` of its file."""


@dataclass(frozen=True, slots=True)
class PictureMaterial:
    """What every `Material` of pictures that pass one encoder has in common."""

    inputs: Inputs

    @property
    def feature_dim(self) -> int:
        """Columns of the features that the system is given."""
        made_by = self.inputs.made_by
        return made_by.config.dim if isinstance(made_by, Backbone) else made_by.dim

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Pictures that could not be used."""
        return self.inputs.problems

    def backbone(self) -> Backbone | None:
        """The image tower that learns along, where the inputs are pixels."""
        made_by = self.inputs.made_by
        return made_by if isinstance(made_by, Backbone) else None

    def frozen(self) -> Encoder | None:
        """Whose features these are; None of pixels."""
        made_by = self.inputs.made_by
        return None if isinstance(made_by, Backbone) else made_by

    def require(self, system: System) -> None:
        """Raise `RecipeError` where there is nothing to learn; here there always is."""

    def acquaint(self, net: Net) -> None:
        """Let the system meet all that is learned from, where it wants to; here none does."""

    def keep(self, folder: Path) -> None:
        """Write what serving needs beside the weights; here nothing."""

    def features(self, net: Net, rows: PhotoRows) -> Tensor:
        """Features (n, D) of pictures as they are, on the CPU."""
        return net.features_of(len(rows), lambda part: self.inputs.plain(rows[part]))

    @torch.no_grad()
    def vectors(self, net: Net, rows: PhotoRows, street: Tensor) -> Tensor:
        """Embeddings (n, dim) of pictures as they are, on the CPU; `street` (n,)."""
        assert isinstance(net.system, EmbeddingSystem)
        with net.answering():
            features = self.features(net, rows).to(net.device)
            return net.system.embed(features, street.to(net.device)).float().cpu()


def spread(rows: PhotoRows, most: int) -> PhotoRows:
    """At most `most` of some rows, from all over them."""
    return rows[:: max(1, len(rows) // most)][:most]


def make_inputs(
    recipe: PictureRecipe, photos: Sequence[Photo], rows: PhotoRows, cache: Path, say: Say
) -> Inputs:
    """Read some `rows` of photos as the recipe wants them; `say` tells of those that cannot be."""
    make = _with_features if recipe.features == "cached" else _with_pixels
    inputs = make(recipe, photos, rows, cache, say)
    for problem in inputs.problems[:_SHOWN]:
        say(f"{problem.origin}: {problem.reason}")
    if len(inputs.problems) > _SHOWN:
        say(f"{len(inputs.problems)} photos cannot be used in all; see problems.csv")
    return inputs


def _with_features(
    recipe: PictureRecipe, photos: Sequence[Photo], rows: PhotoRows, cache: Path, say: Say
) -> Inputs:
    """Inputs that a frozen encoder made."""
    encoder, hashes = open_encoder(recipe.encoder), dict[str, str]()
    say(f"{len(rows)} photos through {encoder.name}, those that the cache lacks")
    vectors, problems = photo_features([photos[r] for r in rows], encoder, cache, hashes=hashes)
    features = torch.zeros(len(photos), encoder.dim)
    features[torch.from_numpy(rows)] = torch.from_numpy(vectors)

    def plain(wanted: PhotoRows, _: int = 0) -> Tensor:
        return features[torch.from_numpy(wanted)]

    readable = (features != 0).any(1).numpy()
    return Inputs(plain, plain, readable, encoder, problems, hashes)


def _with_pixels(
    recipe: PictureRecipe,
    photos: Sequence[Photo],
    rows: PhotoRows,
    cache: Path,  # noqa: ARG001
    say: Say,
) -> Inputs:
    """Inputs that a backbone will see."""
    size, hashes = recipe.image_size, dict[str, str]()
    backbone = open_backbone(recipe.encoder, size)
    say(f"{len(rows)} photos into memory, {size} pixels a side")
    pixels, problems = load_pixels(
        photos, rows, size, augment=recipe.augment, seed=recipe.seed, hashes=hashes
    )
    return Inputs(pixels, pixels.plain, pixels.readable, backbone, problems, hashes)


def data_hash(photos: Sequence[Photo], hashes: Mapping[str, str]) -> str:
    """32 hex digits over the photos' ids, items and picture files, in whatever order they stand."""
    total = xxhash.xxh3_128()
    for photo in sorted(photos, key=lambda photo: photo.id):
        content = hashes.get(photo.id, "unreadable")
        total.update(f"{photo.id}\0{photo.item}\0{content}\n".encode())
    return total.hexdigest()
