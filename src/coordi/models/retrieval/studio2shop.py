"""Studio2Shop: the shop side is a fixed feature, the query side learns (Lasserre et al. 2018).

Lasserre, Rasch and Vollgraf, "Studio2Shop: from studio photo shoots to fashion articles", ICPRAM
2018: articles are described by a static feature made elsewhere; a tower for the query photo and a
non-linear net that matches its output with the article's feature are trained by cross-entropy on
all articles that are annotated in the photo and many random ones of the whole assortment. In the
paper the query side is a network that learns from pixels; here both sides are features of one
frozen encoder. Widths and what follows are our reconstruction:

- the tower is a residual on the query's features, scaled to length one, and begins as the identity;
- the matching net is added to the standardised cosine similarity of tower output and article, with
  a learned weight, and begins as zero: before the first step the order is that of the first stage.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.retrieval.layers import zeroed
from coordi.models.retrieval.pairs import (
    Pair,
    Pairs,
    PairSystem,
    choose_pairs,
    pair_features,
    pair_layers,
    pair_loss,
)
from coordi.models.system import SystemSettings


class Studio2ShopSettings(SystemSettings):
    """Fields of `model` in a recipe."""

    tower: int = Field(512, ge=1)
    """Width of the hidden layer of the query tower."""
    hidden: tuple[int, ...] = Field((256, 128), min_length=1)
    """Widths of the matching net's layers before the last."""
    pair: Pair = "concatenated"
    """What the matching net sees: both sides, as the paper does, or also |a − b| and a ⊙ b."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of hidden units that are dropped while training."""
    negatives: int = Field(50, ge=1)
    """Non-matching items of all training photos, at random, for each query."""


class Studio2Shop(PairSystem):
    """Features of a query and of an article → logit that they show the same garment."""

    Settings: ClassVar[type[SystemSettings]] = Studio2ShopSettings

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: Studio2ShopSettings) -> None:
        """As `System`."""
        super().__init__(feature_dim, sizes, settings)
        self.tower = nn.Sequential(
            nn.Linear(feature_dim, settings.tower),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            zeroed(nn.Linear(settings.tower, feature_dim)),
        )
        self.layers = pair_layers(feature_dim, settings.pair, settings.hidden, settings.dropout)
        self.last = zeroed(nn.Linear(settings.hidden[-1], 1))

    def query(self, features: Tensor) -> Tensor:
        """The query tower: features (B, feature_dim) → unit rows beside the articles'."""
        return functional.normalize(features + self.tower(features * self.scale), dim=1)

    def score_pairs(self, queries: Tensor, items: Tensor) -> Tensor:
        """Features of B queries and B articles, (B, feature_dim) each → logits (B,)."""
        return self.match(self.query(queries), items)

    def match(self, queries: Tensor, items: Tensor) -> Tensor:
        """The matching net: rows of the tower and of articles, (B, feature_dim) → logits (B,)."""
        hidden = self.layers(pair_features(queries, items, self.settings.pair))
        logits: Tensor = self.first_stage(queries, items) + self.last(hidden).squeeze(1)
        return logits

    def losses(self, features: Tensor, batch: PhotoBatch, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """Cross-entropy on matching pairs and random ones; the articles' features stay."""
        gallery = self.gallery(features, batch)
        pairs = random_pairs(batch, gallery, self.settings.negatives)
        logits = self.match(
            self.query(features)[pairs.queries], gallery.inputs[pairs.items].detach()
        )
        return {"pairs": pair_loss(logits, pairs.same)}


def random_pairs(batch: PhotoBatch, gallery: PhotoBatch, negatives: int) -> Pairs:
    """All matching pairs, and for each query `negatives` at random that do not match."""

    def order(queries: Tensor, items: Tensor) -> Tensor:
        return torch.rand(len(queries), len(items), device=batch.items.device)

    return choose_pairs(batch, gallery, order, negatives)
