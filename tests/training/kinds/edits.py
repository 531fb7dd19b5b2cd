"""Edits: a garment and words → the garment that they ask for. The system adds the words."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from coordi.models.batches import EditBatch, EditSizes
from coordi.models.system import System, SystemSettings
from coordi.training.material.inputs import PictureMaterial
from coordi.training.net import Net

from .drawn import DrawnRecipe, packshots, pictures, sides


class AdditionSettings(SystemSettings):
    dim: int = Field(64, ge=2)
    temperature: float = Field(0.1, gt=0)


class Addition(System):
    """Embedding of the reference plus the mean of the words."""

    family = "composed"
    answers = ("embed", "compose")
    eats = EditBatch
    Sizes: ClassVar[type[Any]] = EditSizes
    Settings: ClassVar[type[SystemSettings]] = AdditionSettings

    def __init__(self, feature_dim: int, sizes: EditSizes, settings: AdditionSettings) -> None:
        super().__init__(feature_dim, sizes, settings)
        self.picture = nn.Linear(feature_dim, settings.dim)
        self.words = nn.EmbeddingBag(sizes.words + 1, settings.dim, padding_idx=0, mode="mean")

    def embed(self, features: Tensor) -> Tensor:
        return functional.normalize(self.picture(features * self.scale), dim=1)

    def compose(self, features: Tensor, words: Tensor) -> Tensor:
        """Features of references (E, D), words (E, L) → unit rows (E, dim)."""
        moved = self.picture(features * self.scale) + self.words(words + 1)
        return functional.normalize(moved, dim=1)

    def losses(self, features: Tensor, batch: EditBatch, progress: float) -> dict[str, Tensor]:
        """Softmax over the targets of the batch; targets that are the same are no negatives."""
        asked = self.compose(features[batch.reference], batch.words)
        logits = asked @ self.embed(features[batch.target]).T / self.settings.temperature
        twins = (batch.same[:, None] == batch.same[None]) & ~torch.eye(len(asked)).bool()
        logits = logits.masked_fill(twins, -torch.inf)
        return {"targets": functional.cross_entropy(logits, torch.arange(len(asked)))}


class Recipe(DrawnRecipe):
    pass


@dataclass(frozen=True, slots=True)
class Edits(PictureMaterial):
    reference: np.ndarray
    target: np.ndarray
    words: Tensor
    vocabulary: int
    train: np.ndarray
    val: np.ndarray
    recipe: Recipe
    measure: str = "R@1 of edits on val"

    @property
    def sizes(self) -> EditSizes:
        return EditSizes(self.vocabulary)

    def batch(self, number: int, step: int) -> EditBatch:
        rng = np.random.default_rng([self.recipe.seed, number])
        chosen = rng.choice(self.train, self.recipe.batch)
        both = np.stack([self.reference[chosen], self.target[chosen]])
        rows, places = np.unique(both, return_inverse=True)
        reference, target = torch.from_numpy(places.reshape(both.shape))
        inputs = self.inputs.of_batch(rows, number)
        return EditBatch(inputs, reference, target, self.words[torch.from_numpy(chosen)], target)

    def first_look(self, net: Net) -> Tensor:
        return self.features(net, np.unique(self.reference))

    def probe(self, net: Net) -> Tensor:
        system = net.system
        assert isinstance(system, Addition)
        with torch.no_grad():
            return system.embed(self.first_look(net))

    def judge(self, net: Net) -> float:
        system = net.system
        assert isinstance(system, Addition)
        gallery = np.unique(np.concatenate([self.reference, self.target]))
        with torch.no_grad(), net.answering():
            rows = system.embed(self.features(net, gallery))
            asked = system.compose(
                self.features(net, self.reference[self.val]), self.words[torch.from_numpy(self.val)]
            )
        near = (asked @ rows.T).numpy()
        near[
            self.reference[self.val][:, None] == gallery
        ] = -np.inf  # nobody asks for what is there
        found = gallery[near.argmax(1)]
        return float((found == self.target[self.val]).mean())

    def say(self) -> str:
        return f"{len(self.train)} edits"

    def facts(self) -> Mapping[str, str]:
        return {"edits trained on": str(len(self.train))}


def gather(recipe: Recipe, cache: Path, say: Any) -> Edits:
    inputs, collection, wardrobe = pictures(recipe, cache, say)
    row_of, edits = packshots(collection), wardrobe.edits
    texts = [edit.text.split() for edit in edits]
    known = {word: n for n, word in enumerate(sorted({w for text in texts for w in text}))}
    words = torch.full((len(edits), max(map(len, texts))), -1)
    for at, text in enumerate(texts):
        words[at, : len(text)] = torch.tensor([known[word] for word in text])
    train, val = sides([f"{edit.reference} {edit.text}" for edit in edits])
    return Edits(
        inputs,
        np.array([row_of[edit.reference] for edit in edits]),
        np.array([row_of[edit.target] for edit in edits]),
        words,
        len(known),
        train,
        val,
        recipe,
    )
