"""Multi-task curriculum transfer, MTCT (Dong, Gong and Zhu 2017, WACV).

Two networks. First the source network learns the attributes of clean shop photos, the easier task;
then the target network, which starts as the source, learns those of street photos, while t-STE
triplets (van der Maaten and Weinberger 2012) draw its street photo, the anchor, to the source
network's photo of the same garment and away from another's. Each attribute has three dense layers
of its own. As reviews of the paper tell it; that the source learns on in the second stage, α, and
all weights are our reconstruction, and so is the use: the paper predicts attributes and is scored
by them, here the triplets' rows are searched.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.retrieval.tower import AttributeHeads, TowerPerDomain, TowerSettings
from coordi.models.system import SystemSettings
from coordi.objectives.distances import zero_with_graph
from coordi.objectives.triplets import all_triplets


class MtctSettings(TowerSettings):
    """Fields of `model` in a recipe."""

    stage1: float = Field(0.2, ge=0, le=1)
    """Share of the steps in which only attributes of shop photos are learned."""
    alpha: float | None = Field(None, gt=0)
    """Degrees of freedom of the t-distributed kernel; null takes dim − 1, as the authors of t-STE
    do, which is nearly Gaussian: 1 has the heavy tail that lets wrong triplets pull less."""
    bounded: bool = False
    """Whether 1 − p is minimised instead of −log p, so that no triplet costs more than 1."""
    spread: float = Field(4.0, gt=0)
    """Length to which unit rows are stretched before the kernel, whose own unit is 1."""
    attribute_weight: float = Field(0.1, ge=0)
    """Weight of the attributes' cross-entropy in the second stage."""


class Mtct(TowerPerDomain):
    """Features → unit rows, by the network of their domain."""

    Settings: ClassVar[type[SystemSettings]] = MtctSettings

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: MtctSettings) -> None:
        """As `System`."""
        super().__init__(feature_dim, sizes, settings)
        layers = (settings.hidden, settings.hidden)
        self.shop_heads = AttributeHeads(settings.hidden, sizes, layers)
        self.street_heads = AttributeHeads(settings.hidden, sizes, layers)
        self.transferred: Tensor
        self.register_buffer("transferred", torch.tensor(False))

    def losses(self, features: Tensor, batch: PhotoBatch, progress: float) -> dict[str, Tensor]:
        """First the attributes of shop photos alone, then triplets across the domains as well."""
        settings, street, shop = self.settings, batch.street, ~batch.street
        if progress < settings.stage1:
            hidden, _ = self.towers.shop.levels(features[shop])
            labels = batch.categories[shop], batch.attributes[shop]
            return {"shop": self.shop_heads.loss(hidden, *labels)}
        self._transfer()
        hidden, rows = self.towers.levels(features, street)
        alpha = settings.alpha or settings.dim - 1
        stretched, weight = rows * settings.spread, settings.attribute_weight
        return {
            "triplets": t_distributed(stretched, batch.items, street, alpha, settings.bounded),
            "shop": weight * self.shop_heads.loss_of(hidden, batch, shop),
            "street": weight * self.street_heads.loss_of(hidden, batch, street),
        }

    def _transfer(self) -> None:
        """Start the target network from what the source has learned, once."""
        if self.training and not self.transferred:
            self.towers.street.load_state_dict(self.towers.shop.state_dict())
            self.street_heads.load_state_dict(self.shop_heads.state_dict())
            self.transferred.fill_(True)


def t_distributed(
    rows: Tensor, items: Tensor, street: Tensor, alpha: float = 1.0, bounded: bool = False
) -> Tensor:
    """−log p with p = k(d⁺) / (k(d⁺) + k(d⁻)), or 1 − p, and k(d) = (1 + d²/α)^(−(α+1)/2).

    Van der Maaten and Weinberger 2012, section 3, whose code offers the sum of p as well. The
    smaller α > 0, the heavier the tail, and the less a triplet that is very wrong pulls; with α
    in the hundreds k is exp(−d²/2) to a few per cent and only `bounded` spares wrong triplets.
    Rows (B, d) of any length, labels (B,), `street` (B,) bool; the anchor is a street photo,
    positive and negative are shop photos. The mean is over all triplets of the batch (our
    reconstruction: MTCT draws them); 0 without one.
    """
    near, far, valid = all_triplets(rows, items, street, ~street)
    if not valid.any():
        return zero_with_graph(rows)

    def log_kernel(squares: Tensor) -> Tensor:
        return -(alpha + 1) / 2 * torch.log1p(squares / alpha)

    # −log [a / (a + b)] = softplus(log b − log a): no quotient of small numbers.
    cost = torch.sigmoid if bounded else functional.softplus
    terms = cost(log_kernel(far) - log_kernel(near))
    return (terms * valid).sum() / valid.sum()
