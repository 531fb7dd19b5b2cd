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
from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.retrieval.layers import perceptron
from coordi.models.system import EmbeddingSystem, SystemSettings


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


class ConditionalSimilarity(EmbeddingSystem):
    """Features → one unit row for each condition."""

    Settings: ClassVar[type[SystemSettings]] = ConditionalSimilaritySettings

    def __init__(
        self, feature_dim: int, sizes: LabelSizes, settings: ConditionalSimilaritySettings
    ) -> None:
        """Raise `InputError` where the collection's labels do not give the conditions asked for."""
        super().__init__(feature_dim, sizes, settings)
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

    def alike(self, batch: PhotoBatch) -> list[Tensor]:
        """Labels (B,) by which each of `conditions` compares, −1 where unknown."""
        columns = dict(zip(self.attributes, batch.attributes.T, strict=True))
        labels = {"category": batch.categories, "item": batch.items, **columns}
        return [labels[name] for name in self.conditions]

    def losses(self, features: Tensor, batch: PhotoBatch, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """Triplets of every condition, the length of the embedding, the size of the masks.

        A condition without a triplet in this batch counts zero.
        """
        settings, general, masks = self.settings, self.general(features), self.masks()
        hinges = [
            triplet_hinge(
                functional.normalize(general * mask, dim=1),
                draw_triplets(labels, settings.triplets),
                settings.margin,
            )
            for mask, labels in zip(masks, self.alike(batch), strict=True)
        ]
        return {
            "triplets": torch.stack(hinges).mean(),
            "embedding": settings.embedding_weight * general.norm(dim=1).mean(),
            "masks": settings.mask_weight * masks.abs().sum(1).mean(),
        }


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


def draw_triplets(labels: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """For every anchor that has both, `count` pairs of another photo like it and one unlike it.

    Labels (B,), −1 unknown and in no triplet → rows of anchors, positives and negatives (T,).
    """
    known = labels >= 0
    equal = labels[:, None] == labels[None]
    both = known[:, None] & known[None]
    like = equal & both & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    unlike = ~equal & both
    anchors = (like.any(1) & unlike.any(1)).nonzero().squeeze(1)
    if not len(anchors):
        return anchors, anchors, anchors
    positives = torch.multinomial(like[anchors].float(), count, replacement=True)
    negatives = torch.multinomial(unlike[anchors].float(), count, replacement=True)
    return anchors.repeat_interleave(count), positives.flatten(), negatives.flatten()


def triplet_hinge(rows: Tensor, triplets: tuple[Tensor, Tensor, Tensor], margin: float) -> Tensor:
    """Mean of max(0, D(a, p) − D(a, n) + margin) over triplets, D the Euclidean distance."""
    anchors, positives, negatives = (rows[part] for part in triplets)
    if not len(anchors):
        return rows.sum() * 0.0
    near = functional.pairwise_distance(anchors, positives)
    far = functional.pairwise_distance(anchors, negatives)
    return functional.relu(near - far + margin).mean()
