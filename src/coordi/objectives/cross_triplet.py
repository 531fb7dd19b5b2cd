"""Triplet losses between two domains: street photos and shop photos."""

import torch
from torch import Tensor, nn

from coordi.objectives.triplets import triplet_hinge


class CrossDomainTripletLoss(nn.Module):
    """Street anchor, shop positive and shop negative, as in DARN (Huang et al. 2015).

    Hinge d²(a, p) − d²(a, n) + margin on squared Euclidean distances, over all triplets of the
    batch, averaged over those that violate the margin. The paper was not at hand: which
    triplets take part and how they are averaged is our reconstruction. For the other direction
    call it with `~street`.
    """

    def __init__(self, margin: float = 0.3) -> None:
        """`margin` is in squared distance, which is 0 to 4 between unit rows."""
        super().__init__()
        self.margin = margin

    def forward(self, embeddings: Tensor, labels: Tensor, street: Tensor) -> Tensor:
        """Loss of unit rows (B, d) with labels (B,), `street` (B,) bool; 0 without a triplet."""
        return triplet_hinge(embeddings, labels, street, ~street, self.margin)


class BidirectionalCrossTripletLoss(nn.Module):
    """Triplets in both directions and within each domain (Jiang et al. 2016).

    [street → shop] + [shop → street] + `same_domain` · ([street → street] + [shop → shop]), each
    term the mean hinge over its violating triplets. The weight of the same-domain terms, and
    that all triplets of the batch are used, is our reconstruction.
    """

    def __init__(self, margin: float = 0.3, same_domain: float = 0.5) -> None:
        """`margin` is in squared distance, which is 0 to 4 between unit rows."""
        super().__init__()
        self.margin = margin
        self.same_domain = same_domain

    def forward(self, embeddings: Tensor, labels: Tensor, street: Tensor) -> Tensor:
        """Loss of unit rows (B, d) with labels (B,), `street` (B,) bool; 0 without a triplet."""
        across = [(street, ~street), (~street, street)]
        within = [(street, street), (~street, ~street)]
        terms = [
            weight * triplet_hinge(embeddings, labels, anchors, others, self.margin)
            for weight, pairs in ((1.0, across), (self.same_domain, within))
            for anchors, others in pairs
        ]
        return torch.stack(terms).sum()
