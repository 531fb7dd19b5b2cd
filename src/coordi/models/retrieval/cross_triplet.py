"""Deep bi-directional cross-triplet embedding (Jiang et al. 2016, ACM Multimedia).

Triplets in both directions, street anchor with shop photos and shop anchor with street photos,
and within each domain. As recalled, not read in a source: one network for both domains is our
reconstruction.
"""

from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from coordi.models.retrieval.system import LabelSizes, SystemSettings
from coordi.models.retrieval.tower import Tower
from coordi.objectives.cross_triplet import BidirectionalCrossTripletLoss


class CrossTripletSettings(SystemSettings):
    """Fields of `model` in a recipe."""

    dim: int = Field(256, ge=2)
    """Columns of the embedding."""
    hidden: int = Field(512, ge=1)
    """Width of the hidden layer."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of hidden units that are dropped while training."""
    margin: float = Field(0.3, gt=0)
    """Of every triplet hinge, in squared distance of unit rows."""
    same_domain: float = Field(0.5, ge=0)
    """Weight of the triplets within a domain."""


class CrossTriplet(nn.Module):
    """Features → unit rows, the same for both domains."""

    Settings: ClassVar[type[SystemSettings]] = CrossTripletSettings

    def __init__(
        self,
        feature_dim: int,
        sizes: LabelSizes,  # noqa: ARG002
        settings: CrossTripletSettings,
    ) -> None:
        super().__init__()
        self.settings, self.dim = settings, settings.dim
        self.tower = Tower(feature_dim, settings.hidden, settings.dim, settings.dropout)
        self.objective = BidirectionalCrossTripletLoss(settings.margin, settings.same_domain)

    def fit_input(self, features: Tensor) -> None:
        """Start from the leading directions of features (N, feature_dim)."""
        self.tower.fit_input(features)

    def embed(self, features: Tensor, street: Tensor) -> Tensor:  # noqa: ARG002
        """Features (B, feature_dim) → unit rows (B, dim)."""
        rows: Tensor = self.tower(features)
        return rows
