"""Outfits: which garments go together. The system is the mean of pairwise scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from coordi.drawn import KINDS
from coordi.models.batches import OutfitBatch, OutfitSizes
from coordi.models.system import System, SystemSettings
from coordi.training.material.inputs import PictureMaterial
from coordi.training.net import Net

from .drawn import DrawnRecipe, area_under_curve, packshots, pictures, sides


class PairsSettings(SystemSettings):
    dim: int = Field(32, ge=2)


class OutfitPairs(System):
    """The mean compatibility of an outfit's pairs, seen under the kinds of their garments."""

    family = "compatibility"
    answers = ("score_outfits",)
    eats = OutfitBatch
    Sizes: ClassVar[type[Any]] = OutfitSizes
    Settings: ClassVar[type[SystemSettings]] = PairsSettings

    def __init__(self, feature_dim: int, sizes: OutfitSizes, settings: PairsSettings) -> None:
        super().__init__(feature_dim, sizes, settings)
        self.embedding = nn.Linear(feature_dim, settings.dim)
        self.kinds = nn.Embedding(sizes.types, settings.dim)

    def score_outfits(self, features: Tensor, types: Tensor, members: Tensor) -> Tensor:
        """Features (P, D), kinds (P,), members (O, L) → logits (O,), in whatever order."""
        rows = functional.normalize(self.embedding(features * self.scale), dim=1)
        seen = (rows * self.kinds(types))[members.clamp(min=0)]
        there = (members >= 0).float()
        pairs = there[:, :, None] * there[:, None] * (1 - torch.eye(members.shape[1]))
        return ((seen @ seen.transpose(1, 2)) * pairs).sum((1, 2)) / pairs.sum((1, 2)).clamp(min=1)

    def losses(self, features: Tensor, batch: OutfitBatch, progress: float) -> dict[str, Tensor]:
        """Outfits against the same ones with one garment of another outfit (BPR)."""
        wrong = batch.members.clone()
        wrong[:, 0] = wrong[:, 0].roll(1)
        right_score = self.score_outfits(features, batch.types, batch.members)
        wrong_score = self.score_outfits(features, batch.types, wrong)
        return {"bpr": functional.softplus(wrong_score - right_score).mean()}


class Recipe(DrawnRecipe):
    pass


@dataclass(frozen=True, slots=True)
class Outfits(PictureMaterial):
    members: np.ndarray
    types: Tensor
    train: np.ndarray
    val: np.ndarray
    recipe: Recipe
    measure: str = "AUC on val"

    @property
    def sizes(self) -> OutfitSizes:
        return OutfitSizes(len(KINDS))

    def _batch(self, chosen: np.ndarray, number: int, rng: np.random.Generator) -> OutfitBatch:
        members = np.stack([rng.permutation(row) for row in self.members[chosen]])
        members = np.take_along_axis(members, np.argsort(members < 0, 1, kind="stable"), 1)
        rows, places = np.unique(members[members >= 0], return_inverse=True)
        inside = np.full(members.shape, -1)
        inside[members >= 0] = places
        return OutfitBatch(
            self.inputs.of_batch(rows, number),
            torch.from_numpy(inside),
            self.types[torch.from_numpy(rows)],
            torch.zeros(len(chosen), dtype=torch.long),
        )

    def batch(self, number: int, step: int) -> OutfitBatch:
        rng = np.random.default_rng([self.recipe.seed, number])
        return self._batch(rng.choice(self.train, self.recipe.batch), number, rng)

    def first_look(self, net: Net) -> Tensor:
        return self.features(net, np.unique(self.members[self.members >= 0]))

    def probe(self, net: Net) -> None:
        return None

    def judge(self, net: Net) -> float:
        batch = self._batch(self.val, 0, np.random.default_rng(0))
        wrong = batch.members.clone()
        wrong[:, 0] = wrong[:, 0].roll(1)
        system = net.system
        assert isinstance(system, OutfitPairs)
        with torch.no_grad(), net.answering():
            scores = [
                system.score_outfits(batch.inputs, batch.types, m) for m in (batch.members, wrong)
            ]
        return area_under_curve(*scores)

    def say(self) -> str:
        return f"{len(self.train)} outfits"

    def facts(self) -> Mapping[str, str]:
        return {"outfits trained on": str(len(self.train))}


def gather(recipe: Recipe, cache: Path, say: Any) -> Outfits:
    inputs, collection, wardrobe = pictures(recipe, cache, say)
    row_of = packshots(collection)
    longest = max(len(outfit.items) for outfit in wardrobe.outfits)
    members = np.full((len(wardrobe.outfits), longest), -1)
    for at, outfit in enumerate(wardrobe.outfits):
        members[at, : len(outfit.items)] = [row_of[item] for item in outfit.items]
    kinds = {kind: number for number, kind in enumerate(KINDS)}
    types = torch.tensor([kinds[photo.category] for photo in collection.photos])
    train, val = sides([outfit.id for outfit in wardrobe.outfits])
    return Outfits(inputs, members, types, train, val, recipe)
