"""What re-rankers are built of: the first stage, layers over pairs, and pairs of a batch."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from coordi.models.batches import PhotoBatch
from coordi.models.retrieval.layers import hidden_layers

Pair = Literal["concatenated", "compared"]


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
    return nn.Sequential(*hidden_layers(inputs, hidden, dropout))


def pair_loss(logits: Tensor, same: Tensor) -> Tensor:
    """Cross-entropy of whether pairs show the same garment, (B,) bool, by logits (B,)."""
    return functional.binary_cross_entropy_with_logits(logits, same.to(logits.dtype))


class Pairs(NamedTuple):
    """Rows of a batch in pairs: every matching one, and for each query some that do not match."""

    queries: Tensor  # (P,) long
    items: Tensor  # (P,) long
    same: Tensor  # (P,) bool


Order = Callable[[Tensor, Tensor], Tensor]
"""Rows of queries (Q,) and of items (I,) → numbers (Q, I), the highest to be taken first."""


def choose_pairs(batch: PhotoBatch, order: Order, negatives: int) -> Pairs:
    """All matching pairs of a batch, and each query's first `negatives` that do not match.

    Street photos ask, shop photos answer; a batch of one kind only asks and answers itself.
    """
    street = batch.street.nonzero().squeeze(1)
    shop = (~batch.street).nonzero().squeeze(1)
    if not len(street) or not len(shop):
        street = shop = torch.arange(len(batch.items), device=batch.items.device)
    apart = street[:, None] != shop[None]
    same = (batch.items[street][:, None] == batch.items[shop][None]) & apart
    usable = order(street, shop).masked_fill(same | ~apart, -torch.inf)
    best = usable.topk(min(negatives, len(shop)), dim=1)
    row, rank = best.values.isfinite().nonzero(as_tuple=True)
    both = torch.cat([same.nonzero(), torch.stack([row, best.indices[row, rank]], 1)])
    matching = torch.arange(len(both), device=both.device) < same.sum()
    return Pairs(street[both[:, 0]], shop[both[:, 1]], matching)
