"""What the cross-domain systems are built of: a tower of two layers, and attribute heads."""

from collections.abc import Sequence
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.retrieval.layers import leading_directions, perceptron, zeroed
from coordi.models.system import EmbeddingSystem, SystemSettings


class TowerSettings(SystemSettings):
    """Settings of every system that stands on towers."""

    dim: int = Field(256, ge=2)
    """Columns of the embedding."""
    hidden: int = Field(512, ge=1)
    """Width of a tower's hidden layer."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of hidden units that are dropped while training."""


class Tower(nn.Module):
    """Features → hidden layer → embedding x P + W·hidden(x), scaled to length one.

    P starts as the leading directions of the features and W as zero: a tower begins as the
    encoder itself, as far as `dim` columns hold it, and two towers begin as the same one.
    """

    def __init__(self, feature_dim: int, hidden: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.dim = dim
        self.scale = feature_dim**0.5  # unit rows become entries of variance about one
        self.project = nn.Linear(feature_dim, dim, bias=False)
        nn.init.eye_(self.project.weight)
        self.hidden = nn.Sequential(nn.Linear(feature_dim, hidden), nn.ReLU(), nn.Dropout(dropout))
        self.last = zeroed(nn.Linear(hidden, dim))

    @torch.no_grad()
    def fit_input(self, features: Tensor) -> None:
        """Start from the leading directions of features (N, feature_dim)."""
        leading = leading_directions(features, self.dim)
        self.project.weight[: len(leading)].copy_(leading)

    def levels(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, feature_dim) → hidden layer (B, hidden) and unit rows (B, dim)."""
        hidden: Tensor = self.hidden(features * self.scale)
        return hidden, functional.normalize(self.project(features) + self.last(hidden), dim=1)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, feature_dim) → unit rows (B, dim)."""
        return self.levels(features)[1]


class TwoTowers(nn.Module):
    """A tower for street photos and one for shop photos, without shared weights."""

    def __init__(self, feature_dim: int, hidden: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.street = Tower(feature_dim, hidden, dim, dropout)
        self.shop = Tower(feature_dim, hidden, dim, dropout)
        self.shop.load_state_dict(self.street.state_dict())

    def fit_input(self, features: Tensor) -> None:
        """Start both from the leading directions of features (N, feature_dim)."""
        self.street.fit_input(features)
        self.shop.fit_input(features)

    def levels(self, features: Tensor, street: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, feature_dim), `street` (B,) → hidden (B, hidden), unit rows (B, dim)."""
        pairs = zip(self.street.levels(features), self.shop.levels(features), strict=True)
        hidden, rows = (torch.where(street[:, None], a, b) for a, b in pairs)
        return hidden, rows


class OneTower(EmbeddingSystem):
    """Base of systems with one network for both domains."""

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: Any) -> None:
        """As `System`; `settings` are `TowerSettings`."""
        super().__init__(feature_dim, sizes, settings)
        self.tower = Tower(feature_dim, settings.hidden, settings.dim, settings.dropout)

    def fit_input(self, features: Tensor) -> None:
        """Start from the leading directions of features (N, feature_dim)."""
        self.tower.fit_input(features)

    def embed(self, features: Tensor, street: Tensor) -> Tensor:  # noqa: ARG002
        """Features (B, feature_dim) → unit rows (B, dim), the same for street and shop."""
        rows: Tensor = self.tower(features)
        return rows


class TowerPerDomain(EmbeddingSystem):
    """Base of systems with a network for street photos and another for shop photos."""

    two_towers = True

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: Any) -> None:
        """As `System`; `settings` are `TowerSettings`."""
        super().__init__(feature_dim, sizes, settings)
        self.towers = TwoTowers(feature_dim, settings.hidden, settings.dim, settings.dropout)

    def fit_input(self, features: Tensor) -> None:
        """Start both towers from the leading directions of features (N, feature_dim)."""
        self.towers.fit_input(features)

    def embed(self, features: Tensor, street: Tensor) -> Tensor:
        """Features (B, feature_dim), `street` (B,) → unit rows (B, dim)."""
        return self.towers.levels(features, street)[1]


class AttributeHeads(nn.Module):
    """One softmax classifier for the category and one for each attribute, on the same rows."""

    def __init__(self, width: int, sizes: LabelSizes, hidden: Sequence[int] = ()) -> None:
        """`hidden` are the widths of each classifier's own layers before its last."""
        super().__init__()
        counts = [max(1, count) for count in (sizes.categories, *sizes.attributes.values())]
        self.heads = nn.ModuleList(
            perceptron(width, hidden, count, 0.0) if hidden else nn.Linear(width, count)
            for count in counts
        )

    def loss(self, rows: Tensor, categories: Tensor, attributes: Tensor) -> Tensor:
        """Mean cross-entropy over the heads of which the batch knows a label.

        Rows (B, width), categories (B,) and attributes (B, A); labels of −1 are unknown and
        count nowhere. 0 where nothing is known.
        """
        labels = torch.cat([categories[:, None], attributes], 1)
        terms = [
            functional.cross_entropy(head(rows), column, ignore_index=-1)
            for head, column in zip(self.heads, labels.T, strict=True)
            if (column >= 0).any()
        ]
        return torch.stack(terms).mean() if terms else rows.sum() * 0.0

    def loss_of(self, rows: Tensor, batch: PhotoBatch, chosen: Tensor) -> Tensor:
        """`loss` of some photos of a batch, `chosen` (B,) bool; rows (B, width)."""
        return self.loss(rows[chosen], batch.categories[chosen], batch.attributes[chosen])
