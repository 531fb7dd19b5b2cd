"""Pictures whose pixels are marked with what they can be: what finders of garments learn from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from coordi.errors import ImageError, RecipeError
from coordi.models.batches import MaskBatch, MaskSizes
from coordi.models.encoders.efficientnet_lite import (
    EfficientNetLite,
    load_published,
    published_weights,
)
from coordi.models.finder.classes import CLASSES, GROUND
from coordi.models.finder.finder import Finder
from coordi.models.system import System
from coordi.training import recipe as base
from coordi.training.masked import MaskExample, MaskSet, MaskSource, Sets, class_shares, load_masks
from coordi.training.net import Net
from coordi.training.placing import fitted, laid, over, relit, thrown
from coordi.types import Image, Problem, Say

_COMMONEST = 12
"""Classes of garments, the commonest of the judged source, whose overlap chooses the weights."""

_LAID_ON = 0.5
"""Share of packshots that are laid on another picture."""

Canvas = tuple[int, int]
"""Height and width in pixels, multiples of 32."""

Marks = NDArray[np.int64]
"""(height, width): rows of the table of sets."""


class Stage(base.Stage):
    """A stretch of training at one size."""

    canvas: Canvas = (288, 192)
    """Height and width of the pictures that are seen, multiples of 32."""


class Recipe(base.Recipe):
    """A network that names every pixel."""

    name: str = "finder"
    encoder: Literal[""] = ""
    """None: pictures pass the system's own trunk."""
    imagenet: bool = True
    """Whether the trunk starts from EfficientNet-Lite0's ImageNet weights, or from nothing."""
    sources: tuple[MaskSource, ...] = Field(min_length=1)
    """What to learn from. Weights are chosen on the val side of the first."""
    stages: tuple[Stage, ...] = Field(min_length=1)
    """Run one after the other."""
    batch: int = Field(12, ge=2)
    """Pictures in a step."""
    rare: float = Field(0.5, ge=0, le=1)
    """How much more the pixels of rare classes count: their share to the power of minus this."""

    @property
    def schedule(self) -> tuple[Stage, ...]:
        """The stages as they are written."""
        return self.stages


@dataclass(frozen=True)
class Masks:
    """A `Material` of marked pictures; everything random is a function of seed and number."""

    recipe: Recipe
    sets: tuple[MaskSet, ...]
    val: tuple[MaskExample, ...]
    """The val side of the first source."""
    table: NDArray[np.bool_]
    """(S, C): what each mark allows."""
    shares: NDArray[np.float64]
    """(C,): share of each class among the pixels of the first source."""
    feature_dim: int = 3

    @property
    def measure(self) -> str:
        """By what the weights are chosen."""
        if not self.recipe.validate_every or not self.val:
            return ""
        return f"mean IoU of {len(self.judged)} classes on val"

    @property
    def sizes(self) -> MaskSizes:
        """The classes."""
        return MaskSizes(CLASSES)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Pictures that could not be used."""
        return tuple(problem for masks in self.sets for problem in masks.problems)

    @cached_property
    def judged(self) -> list[int]:
        """The commonest garments of the first source, by pixels."""
        order = np.argsort(-self.shares, kind="stable")
        return [int(c) for c in order if c >= len(GROUND) and self.shares[c] > 0][:_COMMONEST]

    @cached_property
    def weights(self) -> NDArray[np.float32]:
        """(S,): how much a pixel of each set counts, 1 on average over the sets' classes."""
        known = self.shares[self.shares > 0]
        usual = np.median(known) if len(known) else 1.0
        share = np.where(self.shares > 0, self.shares, usual)
        of_class = np.clip((usual / share) ** self.recipe.rare, 0.1, 3.0)
        mean = (self.table * of_class).sum(1) / self.table.sum(1)
        return np.where(self.table.all(1), 0.0, mean).astype(np.float32)

    def backbone(self) -> None:
        """The trunk is a part of the system."""

    def frozen(self) -> None:
        """No encoder's features."""

    def require(self, system: System) -> None:
        """Give the trunk the weights that it starts from; there is always something to learn."""
        assert isinstance(system, Finder)
        if self.recipe.imagenet:
            system.net.start_from(load_published(0, published_weights(0)))
        else:
            system.net.start_from(fresh_trunk(self.batch(0, 0).inputs))

    def acquaint(self, net: Net) -> None:
        """Nothing to meet: a finder learns from pixels alone."""

    def batch(self, number: int, step: int) -> MaskBatch:
        """Pictures of all sources by their shares, each laid on the stage's canvas at random."""
        stage, _ = self.recipe.stage_at(step)
        rng = np.random.default_rng([self.recipe.seed, number])
        shares = np.array([masks.source.share for masks in self.sets])
        chosen = rng.choice(len(self.sets), self.recipe.batch, p=shares / shares.sum())
        return self._batch([self._drawn(int(at), stage.canvas, rng) for at in chosen])

    def _batch(self, drawn: Sequence[tuple[Image, Marks]]) -> MaskBatch:
        pictures, marks = zip(*drawn, strict=True)
        used, places = np.unique(np.stack(marks)[:, 1::2, 1::2], return_inverse=True)
        shape = (len(marks), marks[0].shape[0] // 2, marks[0].shape[1] // 2)
        return MaskBatch(
            _pixels(np.stack(pictures)),
            torch.from_numpy(places.reshape(shape)),
            torch.from_numpy(self.table[used]),
            torch.from_numpy(self.weights[used]),
        )

    def _drawn(
        self, at: int, canvas: Canvas, rng: np.random.Generator, *, below: bool = False
    ) -> tuple[Image, Marks]:
        """A picture of a source, changed at random; packshots often lie on one of the first."""
        example = self.sets[at].examples[rng.integers(len(self.sets[at].examples))]
        picture, marks = example.read()
        size = picture.shape[1], picture.shape[0]
        zoom = (0.45, 1.3) if example.alone else (0.8, 1.7)
        place = thrown(*size, canvas, rng, zoom)
        picture, marks = laid(picture, marks, place, canvas)
        lit, named = relit(picture, rng), example.palette[marks]
        if example.alone and not below and rng.random() < _LAID_ON:
            return over(self._drawn(0, canvas, rng, below=True), (lit, named), marks > 0)
        return lit, named

    def first_look(self, net: Net) -> Tensor:  # noqa: ARG002
        """Nothing is fitted to features here."""
        return torch.zeros(0, self.feature_dim)

    def probe(self, net: Net) -> None:
        """There are no embeddings that could collapse."""

    def judge(self, net: Net) -> float:
        """Mean over the judged classes of intersection over union, over all val pixels."""
        canvas = self.recipe.stages[-1].canvas
        both = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
        for truth, seen in self._seen(net, canvas):
            single = self.table[truth].sum(-1) == 1
            truth_class = self.table[truth].argmax(-1)
            cell = truth_class[single] * len(CLASSES) + seen[single]
            both += np.bincount(cell, minlength=both.size).reshape(both.shape)
        return float(overlaps(both)[self.judged].mean())

    def _seen(self, net: Net, canvas: Canvas) -> Iterator[tuple[Marks, Marks]]:
        """Of each val picture the marks, and the class seen, at half the canvas."""
        system = net.system
        assert isinstance(system, Finder)
        for example in self.val:
            picture, marks = example.read()
            place = fitted(picture.shape[1], picture.shape[0], canvas)
            picture, marks = laid(picture, marks, place, canvas)
            with torch.no_grad(), net.answering():
                shares = system.classes_of(_pixels(picture[None]).to(net.device))
            truth = example.palette[marks[1::2, 1::2]]
            yield truth, shares[0].argmax(0).cpu().numpy()

    def say(self) -> str:
        """How many pictures of how many sources."""
        count = sum(len(masks.examples) for masks in self.sets)
        return f"{count} pictures of {len(self.sets)} sources"

    def facts(self) -> Mapping[str, str]:
        """Pictures of each source, and what is judged."""
        counts = {f"pictures of {s.source.name}": str(len(s.examples)) for s in self.sets}
        start = (
            "EfficientNet-Lite0's ImageNet weights" if self.recipe.imagenet else "random weights"
        )
        judged = ", ".join(CLASSES[c] for c in self.judged)
        val = {"val pictures": str(len(self.val)), "classes judged on val": judged}
        return {"trunk started from": start, **counts, **val}

    def keep(self, folder: Path) -> None:
        """The classes stand in config.json; nothing else is needed."""


@torch.no_grad()
def fresh_trunk(pixels: Tensor) -> EfficientNetLite:
    """Random weights, with batch normalisation set to what `pixels` (B, 3, H, W) need.

    Folded, it then gives every layer an output of unit variance, without which fifty layers of
    random weights let nothing through (data-dependent initialisation, Krähenbühl et al. 2016).
    """
    trunk = EfficientNetLite(0).train()
    for module in trunk.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    trunk(pixels)
    return trunk.eval()


def overlaps(both: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union of each class (C,), of pixels counted by truth and by what was seen
    (C, C); of a class that is neither, 0."""
    hit = np.diag(both)
    either = both.sum(0) + both.sum(1) - hit
    return np.asarray(hit / np.maximum(1, either))


def _pixels(pictures: NDArray[np.uint8]) -> Tensor:
    """(B, H, W, 3) → (B, 3, H, W) in [−1, 1]."""
    floats: Any = torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2).float()
    pixels: Tensor = floats / 127.5 - 1
    return pixels.contiguous(memory_format=torch.channels_last)


def gather(recipe: Recipe, cache: Path, say: Say) -> Masks:
    """Read the sources of a recipe, and the val side of the first."""
    root, sets = Path(recipe.data), Sets()
    loaded = []
    for source in recipe.sources:
        loaded.append(load_masks(source, root, "train", sets, cache, say))
        say(f"{source.name}: {len(loaded[-1].examples)} pictures")
    val: tuple[MaskExample, ...] = ()
    if recipe.validate_every:
        val = load_masks(recipe.sources[0], root, "val", sets, cache, say).examples
    table = sets.table()
    try:
        shares = class_shares(loaded[0].examples, table)
    except ImageError as error:
        raise RecipeError(f"source {recipe.sources[0].name!r}: {error}") from error
    return Masks(recipe, tuple(loaded), val, table, shares)
