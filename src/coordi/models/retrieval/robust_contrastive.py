"""Siamese network with the robust contrastive loss (Wang et al. 2016, ICMR).

"Matching user photos to online products with robust deep features": one network for both domains;
the penalty of positive pairs is relaxed, so that pairs which hardly look alike do not lead the
gradient; beside it the network goes on classifying, so that it does not over-fit. As an abstract
and reviews tell it. The paper classifies ImageNet's photos, which are no garments and not at
hand: category and attributes of the photos themselves take their place. The form of the penalty
is our reconstruction, in three readings: a ceiling, one that falls in training, a dead zone.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.retrieval.tower import AttributeHeads, OneTower, TowerSettings
from coordi.models.system import SystemSettings
from coordi.objectives.distances import safe_sqrt, squared_distances, zero_with_graph


class RobustContrastiveSettings(TowerSettings):
    """Fields of `model` in a recipe."""

    margin: float = Field(1.0, gt=0, le=2)
    """Distance that pairs which do not match shall have at least."""
    positive: Literal["ceiling", "dead-zone"] = "ceiling"
    """How positive pairs are relaxed: far ones, by a ceiling, or close ones, by a dead zone."""
    limit: float = Field(1.0, gt=0)
    """Squared distance at which the positive term is half of its ceiling, which it equals."""
    first_limit: float | None = Field(None, gt=0)
    """The same before the first step, from where it falls geometrically to `limit`, so that far
    pairs are learned first and doubted later; null keeps it at `limit`."""
    zone: float = Field(0.3, ge=0, lt=2)
    """Dead zone: distance up to which a positive pair costs nothing."""
    classification_weight: float = Field(0.1, ge=0)
    """Weight of the cross-entropy of category and attributes."""


class RobustContrastive(OneTower):
    """Features → unit rows, the same for both domains."""

    Settings: ClassVar[type[SystemSettings]] = RobustContrastiveSettings

    def __init__(
        self, feature_dim: int, sizes: LabelSizes, settings: RobustContrastiveSettings
    ) -> None:
        """As `System`."""
        super().__init__(feature_dim, sizes, settings)
        self.heads = AttributeHeads(settings.hidden, sizes)

    def limit(self, progress: float) -> float:
        """The ceiling after a share of the steps."""
        last = self.settings.limit
        first = last if self.settings.first_limit is None else self.settings.first_limit
        return float(first * (last / first) ** progress)

    def losses(self, features: Tensor, batch: PhotoBatch, progress: float) -> dict[str, Tensor]:
        """The robust contrastive loss of street-shop pairs, and classification beside it."""
        hidden, rows = self.tower.levels(features)
        limit = self.limit(progress) if self.settings.positive == "ceiling" else None
        pairs = robust_contrastive(
            rows, batch.items, batch.street, self.settings.margin, limit, self.settings.zone
        )
        labels = self.heads.loss(hidden, batch.categories, batch.attributes)
        return {"pairs": pairs, "labels": self.settings.classification_weight * labels}


def robust_contrastive(
    rows: Tensor,
    items: Tensor,
    street: Tensor,
    margin: float = 1.0,
    limit: float | None = 1.0,
    zone: float = 0.0,
) -> Tensor:
    """Contrastive loss of street-shop pairs with a relaxed positive term; 0 without a pair.

    Positive pair: c·d²/(c + d²) with c = `limit`, which is d² for close pairs and never more than
    c (Geman and McClure's form, instead of a hard clip, beyond which a pair could never be
    learned); without a limit max(0, d − `zone`)². Negative pair: max(0, `margin` − d)². Mean over
    all positive pairs plus mean over the violating negatives, of unit rows (B, dim) with labels
    (B,) and `street` (B,) bool. Forms and averages are our reconstruction.
    """
    squares = squared_distances(rows[street], rows[~street])  # (S, T)
    same = items[street][:, None] == items[~street][None, :]
    if limit is None:
        near = functional.relu(safe_sqrt(squares) - zone).square()
    else:
        near = limit * squares / (limit + squares)
    far = functional.relu(margin - safe_sqrt(squares)).square()
    parts = [near[same], far[~same & (far > 0)]]
    means = [part.mean() for part in parts if len(part)]
    return torch.stack(means).sum() if means else zero_with_graph(rows)
