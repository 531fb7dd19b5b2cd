"""Dual attribute-aware ranking network, DARN (Huang et al. 2015, ICCV).

"Cross-domain image retrieval with a dual attribute-aware ranking network": two networks without
shared weights, one for street photos and one for shop photos, each with a classifier per
attribute; a triplet hinge ranks across the domains. As recalled, not read in a source; that the
towers stand on frozen features or a common backbone, and begin as one, which triplets take part
and how they are averaged, is our reconstruction.
"""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.retrieval.tower import AttributeHeads, TowerPerDomain, TowerSettings
from coordi.models.system import SystemSettings
from coordi.objectives.triplets import triplet_hinge


class DarnSettings(TowerSettings):
    """Fields of `model` in a recipe."""

    margin: float = Field(0.3, gt=0)
    """Of the triplet hinge, in squared distance of unit rows."""
    attribute_weight: float = Field(0.1, ge=0)
    """Weight of the attributes' cross-entropy (the paper's λ)."""


class Darn(TowerPerDomain):
    """Features → unit rows, by the tower of their domain."""

    Settings: ClassVar[type[SystemSettings]] = DarnSettings

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: DarnSettings) -> None:
        """As `System`."""
        super().__init__(feature_dim, sizes, settings)
        self.street_heads = AttributeHeads(settings.hidden, sizes)
        self.shop_heads = AttributeHeads(settings.hidden, sizes)

    def losses(self, features: Tensor, batch: PhotoBatch, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """Triplets from street to shop, and the attributes of each domain by its own heads."""
        hidden, rows = self.towers.levels(features, batch.street)
        street, shop, weight = batch.street, ~batch.street, self.settings.attribute_weight
        return {
            "triplets": triplet_hinge(rows, batch.items, street, shop, self.settings.margin),
            "street": weight * self.street_heads.loss_of(hidden, batch, street),
            "shop": weight * self.shop_heads.loss_of(hidden, batch, shop),
        }
