"""Deep domain adaptation network, DDAN (Chen et al. 2015, CVPR).

"Deep domain adaptation for describing people based on fine-grained clothing attributes": a path
for each domain, costs that align the two at several depths, and attribute classifiers on top. The
paper has no pairs of one garment: it aligns the domains, so that attributes that only shop photos
are labelled with can be read off street photos. What is aligned with what is our reconstruction,
hence `align`: the distributions of the two domains, photos that share an attribute, or photos of
the same garment, which is stronger supervision than the paper has. Its aim is attributes, not
search: nothing but them pushes different garments apart, and the distance is what that leaves.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.retrieval.tower import AttributeHeads, TowerPerDomain, TowerSettings
from coordi.models.system import SystemSettings
from coordi.objectives.distances import safe_unit_rows, squared_distances, zero_with_graph

BANDWIDTHS = (0.125, 0.25, 0.5, 1.0, 2.0)
"""Squared distances at which a kernel falls to 1/e; those of unit rows lie in 0 to 4."""


class DdanSettings(TowerSettings):
    """Fields of `model` in a recipe."""

    align: Literal["domain", "attribute", "item"] = "domain"
    """What is aligned across the domains: their distributions, as in the paper, photos that share
    a category or attribute, or photos of one garment, which the paper does not have."""
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
            "alignment": self._alignment((hidden, rows), batch),
            "attributes": self.settings.attribute_weight * attributes,
        }

    def _alignment(self, levels: Sequence[Tensor], batch: PhotoBatch) -> Tensor:
        weights = self.settings.levels
        if self.settings.align == "domain":
            return discrepancy(levels, batch.street, weights)
        if self.settings.align == "item":
            return alignment(levels, batch.items[:, None], batch.street, weights)
        labels = torch.cat([batch.categories[:, None], batch.attributes], 1)
        return alignment(levels, labels, batch.street, weights)


def discrepancy(levels: Sequence[Tensor], street: Tensor, weights: Sequence[float]) -> Tensor:
    """Weighted mean over depths of the maximum mean discrepancy between the domains, squared.

    Gretton et al. 2012, equation 5, with the mean of Gaussian kernels of all `BANDWIDTHS`, as in
    deep adaptation networks (Long et al. 2015): mean k(street, street) + mean k(shop, shop)
    − 2 mean k(street, shop), never below 0. Features as in `alignment`; 0 without both domains.
    """
    if street.all() or not street.any():
        return torch.stack([zero_with_graph(rows) for rows in levels]).sum()

    def term(rows: Tensor) -> Tensor:
        squares = squared_distances(rows, rows)
        kernel = torch.stack([torch.exp(-squares / width) for width in BANDWIDTHS]).mean(0)
        across = kernel[street][:, ~street].mean()
        within = kernel[street][:, street].mean() + kernel[~street][:, ~street].mean()
        return within - 2 * across

    terms = [w * term(safe_unit_rows(rows)) for w, rows in zip(weights, levels, strict=True)]
    return torch.stack(terms).sum() / sum(weights)


def alignment(
    levels: Sequence[Tensor], labels: Tensor, street: Tensor, weights: Sequence[float]
) -> Tensor:
    """Weighted mean over depths of d² between the features of alike street and shop photos.

    Features (B, d₁), (B, d₂), … of each depth are scaled to unit rows first, so that depths of
    different width count alike and shrinking all features is no way out; labels (B, K), −1
    unknown, `street` (B,) bool. The mean is over all street-shop pairs with the same label, then
    over the K labels that have any; 0 without a pair. Scaling and pairs are our reconstruction.
    """
    known = labels.T[:, street, None]  # (K, S, 1)
    same = (known == labels.T[:, None, ~street]) & (known >= 0)  # (K, S, T)
    same = same[same.flatten(1).any(1)]
    if not len(same):
        return torch.stack([zero_with_graph(rows) for rows in levels]).sum()
    terms = []
    for weight, rows in zip(weights, map(safe_unit_rows, levels), strict=True):
        squares = squared_distances(rows[street], rows[~street])
        terms.append(weight * torch.stack([squares[pairs].mean() for pairs in same]).mean())
    return torch.stack(terms).sum() / sum(weights)
