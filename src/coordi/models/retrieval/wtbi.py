"""Where-to-buy-it: a similarity network that sees query and item together (Kiapour et al. 2015).

Hadi Kiapour et al., "Where to Buy It: Matching Street Clothing Photos in Online Shops", ICCV
2015: three fully connected layers, 512-512-1, on the concatenated features of a pair, trained by
cross-entropy on match or no match with hard negatives, then fine-tuned for each category. The
layers are as recalled, not read in the authors' source.

Our reconstruction where it serves a ranking:

- the network's answer is added to the standardised cosine similarity of the pair, which has a
  learned weight, and begins as zero: before the first step the order is that of the first stage;
- the fine-tune of a category is a last layer of its own, added to the shared one and zero where it
  has not learned. The item's category is read off its features by a linear layer that learns
  beside, so that serving needs no labels; a category with too few pairs keeps the shared layer.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.retrieval.layers import zeroed
from coordi.models.retrieval.pairs import (
    FirstStage,
    Pair,
    Pairs,
    choose_pairs,
    pair_features,
    pair_layers,
    pair_loss,
)
from coordi.models.system import RerankingSystem, SystemSettings


class WhereToBuyItSettings(SystemSettings):
    """Fields of `model` in a recipe."""

    hidden: tuple[int, ...] = Field((512, 512), min_length=1)
    """Widths of the layers before the last."""
    pair: Pair = "concatenated"
    """What the first layer sees: both features, as the paper does, or also |a − b| and a ⊙ b."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of hidden units that are dropped while training."""
    negatives: int = Field(8, ge=1)
    """Non-matching items of the batch, nearest by features, for each query."""
    tune_from: float = Field(0.7, ge=0, le=1)
    """Share of the steps after which categories have layers of their own; 1 never."""
    least_pairs: int = Field(500, ge=1)
    """Matching pairs below which a category keeps the shared layer."""


class WhereToBuyIt(RerankingSystem):
    """Features of a query and of an item → logit that they show the same garment."""

    Settings: ClassVar[type[SystemSettings]] = WhereToBuyItSettings
    cached_only = True

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: WhereToBuyItSettings) -> None:
        """As `System`."""
        super().__init__(feature_dim, sizes, settings)
        self.first_stage = FirstStage()
        self.layers = pair_layers(feature_dim, settings.pair, settings.hidden, settings.dropout)
        self.last = zeroed(nn.Linear(settings.hidden[-1], 1))
        self.categories = sizes.categories if sizes.categories > 1 else 0
        if self.categories:
            self.classify = nn.Linear(feature_dim, self.categories)
            self.own = nn.Parameter(torch.zeros(self.categories, settings.hidden[-1]))
            self.pairs: Tensor
            self.register_buffer("pairs", torch.zeros(self.categories))

    def fit_input(self, features: Tensor) -> None:
        """Learn how similar two photos are on average, from features (N, feature_dim)."""
        self.first_stage.fit(features)

    def score_pairs(self, queries: Tensor, items: Tensor) -> Tensor:
        """Features of B queries and B items, (B, feature_dim) each → logits (B,)."""
        if not self.categories:
            return self.logits(queries, items)
        category = self.classify(items * self.scale).argmax(1)
        tuned = self.pairs[category] >= self.settings.least_pairs
        return self.logits(queries, items, torch.where(tuned, category, -1))

    def logits(self, queries: Tensor, items: Tensor, category: Tensor | None = None) -> Tensor:
        """As `score`, by the layer of a given category (B,); −1 and None take the shared one."""
        hidden = self.layers(pair_features(queries, items, self.settings.pair))
        logits: Tensor = self.first_stage(queries, items) + self.last(hidden).squeeze(1)
        if category is None or not self.categories:
            return logits
        own: Tensor = (hidden * self.own[category.clamp(min=0)]).sum(1)
        return logits + own * (category >= 0)

    def losses(self, features: Tensor, batch: PhotoBatch, progress: float) -> dict[str, Tensor]:
        """Cross-entropy on pairs with hard negatives, and of the category that an item shows.

        Towards the end (`tune_from`) the last layer of the item's category learns too; until then
        its part counts for nothing. The paper tunes a whole copy of the network for each category.
        """
        pairs = hard_pairs(features, batch, self.settings.negatives)
        category = batch.categories[pairs.items]
        if progress < self.settings.tune_from:
            category = torch.full_like(category, -1)
        elif self.training:
            self._count(category[pairs.same])
        logits = self.logits(features[pairs.queries], features[pairs.items], category)
        parts = {"pairs": pair_loss(logits, pairs.same)}
        if self.categories:
            guess, known = self.classify(features * self.scale), batch.categories
            wrong = functional.cross_entropy(guess, known, ignore_index=-1, reduction="sum")
            parts["category"] = wrong / (known >= 0).sum().clamp(min=1)
        return parts

    @torch.no_grad()
    def _count(self, categories: Tensor) -> None:
        """Note how many matching pairs each category has learned from."""
        if self.categories:
            known = categories[categories >= 0]
            self.pairs += torch.bincount(known, minlength=self.categories)


def hard_pairs(features: Tensor, batch: PhotoBatch, negatives: int) -> Pairs:
    """All matching pairs of a batch, and each query's nearest `negatives` that do not match.

    Nearness is the cosine similarity of the features (B, D), as in the first stage.
    """
    rows = features.detach()
    return choose_pairs(batch, lambda queries, items: rows[queries] @ rows[items].T, negatives)
