"""Dual attribute-aware ranking network, DARN (Huang et al. 2015, ICCV).

"Cross-domain image retrieval with a dual attribute-aware ranking network": two networks without
shared weights, one for street photos and one for shop photos, each with a classifier per
attribute; a triplet hinge ranks across the domains. As recalled, not read in a source; that the
towers stand on frozen features or a common backbone, and begin as one, is our reconstruction.
"""

from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from coordi.models.retrieval.system import LabelSizes, SystemSettings
from coordi.models.retrieval.tower import AttributeHeads, TwoTowers
from coordi.objectives.cross_triplet import CrossDomainTripletLoss


class DarnSettings(SystemSettings):
    """Fields of `model` in a recipe."""

    dim: int = Field(256, ge=2)
    """Columns of the embedding."""
    hidden: int = Field(512, ge=1)
    """Width of each tower's hidden layer, on which the attribute heads stand."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of hidden units that are dropped while training."""
    margin: float = Field(0.3, gt=0)
    """Of the triplet hinge, in squared distance of unit rows."""
    attribute_weight: float = Field(0.1, ge=0)
    """Weight of the attributes' cross-entropy (the paper's λ)."""


class Darn(nn.Module):
    """Features → unit rows, by the tower of their domain."""

    Settings: ClassVar[type[SystemSettings]] = DarnSettings
    two_towers = True

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: DarnSettings) -> None:
        super().__init__()
        self.settings, self.dim = settings, settings.dim
        self.towers = TwoTowers(feature_dim, settings.hidden, settings.dim, settings.dropout)
        self.street_heads = AttributeHeads(settings.hidden, sizes)
        self.shop_heads = AttributeHeads(settings.hidden, sizes)
        self.objective = CrossDomainTripletLoss(settings.margin)

    def fit_input(self, features: Tensor) -> None:
        """Start both towers from the leading directions of features (N, feature_dim)."""
        self.towers.fit_input(features)

    def embed(self, features: Tensor, street: Tensor) -> Tensor:
        """Features (B, feature_dim), `street` (B,) → unit rows (B, dim)."""
        return self.towers.levels(features, street)[1]
