"""The modern default: a light residual head on the cached features of any encoder.

embedding = x P + MLP(x), scaled to length one. P starts as the identity, or as the encoder's own
leading directions where the embedding is narrower, and the last layer of the MLP as zero: the
head starts as the encoder itself and can only be led away from it by the loss. A linear head
over frozen features is what retrieval adapters of CLIP-like encoders do (CLIP-Adapter, Gao et
al. 2021, mixes by a fixed ratio; here the residual is plain addition: our reconstruction).

Texts of a dual base encoder may pass the same layers: pictures move as little as the loss needs,
and what moves by P moves for texts alike. Nothing trains that agreement; the card says so.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from coordi.kinds import chosen_from
from coordi.models.batches import LabelSizes
from coordi.models.retrieval.layers import leading_directions, zeroed
from coordi.models.retrieval.mined import MinedSettings, MinedSystem
from coordi.models.system import SystemSettings
from coordi.objectives.metric import LOSSES


class HeadSettings(MinedSettings):
    """Fields of `model` in a recipe."""

    dim: int = Field(256, ge=2)
    """Columns of the embedding."""
    hidden: int = Field(0, ge=0)
    """Width of the residual perceptron; 0 leaves the linear part alone."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the features that are dropped while training."""
    loss: chosen_from(LOSSES) = Field(  # type: ignore[valid-type]
        {"kind": "infonce", "temperature": 0.05}, validate_default=True
    )


class Head(MinedSystem):
    """Features → unit rows, starting as the encoder's own."""

    Settings: ClassVar[type[SystemSettings]] = HeadSettings
    takes_text = True

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: HeadSettings) -> None:
        super().__init__(feature_dim, sizes, settings)
        self.linear = nn.Linear(feature_dim, settings.dim, bias=False)
        nn.init.eye_(self.linear.weight)
        self.residual = _residual(feature_dim, settings) if settings.hidden else None
        self.dropout = nn.Dropout(settings.dropout)
        self.learn_by(settings, sizes)

    @torch.no_grad()
    def fit_input(self, features: Tensor) -> None:
        """Start from the leading directions of features (N, feature_dim), where `dim` is less."""
        if self.dim < features.shape[1]:
            self.linear.weight.copy_(leading_directions(features, self.dim))

    def embed(self, features: Tensor, street: Tensor) -> Tensor:  # noqa: ARG002
        """Features (B, feature_dim) → unit rows (B, dim), the same for street and shop."""
        rows = self.dropout(features)
        out: Tensor = self.linear(rows)
        if self.residual is not None:
            out = out + self.residual(rows * self.scale)
        return functional.normalize(out, dim=1)


def _residual(feature_dim: int, settings: HeadSettings) -> nn.Sequential:
    """A perceptron whose output is zero until it has learned."""
    last = zeroed(nn.Linear(settings.hidden, settings.dim))
    return nn.Sequential(nn.Linear(feature_dim, settings.hidden), nn.GELU(), last)
