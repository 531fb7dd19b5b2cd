"""The step of conditional similarity networks."""

import torch
from torch import Tensor
from torch.nn import functional

from coordi.models.retrieval.csn import ConditionalSimilarity
from coordi.training.batches import PhotoBatch


def losses(
    model: ConditionalSimilarity,
    features: Tensor,
    batch: PhotoBatch,
    progress: float,  # noqa: ARG001
) -> dict[str, Tensor]:
    """Triplets of every condition, the length of the embedding, the size of the masks.

    A condition without a triplet in this batch counts zero.
    """
    settings = model.settings
    general, masks = model.general(features), model.masks()
    hinges = []
    for mask, name in zip(masks, model.conditions, strict=True):
        chosen = draw_triplets(labels_of(model, batch, name), settings.triplets)
        rows = functional.normalize(general * mask, dim=1)
        hinges.append(triplet_hinge(rows, chosen, settings.margin))
    return {
        "triplets": torch.stack(hinges).mean(),
        "embedding": settings.embedding_weight * general.norm(dim=1).mean(),
        "masks": settings.mask_weight * masks.abs().sum(1).mean(),
    }


def labels_of(model: ConditionalSimilarity, batch: PhotoBatch, condition: str) -> Tensor:
    """PhotoLabels (B,) by which a condition compares, −1 where unknown."""
    if condition in model.attributes:
        return batch.attributes[:, model.attributes.index(condition)]
    return batch.categories if condition == "category" else batch.items


def draw_triplets(labels: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """For every anchor that has both, `count` pairs of another photo like it and one unlike it.

    PhotoLabels (B,), −1 unknown and in no triplet → rows of anchors, positives and negatives (T,).
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
