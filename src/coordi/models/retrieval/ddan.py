"""Deep domain adaptation network, DDAN (Chen et al. 2015, CVPR).

"Deep domain adaptation for describing people based on fine-grained clothing attributes": a path
for each domain; features of matched photos are drawn together at several depths, and both paths
feed the same attribute classifiers. As recalled, not read in a source; the loss and that matched
photos are photos of the same garment are our reconstruction. Nothing here pushes different
garments apart but their attributes: the paper's aim is attributes, and the distance is what its
alignment leaves.
"""

from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.retrieval.tower import AttributeHeads, TowerPerDomain, TowerSettings
from coordi.models.system import SystemSettings
from coordi.objectives.distances import safe_unit_rows, squared_distances, zero_with_graph


class DdanSettings(TowerSettings):
    """Fields of `model` in a recipe."""

    levels: tuple[float, float] = (0.5, 1.0)
    """Weights of the alignment of the hidden layer and of the embedding."""
    attribute_weight: float = Field(1.0, ge=0)
    """Weight of the attributes' cross-entropy."""

    @model_validator(mode="after")
    def _levels_are_shares(self) -> Self:
        if any(weight < 0 for weight in self.levels) or not sum(self.levels) > 0:
            raise ValueError(f"levels {self.levels}: give weights ≥ 0, one of them > 0")
        return self


class Ddan(TowerPerDomain):
    """Features → unit rows, by the path of their domain."""

    Settings: ClassVar[type[SystemSettings]] = DdanSettings

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: DdanSettings) -> None:
        """As `System`."""
        super().__init__(feature_dim, sizes, settings)
        self.heads = AttributeHeads(settings.dim, sizes)

    def losses(self, features: Tensor, batch: PhotoBatch, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """Alignment of both depths, and the attributes of all photos by the same heads."""
        hidden, rows = self.towers.levels(features, batch.street)
        attributes = self.heads.loss(rows * self.dim**0.5, batch.categories, batch.attributes)
        return {
            "alignment": alignment((hidden, rows), batch.items, batch.street, self.settings.levels),
            "attributes": self.settings.attribute_weight * attributes,
        }


def alignment(
    levels: Sequence[Tensor], items: Tensor, street: Tensor, weights: Sequence[float]
) -> Tensor:
    """Weighted mean over depths of d² between the features of matched street and shop photos.

    Features (B, d₁), (B, d₂), … of each depth are scaled to unit rows first, so that depths of
    different width count alike and shrinking all features is no way out; labels (B,), `street`
    (B,) bool; 0 without a pair. The scaling and the use of all street-shop pairs with the same
    label are our reconstruction.
    """
    same = items[street][:, None] == items[~street][None, :]  # (S, T)
    if not same.any():
        return torch.stack([zero_with_graph(rows) for rows in levels]).sum()
    units = [safe_unit_rows(rows) for rows in levels]
    terms = [
        weight * squared_distances(unit[street], unit[~street])[same].mean()
        for weight, unit in zip(weights, units, strict=True)
    ]
    return torch.stack(terms).sum() / sum(weights)
