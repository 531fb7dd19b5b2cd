"""Where-to-buy-it: a similarity network that sees query and item together (Kiapour et al. 2015).

Hadi Kiapour et al., "Where to Buy It: Matching Street Clothing Photos in Online Shops", ICCV
2015: three fully connected layers, 512-512-1, on the concatenated features of a pair, trained by
cross-entropy on match or no match, then fine-tuned for each category. Non-matching items come from
the top of the first stage's list over all training items (the paper keeps its first 1,000), which
is what the network has to order. Widths are as recalled, not read in the authors' source.

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
    Pair,
    Pairs,
    PairSystem,
    choose_pairs,
    pair_features,
    pair_layers,
    pair_loss,
)
from coordi.models.system import SystemSettings
from coordi.types import RERANK_DEPTH


class WhereToBuyItSettings(SystemSettings):
    """Fields of `model` in a recipe."""

    hidden: tuple[int, ...] = Field((512, 512), min_length=1)
    """Widths of the layers before the last."""
    pair: Pair = "concatenated"
    """What the first layer sees: both features, as the paper does, or also |a − b| and a ⊙ b."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of hidden units that are dropped while training."""
    negatives: int = Field(8, ge=1)
    """Non-matching items for each query, drawn from the first of the first stage's list."""
    depth: int = Field(RERANK_DEPTH, ge=1)
    """How deep in that list they are drawn: as deep as a search lets a re-ranker look."""
    tune_from: float = Field(0.7, ge=0, le=1)
    """Share of the steps after which categories have layers of their own; 1 never."""
    least_pairs: int = Field(500, ge=1)
    """Matching pairs below which a category keeps the shared layer."""


class WhereToBuyIt(PairSystem):
    """Features of a query and of an item → logit that they show the same garment."""

    Settings: ClassVar[type[SystemSettings]] = WhereToBuyItSettings

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: WhereToBuyItSettings) -> None:
        """As `System`."""
        super().__init__(feature_dim, sizes, settings)
        self.layers = pair_layers(feature_dim, settings.pair, settings.hidden, settings.dropout)
        self.last = zeroed(nn.Linear(settings.hidden[-1], 1))
        self.categories = sizes.categories if sizes.categories > 1 else 0
        if self.categories:
            self.classify = nn.Linear(feature_dim, self.categories)
            self.own = nn.Parameter(torch.zeros(self.categories, settings.hidden[-1]))
            self.pairs: Tensor
            self.register_buffer("pairs", torch.zeros(self.categories))

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
        gallery, settings = self.gallery(features, batch), self.settings
        pairs = hard_pairs(features, batch, gallery, settings.negatives, settings.depth)
        category = gallery.categories[pairs.items]
        if progress < settings.tune_from:
            category = torch.full_like(category, -1)
        elif self.training:
            self._count(category[pairs.same])
        logits = self.logits(features[pairs.queries], gallery.inputs[pairs.items], category)
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


def hard_pairs(
    features: Tensor, batch: PhotoBatch, gallery: PhotoBatch, negatives: int, depth: int = 0
) -> Pairs:
    """All matching pairs, and for each query `negatives` of the `depth` nearest that do not match.

    Nearness is the cosine similarity of the features, (B, D) of the batch and (G, D), the `inputs`
    of the gallery, as in the first stage; no depth takes the very nearest.
    """

    def order(queries: Tensor, items: Tensor) -> Tensor:
        return features[queries].detach() @ gallery.inputs[items].detach().T

    return choose_pairs(batch, gallery, order, negatives, depth)
