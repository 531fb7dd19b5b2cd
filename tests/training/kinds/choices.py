"""Choices: who picked what over what. The system is a taste for each user (BPR)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from coordi.drawn import COLORS
from coordi.models.batches import ChoiceBatch, ChoiceSizes
from coordi.models.system import System, SystemSettings
from coordi.training.material.inputs import PictureMaterial
from coordi.training.net import Net

from .drawn import DrawnRecipe, area_under_curve, packshots, pictures


class TasteSettings(SystemSettings):
    dim: int = Field(16, ge=2)


class Taste(System):
    """What a user likes is a direction in the space of pictures."""

    family = "compatibility"
    answers = ("prefer",)
    eats = ChoiceBatch
    Sizes: ClassVar[type[Any]] = ChoiceSizes
    Settings: ClassVar[type[SystemSettings]] = TasteSettings

    def __init__(self, feature_dim: int, sizes: ChoiceSizes, settings: TasteSettings) -> None:
        super().__init__(feature_dim, sizes, settings)
        self.picture = nn.Linear(feature_dim, settings.dim)
        self.users = nn.Embedding(sizes.users, settings.dim)

    def prefer(self, features: Tensor, users: Tensor) -> Tensor:
        """Features (C, D) and users (C,) → scores (C,)."""
        return (self.picture(features * self.scale) * self.users(users)).sum(1)

    def losses(self, features: Tensor, batch: ChoiceBatch, progress: float) -> dict[str, Tensor]:
        """Bayesian personalised ranking (Rendle et al. 2009)."""
        better = self.prefer(features[batch.chosen], batch.users)
        worse = self.prefer(features[batch.other], batch.users)
        return {"bpr": functional.softplus(worse - better).mean()}


class Recipe(DrawnRecipe):
    pass


@dataclass(frozen=True, slots=True)
class Choices(PictureMaterial):
    train: np.ndarray  # (n, 3): user, chosen, other
    val: np.ndarray
    users: int
    recipe: Recipe
    measure: str = "AUC of choices on val"

    @property
    def sizes(self) -> ChoiceSizes:
        return ChoiceSizes(self.users)

    def batch(self, number: int, step: int) -> ChoiceBatch:
        rng = np.random.default_rng([self.recipe.seed, number])
        chosen = rng.choice(self.train, self.recipe.batch)
        rows, places = np.unique(chosen[:, 1:], return_inverse=True)
        taken, other = torch.from_numpy(places.reshape(-1, 2)).T
        users = torch.from_numpy(chosen[:, 0])
        return ChoiceBatch(self.inputs.of_batch(rows, number), users, taken, other)

    def first_look(self, net: Net) -> Tensor:
        return self.features(net, np.unique(self.train[:, 1:]))

    def probe(self, net: Net) -> None:
        return None

    def judge(self, net: Net) -> float:
        system = net.system
        assert isinstance(system, Taste)
        users = torch.from_numpy(self.val[:, 0])
        with torch.no_grad(), net.answering():
            chosen, other = (
                system.prefer(self.features(net, self.val[:, side]), users) for side in (1, 2)
            )
        return area_under_curve(chosen, other)

    def say(self) -> str:
        return f"{len(self.train)} choices"

    def facts(self) -> Mapping[str, str]:
        return {"choices trained on": str(len(self.train))}


def gather(recipe: Recipe, cache: Path, say: Any) -> Choices:
    """Each user likes one colour above all others."""
    inputs, collection, wardrobe = pictures(recipe, cache, say)
    row_of, rng = packshots(collection), np.random.default_rng(0)
    favourites = sorted(COLORS)[:4]
    made = []
    for user, color in enumerate(favourites):
        liked = [row_of[g.id] for g in wardrobe.garments if g.color == color]
        others = [row_of[g.id] for g in wardrobe.garments if g.color != color]
        for row in liked:
            made += [(user, row, other) for other in rng.choice(others, 6)]
    triples = np.array(made)
    held = triples[:, 1] % 4 == 0  # garments of their own
    return Choices(inputs, triples[~held], triples[held], len(favourites), recipe)
