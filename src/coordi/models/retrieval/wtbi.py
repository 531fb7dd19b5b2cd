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

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from coordi.models.retrieval.system import LabelSizes, SystemSettings

Pair = Literal["concatenated", "compared"]


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


class WhereToBuyIt(nn.Module):
    """Features of a query and of an item → logit that they show the same garment."""

    Settings: ClassVar[type[SystemSettings]] = WhereToBuyItSettings
    cached_only = True

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: WhereToBuyItSettings) -> None:
        super().__init__()
        self.settings = settings
        self.first_stage = FirstStage()
        self.layers = pair_layers(feature_dim, settings.pair, settings.hidden, settings.dropout)
        self.last = zeroed(nn.Linear(settings.hidden[-1], 1))
        self.categories = sizes.categories if sizes.categories > 1 else 0
        if self.categories:
            self.classify = nn.Linear(feature_dim, self.categories)
            self.own = nn.Parameter(torch.zeros(self.categories, settings.hidden[-1]))
            self.pairs: Tensor
            self.register_buffer("pairs", torch.zeros(self.categories))
        self.scale = feature_dim**0.5

    def fit_input(self, features: Tensor) -> None:
        """Learn how similar two photos are on average, from features (N, feature_dim)."""
        self.first_stage.fit(features)

    def score(self, queries: Tensor, items: Tensor) -> Tensor:
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


class FirstStage(nn.Module):
    """Cosine similarity of a pair, standardised, times a learned weight, plus a learned bias."""

    def __init__(self) -> None:
        super().__init__()
        self.mean: Tensor
        self.spread: Tensor
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("spread", torch.tensor(0.1))
        self.log_weight = nn.Parameter(torch.tensor(0.0))
        self.bias = nn.Parameter(torch.tensor(-3.0))

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Take mean and standard deviation of the similarity of two photos of (N, D)."""
        rows = features[:: max(1, len(features) // 1000)]
        if len(rows) < 2:
            return
        above = torch.triu_indices(len(rows), len(rows), 1)
        similar = (rows @ rows.T)[above[0], above[1]]
        self.mean.copy_(similar.mean())
        self.spread.copy_(similar.std(unbiased=False).clamp(min=1e-3))

    def forward(self, queries: Tensor, items: Tensor) -> Tensor:
        """Unit rows (B, D), (B, D) → logits (B,) that rise with their similarity."""
        similar = (queries * items).sum(1)
        return (similar - self.mean) / self.spread * self.log_weight.exp() + self.bias


def pair_features(queries: Tensor, items: Tensor, pair: Pair) -> Tensor:
    """Unit rows (B, D), (B, D) → (B, 2D), or (B, 4D) with |a − b| and a ⊙ b, of variance near 1."""
    scale = queries.shape[1] ** 0.5
    a, b = queries * scale, items * scale
    return torch.cat([a, b] if pair == "concatenated" else [a, b, (a - b).abs(), a * b], 1)


def pair_layers(
    feature_dim: int, pair: Pair, hidden: tuple[int, ...], dropout: float
) -> nn.Sequential:
    """The layers between `pair_features` and the last one."""
    inputs = feature_dim * (2 if pair == "concatenated" else 4)
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout)]
        inputs = width
    return nn.Sequential(*layers)


def zeroed(layer: nn.Linear) -> nn.Linear:
    """The layer, whose answer is zero until it has learned."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def match_loss(logits: Tensor, match: Tensor) -> Tensor:
    """Cross-entropy of match (B,) bool by logits (B,)."""
    return functional.binary_cross_entropy_with_logits(logits, match.to(logits.dtype))
