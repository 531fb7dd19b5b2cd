"""Multi-task curriculum transfer, MTCT (Dong, Gong and Zhu 2017, WACV).

First the network learns the attributes of clean shop photos, the easier task; then street photos
join, with t-distributed triplets across the domains (van der Maaten and Weinberger 2012), while
the attribute heads learn on. As recalled, not read in a source: one network for both domains, and
heads that in the second stage see both of them, are our reconstruction.
"""

from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from coordi.models.retrieval.system import LabelSizes, SystemSettings
from coordi.models.retrieval.tower import AttributeHeads, Tower
from coordi.objectives.t_distributed import TDistributedTripletLoss


class MtctSettings(SystemSettings):
    """Fields of `model` in a recipe."""

    dim: int = Field(256, ge=2)
    """Columns of the embedding."""
    hidden: int = Field(512, ge=1)
    """Width of the hidden layer, on which the attribute heads stand."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of hidden units that are dropped while training."""
    stage1: float = Field(0.2, ge=0, le=1)
    """Share of the steps in which only attributes of shop photos are learned."""
    alpha: float = Field(1.0, gt=0)
    """Degrees of freedom of the t-distributed kernel."""
    spread: float = Field(4.0, gt=0)
    """Length to which unit rows are stretched before the kernel, whose own unit is 1."""
    attribute_weight: float = Field(0.1, ge=0)
    """Weight of the attributes' cross-entropy in the second stage."""


class Mtct(nn.Module):
    """Features → unit rows, the same for both domains."""

    Settings: ClassVar[type[SystemSettings]] = MtctSettings

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: MtctSettings) -> None:
        super().__init__()
        self.settings, self.dim = settings, settings.dim
        self.tower = Tower(feature_dim, settings.hidden, settings.dim, settings.dropout)
        self.heads = AttributeHeads(settings.hidden, sizes)
        self.objective = TDistributedTripletLoss(settings.alpha)

    def fit_input(self, features: Tensor) -> None:
        """Start from the leading directions of features (N, feature_dim)."""
        self.tower.fit_input(features)

    def embed(self, features: Tensor, street: Tensor) -> Tensor:  # noqa: ARG002
        """Features (B, feature_dim) → unit rows (B, dim)."""
        rows: Tensor = self.tower(features)
        return rows
