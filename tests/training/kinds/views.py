"""Pictures without labels, each seen in several views. The system assigns them to prototypes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from coordi.models.batches import ViewBatch, ViewSizes
from coordi.models.system import System, SystemSettings
from coordi.training.material.inputs import PictureMaterial
from coordi.training.net import Net

from .drawn import DrawnRecipe, pictures, sides


class PrototypesSettings(SystemSettings):
    dim: int = Field(32, ge=2)
    prototypes: int = Field(10, ge=2)
    temperature: float = Field(0.1, gt=0)


class Prototypes(System):
    """Views of a picture know each other among all others, and each has a nearest prototype."""

    family = "discovery"
    answers = ("assign",)
    eats = ViewBatch
    Sizes: ClassVar[type[Any]] = ViewSizes
    Settings: ClassVar[type[SystemSettings]] = PrototypesSettings

    def __init__(self, feature_dim: int, sizes: ViewSizes, settings: PrototypesSettings) -> None:
        super().__init__(feature_dim, sizes, settings)
        self.project = nn.Linear(feature_dim, settings.dim)
        self.prototypes = nn.Linear(settings.dim, settings.prototypes, bias=False)

    def rows(self, features: Tensor) -> Tensor:
        return functional.normalize(self.project(features * self.scale), dim=1)

    def assign(self, features: Tensor) -> Tensor:
        """Features (B, D) → shares (B, prototypes) that add up to 1."""
        return (self.prototypes(self.rows(features)) / self.settings.temperature).softmax(1)

    def losses(self, features: Tensor, batch: ViewBatch, progress: float) -> dict[str, Tensor]:
        """InfoNCE between the first two views; and prototypes that are all in use."""
        one, two = (self.rows(features[batch.views[:, view]]) for view in (0, 1))
        logits = one @ two.T / self.settings.temperature
        used = self.assign(features).mean(0)
        return {
            "views": functional.cross_entropy(logits, torch.arange(len(one))),
            "balance": (used * used.log()).sum() + torch.tensor(float(len(used))).log(),
        }


class Recipe(DrawnRecipe):
    pass


@dataclass(frozen=True, slots=True)
class Views(PictureMaterial):
    views: np.ndarray
    train: np.ndarray
    val: np.ndarray
    recipe: Recipe
    measure: str = "R@1 of views on val"

    @property
    def sizes(self) -> ViewSizes:
        return ViewSizes()

    def batch(self, number: int, step: int) -> ViewBatch:
        rng = np.random.default_rng([self.recipe.seed, number])
        chosen = self.views[rng.choice(self.train, self.recipe.batch, replace=False)]
        rows, places = np.unique(chosen, return_inverse=True)
        inputs = self.inputs.of_batch(rows, number)
        return ViewBatch(inputs, torch.from_numpy(places.reshape(chosen.shape)))

    def first_look(self, net: Net) -> Tensor:
        return self.features(net, self.views[:, 0])

    def probe(self, net: Net) -> Tensor:
        system = net.system
        assert isinstance(system, Prototypes)
        with torch.no_grad():
            return system.rows(self.first_look(net))

    def judge(self, net: Net) -> float:
        system = net.system
        assert isinstance(system, Prototypes)
        with torch.no_grad(), net.answering():
            one, two = (system.rows(self.features(net, self.views[self.val, v])) for v in (1, 0))
        return float(((one @ two.T).argmax(1) == torch.arange(len(one))).float().mean())

    def say(self) -> str:
        return f"{len(self.train)} pictures"

    def facts(self) -> Mapping[str, str]:
        return {"pictures trained on": str(len(self.train))}


def gather(recipe: Recipe, cache: Path, say: Any) -> Views:
    inputs, collection, _ = pictures(recipe, cache, say)
    rows: dict[str, list[int]] = {}
    for row, photo in enumerate(collection.photos):
        rows.setdefault(photo.item, []).append(row)
    views = np.array([of_item[:2] for of_item in rows.values() if len(of_item) > 1])
    train, val = sides([collection.photos[row].item for row in views[:, 0]])
    return Views(inputs, views, train, val, recipe)
