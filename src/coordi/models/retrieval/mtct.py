"""Multi-task curriculum transfer, MTCT (Dong, Gong and Zhu 2017, WACV).

First the network learns the attributes of clean shop photos, the easier task; then street photos
join, with t-distributed triplets across the domains (van der Maaten and Weinberger 2012), while
the attribute heads learn on. As recalled, not read in a source: one network for both domains, and
heads that in the second stage see both of them, are our reconstruction.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.retrieval.tower import AttributeHeads, OneTower, TowerSettings
from coordi.models.system import SystemSettings
from coordi.objectives.distances import zero_with_graph
from coordi.objectives.triplets import all_triplets


class MtctSettings(TowerSettings):
    """Fields of `model` in a recipe."""

    stage1: float = Field(0.2, ge=0, le=1)
    """Share of the steps in which only attributes of shop photos are learned."""
    alpha: float = Field(1.0, gt=0)
    """Degrees of freedom of the t-distributed kernel."""
    spread: float = Field(4.0, gt=0)
    """Length to which unit rows are stretched before the kernel, whose own unit is 1."""
    attribute_weight: float = Field(0.1, ge=0)
    """Weight of the attributes' cross-entropy in the second stage."""


class Mtct(OneTower):
    """Features → unit rows, the same for both domains."""

    Settings: ClassVar[type[SystemSettings]] = MtctSettings

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: MtctSettings) -> None:
        """As `System`."""
        super().__init__(feature_dim, sizes, settings)
        self.heads = AttributeHeads(settings.hidden, sizes)

    def losses(self, features: Tensor, batch: PhotoBatch, progress: float) -> dict[str, Tensor]:
        """First the attributes of shop photos alone, then triplets across the domains as well."""
        hidden, rows = self.tower.levels(features)
        if progress < self.settings.stage1:
            return {"attributes": self.heads.loss_of(hidden, batch, ~batch.street)}
        stretched, alpha = rows * self.settings.spread, self.settings.alpha
        attributes = self.heads.loss(hidden, batch.categories, batch.attributes)
        return {
            "triplets": t_distributed(stretched, batch.items, batch.street, alpha),
            "attributes": self.settings.attribute_weight * attributes,
        }


def t_distributed(rows: Tensor, items: Tensor, street: Tensor, alpha: float = 1.0) -> Tensor:
    """−log [k(d⁺) / (k(d⁺) + k(d⁻))] with the kernel k(d) = (1 + d²/α)^(−(α+1)/2).

    Van der Maaten and Weinberger 2012, section 3; the larger α > 0, the lighter the tail. The
    heavy tail lets a triplet that is very wrong pull less than one that is nearly right. Rows
    (B, d) of any length, labels (B,), `street` (B,) bool; the anchor is a street photo, positive
    and negative are shop photos. The mean is over all triplets of the batch (our reconstruction:
    MTCT draws them); 0 without one.
    """
    near, far, valid = all_triplets(rows, items, street, ~street)
    if not valid.any():
        return zero_with_graph(rows)

    def log_kernel(squares: Tensor) -> Tensor:
        return -(alpha + 1) / 2 * torch.log1p(squares / alpha)

    # −log [a / (a + b)] = softplus(log b − log a): no quotient of small numbers.
    terms = functional.softplus(log_kernel(far) - log_kernel(near))
    return (terms * valid).sum() / valid.sum()
