"""The robust contrastive loss (Wang et al. 2016): bad positive pairs do not lead."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from coordi.objectives.distances import safe_sqrt, squared_distances, zero_with_graph


class RobustContrastiveLoss(nn.Module):
    """Contrastive loss of street-shop pairs whose positive term saturates.

    Positive pair: c·d²/(c + d²), which is d² for close pairs and never more than c. Negative
    pair: max(0, m − d)². Mean over all positive pairs plus mean over the violating negatives.
    That the positive term saturates is the paper's idea; this form of it (Geman and McClure's,
    instead of a hard clip, beyond which a pair could never be learned) and the averages are our
    reconstruction.
    """

    def __init__(self, margin: float = 1.0, limit: float = 1.0) -> None:
        """`margin` m in distance (0 to 2 between unit rows), `limit` c > 0 in squared distance."""
        super().__init__()
        self.margin = margin
        self.limit = limit

    def forward(self, embeddings: Tensor, labels: Tensor, street: Tensor) -> Tensor:
        """Loss of unit rows (B, d) with labels (B,), `street` (B,) bool; 0 without a pair."""
        squares = squared_distances(embeddings[street], embeddings[~street])  # (S, T)
        same = labels[street][:, None] == labels[~street][None, :]
        near = self.limit * squares / (self.limit + squares)
        far = functional.relu(self.margin - safe_sqrt(squares)).square()
        parts = [near[same], far[~same & (far > 0)]]
        means = [part.mean() for part in parts if len(part)]
        return torch.stack(means).sum() if means else zero_with_graph(embeddings)
