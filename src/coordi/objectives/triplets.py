"""All triplets of a batch as positive pairs × rows, and the hinge over them."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from coordi.objectives.distances import squared_distances, zero_with_graph


class Triplets(NamedTuple):
    """P positive pairs, each against all B rows of the batch."""

    near: Tensor
    """Squared distance anchor–positive, (P, 1)."""
    far: Tensor
    """Squared distance of the same anchor to every row, (P, B)."""
    valid: Tensor
    """Whether that row is a negative of the anchor, (P, B) bool."""


def all_triplets(embeddings: Tensor, labels: Tensor, anchors: Tensor, others: Tensor) -> Triplets:
    """Triplets with the anchor among `anchors` and positive and negative among `others`.

    Embeddings (B, d), labels (B,), both masks (B,) bool. A row is no positive of itself.
    Memory grows with P × B, not with B³.
    """
    distances = squared_distances(embeddings, embeddings)  # (B, B)
    same = labels[:, None] == labels[None, :]
    allowed = anchors[:, None] & others[None, :]
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    anchor, positive = torch.where(same & allowed & ~itself)  # (P,), (P,)
    return Triplets(
        near=distances[anchor, positive][:, None],
        far=distances[anchor],
        valid=(allowed & ~same)[anchor],
    )


def triplet_hinge(
    embeddings: Tensor, labels: Tensor, anchors: Tensor, others: Tensor, margin: float
) -> Tensor:
    """Mean of d²(a, p) − d²(a, n) + margin over all triplets in which it is positive.

    Triplets that are right already are left out of the mean (as in FaceNet's and in Hermans et
    al. 2017), else they would drown the few that are not. Scalar; 0 where no triplet is wrong.
    """
    near, far, valid = all_triplets(embeddings, labels, anchors, others)
    hinges = functional.relu(near - far + margin) * valid
    wrong = int((hinges > 0).sum())
    return hinges.sum() / wrong if wrong else zero_with_graph(embeddings)
