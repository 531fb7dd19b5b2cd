"""Siamese network with the robust contrastive loss (Wang et al. 2016, ICMR).

"Matching user photos to online products with robust contrastive loss": one network for both
domains; the positive term saturates, so that pairs which do not show the same garment after all
do not lead the gradient. As recalled, not read in a source; the loss says what is reconstructed.
"""

from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from coordi.models.retrieval.system import LabelSizes, SystemSettings
from coordi.models.retrieval.tower import Tower
from coordi.objectives.robust_contrastive import RobustContrastiveLoss


class RobustContrastiveSettings(SystemSettings):
    """Fields of `model` in a recipe."""

    dim: int = Field(256, ge=2)
    """Columns of the embedding."""
    hidden: int = Field(512, ge=1)
    """Width of the hidden layer."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of hidden units that are dropped while training."""
    margin: float = Field(1.0, gt=0, le=2)
    """Distance that pairs which do not match shall have at least."""
    limit: float = Field(1.0, gt=0)
    """Squared distance at which the positive term is half of its ceiling, which it equals."""


class RobustContrastive(nn.Module):
    """Features → unit rows, the same for both domains."""

    Settings: ClassVar[type[SystemSettings]] = RobustContrastiveSettings

    def __init__(
        self,
        feature_dim: int,
        sizes: LabelSizes,  # noqa: ARG002
        settings: RobustContrastiveSettings,
    ) -> None:
        super().__init__()
        self.settings, self.dim = settings, settings.dim
        self.tower = Tower(feature_dim, settings.hidden, settings.dim, settings.dropout)
        self.objective = RobustContrastiveLoss(settings.margin, settings.limit)

    def fit_input(self, features: Tensor) -> None:
        """Start from the leading directions of features (N, feature_dim)."""
        self.tower.fit_input(features)

    def embed(self, features: Tensor, street: Tensor) -> Tensor:  # noqa: ARG002
        """Features (B, feature_dim) → unit rows (B, dim)."""
        rows: Tensor = self.tower(features)
        return rows
