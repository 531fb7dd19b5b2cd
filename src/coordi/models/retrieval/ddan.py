"""Deep domain adaptation network, DDAN (Chen et al. 2015, CVPR).

"Deep domain adaptation for describing people based on fine-grained clothing attributes": a path
for each domain; features of matched photos are drawn together at several depths, and both paths
feed the same attribute classifiers. As recalled, not read in a source; the loss and that matched
photos are photos of the same garment are our reconstruction. Nothing here pushes different
garments apart but their attributes: the paper's aim is attributes, and the distance is what its
alignment leaves.
"""

from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from coordi.models.retrieval.system import LabelSizes, SystemSettings
from coordi.models.retrieval.tower import AttributeHeads, TwoTowers
from coordi.objectives.alignment import MultiLevelAlignmentLoss


class DdanSettings(SystemSettings):
    """Fields of `model` in a recipe."""

    dim: int = Field(256, ge=2)
    """Columns of the embedding."""
    hidden: int = Field(512, ge=1)
    """Width of each path's hidden layer."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of hidden units that are dropped while training."""
    levels: tuple[float, float] = (0.5, 1.0)
    """Weights of the alignment of the hidden layer and of the embedding."""
    attribute_weight: float = Field(1.0, ge=0)
    """Weight of the attributes' cross-entropy."""


class Ddan(nn.Module):
    """Features → unit rows, by the path of their domain."""

    Settings: ClassVar[type[SystemSettings]] = DdanSettings
    two_towers = True

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: DdanSettings) -> None:
        super().__init__()
        self.settings, self.dim = settings, settings.dim
        self.towers = TwoTowers(feature_dim, settings.hidden, settings.dim, settings.dropout)
        self.heads = AttributeHeads(settings.dim, sizes)
        self.objective = MultiLevelAlignmentLoss(settings.levels)

    def fit_input(self, features: Tensor) -> None:
        """Start both paths from the leading directions of features (N, feature_dim)."""
        self.towers.fit_input(features)

    def embed(self, features: Tensor, street: Tensor) -> Tensor:
        """Features (B, feature_dim), `street` (B,) → unit rows (B, dim)."""
        return self.towers.levels(features, street)[1]
