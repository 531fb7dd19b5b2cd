"""Siamese network with the robust contrastive loss (Wang et al. 2016, ICMR).

"Matching user photos to online products with robust contrastive loss": one network for both
domains; the positive term saturates, so that pairs which do not show the same garment after all
do not lead the gradient. As recalled, not read in a source; the loss says what is reconstructed.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from coordi.models.batches import PhotoBatch
from coordi.models.retrieval.tower import OneTower, TowerSettings
from coordi.models.system import SystemSettings
from coordi.objectives.distances import safe_sqrt, squared_distances, zero_with_graph


class RobustContrastiveSettings(TowerSettings):
    """Fields of `model` in a recipe."""

    margin: float = Field(1.0, gt=0, le=2)
    """Distance that pairs which do not match shall have at least."""
    limit: float = Field(1.0, gt=0)
    """Squared distance at which the positive term is half of its ceiling, which it equals."""


class RobustContrastive(OneTower):
    """Features → unit rows, the same for both domains."""

    Settings: ClassVar[type[SystemSettings]] = RobustContrastiveSettings

    def losses(self, features: Tensor, batch: PhotoBatch, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """The robust contrastive loss of street-shop pairs."""
        rows, chosen = self.embed(features, batch.street), self.settings
        pairs = robust_contrastive(rows, batch.items, batch.street, chosen.margin, chosen.limit)
        return {"pairs": pairs}


def robust_contrastive(
    rows: Tensor, items: Tensor, street: Tensor, margin: float = 1.0, limit: float = 1.0
) -> Tensor:
    """Contrastive loss of street-shop pairs whose positive term saturates; 0 without a pair.

    Positive pair: c·d²/(c + d²) with c = `limit`, which is d² for close pairs and never more than
    c. Negative pair: max(0, `margin` − d)². Mean over all positive pairs plus mean over the
    violating negatives, of unit rows (B, dim) with labels (B,) and `street` (B,) bool. That the
    positive term saturates is the paper's idea; this form of it (Geman and McClure's, instead of a
    hard clip, beyond which a pair could never be learned) and the averages are our reconstruction.
    """
    squares = squared_distances(rows[street], rows[~street])  # (S, T)
    same = items[street][:, None] == items[~street][None, :]
    near = limit * squares / (limit + squares)
    far = functional.relu(margin - safe_sqrt(squares)).square()
    parts = [near[same], far[~same & (far > 0)]]
    means = [part.mean() for part in parts if len(part)]
    return torch.stack(means).sum() if means else zero_with_graph(rows)
