"""Deep bi-directional cross-triplet embedding (Jiang et al. 2016, ACM Multimedia).

Triplets in both directions, street anchor with shop photos and shop anchor with street photos,
and within each domain. As recalled, not read in a source: one network for both domains, the weight
of the triplets within a domain, and that all triplets of a batch are used, are our reconstruction.
"""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from coordi.models.batches import PhotoBatch
from coordi.models.retrieval.tower import OneTower, TowerSettings
from coordi.models.system import SystemSettings
from coordi.objectives.triplets import triplet_hinge


class CrossTripletSettings(TowerSettings):
    """Fields of `model` in a recipe."""

    margin: float = Field(0.3, gt=0)
    """Of every triplet hinge, in squared distance of unit rows."""
    same_domain: float = Field(0.5, ge=0)
    """Weight of the triplets within a domain."""


class CrossTriplet(OneTower):
    """Features → unit rows, the same for both domains."""

    Settings: ClassVar[type[SystemSettings]] = CrossTripletSettings

    def losses(self, features: Tensor, batch: PhotoBatch, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """Triplets across the domains, in both directions, and within each."""
        rows = self.embed(features, batch.street)
        across, within = bidirectional(rows, batch.items, batch.street, self.settings.margin)
        return {"across": across, "within": self.settings.same_domain * within}


def bidirectional(
    rows: Tensor, items: Tensor, street: Tensor, margin: float
) -> tuple[Tensor, Tensor]:
    """[street → shop] + [shop → street], and [street → street] + [shop → shop].

    Each is the mean hinge over its violating triplets of unit rows (B, dim) with labels (B,) and
    `street` (B,) bool; 0 without a triplet.
    """
    shop = ~street

    def hinge(anchors: Tensor, others: Tensor) -> Tensor:
        return triplet_hinge(rows, items, anchors, others, margin)

    return hinge(street, shop) + hinge(shop, street), hinge(street, street) + hinge(shop, shop)
