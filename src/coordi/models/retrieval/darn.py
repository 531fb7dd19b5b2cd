"""Dual attribute-aware ranking network, DARN (Huang et al. 2015, ICCV).

"Cross-domain image retrieval with a dual attribute-aware ranking network": two networks without
shared weights, one for street photos and one for shop photos, each with a classifier per
attribute; a triplet hinge ranks across the domains, on the first dense layer beside mid-level
maps, so that local detail is ranked too. As reviews tell it. Encoders here give one row of
features and no maps: with `rank: dense` the features below the dense layer take their place, in
rows that are hidden + features wide; `projection` ranks by a narrow projection of both. That the
towers stand on frozen features or a common backbone, and begin as one, which triplets take part
and how they are averaged, is our reconstruction.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

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
    rank: Literal["projection", "dense"] = "projection"
    """What is ranked by, and searched: a projection to `dim` columns, or, wider and as in the
    paper, the first dense layer beside the features that it stands on."""


class Darn(TowerPerDomain):
    """Features → unit rows, by the tower of their domain."""

    Settings: ClassVar[type[SystemSettings]] = DarnSettings

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: DarnSettings) -> None:
        """As `System`."""
        super().__init__(feature_dim, sizes, settings)
        self.street_heads = AttributeHeads(settings.hidden, sizes)
        self.shop_heads = AttributeHeads(settings.hidden, sizes)
        if settings.rank == "dense":
            self.dim = settings.hidden + feature_dim

    def embed(self, features: Tensor, street: Tensor) -> Tensor:
        """Features (B, feature_dim), `street` (B,) → unit rows (B, dim)."""
        return self._levels(features, street)[1]

    def _levels(self, features: Tensor, street: Tensor) -> tuple[Tensor, Tensor]:
        """The first dense layer (B, hidden), and what is ranked by."""
        hidden, rows = self.towers.levels(features, street)
        if self.settings.rank == "dense":
            parts = [functional.normalize(part, dim=1) for part in (hidden, features)]
            rows = torch.cat(parts, 1) / 2**0.5
        return hidden, rows

    def losses(self, features: Tensor, batch: PhotoBatch, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """Triplets from street to shop, and the attributes of each domain by its own heads."""
        hidden, rows = self._levels(features, batch.street)
        street, shop, weight = batch.street, ~batch.street, self.settings.attribute_weight
        return {
            "triplets": triplet_hinge(rows, batch.items, street, shop, self.settings.margin),
            "street": weight * self.street_heads.loss_of(hidden, batch, street),
            "shop": weight * self.shop_heads.loss_of(hidden, batch, shop),
        }
