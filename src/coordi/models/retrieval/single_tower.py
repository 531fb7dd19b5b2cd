"""Single-tower metric learning: one network for all photos, and any loss of the field.

The setting of Musgrave et al. 2020 ("A Metric Learning Reality Check"): features, a small
network, an embedding of length one, and a loss that sees embeddings and labels only.
"""

from typing import ClassVar

from pydantic import Field
from torch import Tensor
from torch.nn import functional

from coordi.models.batches import LabelSizes
from coordi.models.retrieval.layers import perceptron
from coordi.models.retrieval.mined import MinedSettings, MinedSystem
from coordi.models.system import SystemSettings


class SingleTowerSettings(MinedSettings):
    """Fields of `model` in a recipe."""

    dim: int = Field(128, ge=2)
    """Columns of the embedding."""
    hidden: tuple[int, ...] = (512,)
    """Widths of the layers between features and embedding; () is one linear layer."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of hidden units that are dropped while training."""


class SingleTower(MinedSystem):
    """Features → multi-layer perceptron → unit rows."""

    Settings: ClassVar[type[SystemSettings]] = SingleTowerSettings

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: SingleTowerSettings) -> None:
        super().__init__(feature_dim, sizes, settings)
        self.layers = perceptron(feature_dim, settings.hidden, settings.dim, settings.dropout)
        self.learn_by(settings, sizes)

    def embed(self, features: Tensor, street: Tensor) -> Tensor:  # noqa: ARG002
        """Features (B, feature_dim) → unit rows (B, dim), the same for street and shop."""
        return functional.normalize(self.layers(features * self.scale), dim=1)
