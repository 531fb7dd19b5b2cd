"""The t-distributed triplet loss (van der Maaten & Weinberger 2012, section 3)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from coordi.objectives.distances import zero_with_graph
from coordi.objectives.triplets import all_triplets


class TDistributedTripletLoss(nn.Module):
    """−log [k(d⁺) / (k(d⁺) + k(d⁻))] with the kernel k(d) = (1 + d²/α)^(−(α+1)/2).

    The heavy tail lets a triplet that is very wrong pull less than one that is nearly right. As
    in MTCT (Dong et al. 2017) the anchor is a street photo, positive and negative are shop
    photos; the mean is over all triplets of the batch (our reconstruction: the paper draws
    them). Any rows will do, of unit length or not.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        """`alpha` > 0: degrees of freedom; the larger, the lighter the tail."""
        super().__init__()
        self.alpha = alpha

    def log_kernel(self, squares: Tensor) -> Tensor:
        """Log k of squared distances."""
        return -(self.alpha + 1) / 2 * torch.log1p(squares / self.alpha)

    def forward(self, embeddings: Tensor, labels: Tensor, street: Tensor) -> Tensor:
        """Loss of rows (B, d) with labels (B,), `street` (B,) bool; 0 without a triplet."""
        near, far, valid = all_triplets(embeddings, labels, street, ~street)
        if not valid.any():
            return zero_with_graph(embeddings)
        # −log [a / (a + b)] = softplus(log b − log a): no quotient of small numbers.
        terms = functional.softplus(self.log_kernel(far) - self.log_kernel(near))
        return (terms * valid).sum() / valid.sum()
