"""Conditional similarity networks: one embedding, one mask for each notion of similarity.

Veit, Belongie and Karaletsos, "Conditional Similarity Networks", CVPR 2017: the mask of condition
c is m_c = ReLU(β_c), with β ~ N(0.9, 0.7) at first (or fixed and disjoint), and photos are compared
under c by ‖f_i ⊙ m_c − f_j ⊙ m_c‖. As in the authors' source. Ours differs where a row is indexed:
f ⊙ m_c is scaled to length one, in training as in serving, so that what is found by cosine
similarity is what was trained.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from coordi.errors import InputError, UnknownNameError
from coordi.models.retrieval.single_tower import perceptron
from coordi.models.retrieval.system import LabelSizes, SystemSettings

LABELS = ("category", "item")
"""Conditions that every collection may have beside its attributes."""


class ConditionalSimilaritySettings(SystemSettings):
    """Fields of `model` in a recipe."""

    dim: int = Field(64, ge=2)
    """Columns of the embedding."""
    hidden: tuple[int, ...] = (512,)
    """Widths of the layers between features and embedding; () is one linear layer."""
    conditions: tuple[str, ...] = ()
    """What to compare by: attributes of the collection, "category", or "item"; () takes all
    attributes and, where there is more than one, the category."""
    masks: Literal["learned", "disjoint"] = "learned"
    """Whether masks learn, or each condition has columns of its own."""
    margin: float = Field(0.2, gt=0)
    """How much farther a photo unlike the anchor shall be than one like it."""
    triplets: int = Field(4, ge=1)
    """Triplets drawn for each anchor and condition."""
    embedding_weight: float = Field(5e-3, ge=0)
    """Weight of the embedding's length (L2)."""
    mask_weight: float = Field(5e-4, ge=0)
    """Weight of the masks' L1 norm."""


class ConditionalSimilarity(nn.Module):
    """Features → one unit row for each condition."""

    Settings: ClassVar[type[SystemSettings]] = ConditionalSimilaritySettings

    def __init__(
        self, feature_dim: int, sizes: LabelSizes, settings: ConditionalSimilaritySettings
    ) -> None:
        """Raise `InputError` where the collection's labels do not give the conditions asked for."""
        super().__init__()
        self.settings = settings
        self.dim = settings.dim
        self.scale = feature_dim**0.5
        self.conditions = _conditions(sizes, settings)
        self.attributes = tuple(sizes.attributes)
        self.trunk = perceptron(feature_dim, settings.hidden, settings.dim, 0.0)
        if settings.masks == "learned":
            self.beta = nn.Parameter(0.9 + 0.7 * torch.randn(len(self.conditions), self.dim))
        else:
            self.register_buffer("beta", _disjoint(len(self.conditions), self.dim))

    def masks(self) -> Tensor:
        """The conditions' masks, (C, dim), none below zero."""
        return functional.relu(self.beta)

    def general(self, features: Tensor) -> Tensor:
        """Features (B, feature_dim) → the embedding f (B, dim) before mask and scaling."""
        rows: Tensor = self.trunk(features * self.scale)
        return rows

    def embed(self, features: Tensor, street: Tensor) -> Tensor:  # noqa: ARG002
        """Unit rows (B, dim) without a mask: alike in all respects together."""
        return functional.normalize(self.general(features), dim=1)

    def embed_condition(self, features: Tensor, street: Tensor, condition: str) -> Tensor:  # noqa: ARG002
        """Unit rows (B, dim) under one of `conditions`; `UnknownNameError` for another."""
        if condition not in self.conditions:
            raise UnknownNameError("condition", condition, self.conditions)
        mask = self.masks()[self.conditions.index(condition)]
        return functional.normalize(self.general(features) * mask, dim=1)


def _conditions(sizes: LabelSizes, settings: ConditionalSimilaritySettings) -> tuple[str, ...]:
    counts = {**sizes.attributes, "category": sizes.categories, "item": sizes.items}
    usable = [name for name, count in counts.items() if count > 1]
    chosen = settings.conditions or tuple(name for name in usable if name != "item")
    for name in chosen:
        if name not in usable:
            raise UnknownNameError("condition", name, usable)
    if not chosen:
        raise InputError(
            "there is nothing to be similar in: the collection has no attribute and no category "
            "with two values or more; give it some, or set model.conditions to [item]"
        )
    return chosen


def _disjoint(conditions: int, dim: int) -> Tensor:
    """Masks of ones and zeros, (conditions, dim), that share no column and use all."""
    if conditions > dim:
        raise InputError(f"{conditions} disjoint masks need {conditions} columns; dim is {dim}")
    owner = torch.arange(dim) * conditions // dim
    return (owner[None] == torch.arange(conditions)[:, None]).float()
