"""What re-rankers are built of: the first stage, layers over pairs, and who is paired with whom."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.retrieval.layers import hidden_layers
from coordi.models.system import RerankingSystem

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
    """Photos that ask with photos that answer: every right answer, and some wrong ones."""

    queries: Tensor  # (P,) long: rows of the batch
    items: Tensor  # (P,) long: rows of the gallery
    same: Tensor  # (P,) bool


Order = Callable[[Tensor, Tensor], Tensor]
"""Rows of queries (Q,) and of the gallery (I,) → numbers (Q, I), the highest taken first."""


def choose_pairs(
    batch: PhotoBatch, gallery: PhotoBatch, order: Order, negatives: int, depth: int = 0
) -> Pairs:
    """All right answers to the photos of a batch, and `negatives` wrong ones for each.

    Street photos ask, shop photos answer; where there is one kind only, all ask or answer, but
    never themselves. A picture that is annotated with several garments has several right answers.
    Wrong ones are the first by `order`, or drawn at random from the first `depth`, if that is more.
    """
    queries, answers = _side(batch, batch.street), _side(gallery, ~gallery.street)
    same = _right(batch, gallery, queries)[:, answers]
    apart = _apart(batch, gallery, queries)[:, answers]
    usable = order(queries, answers).masked_fill(same | ~apart, -torch.inf)
    first = usable.topk(min(max(depth, negatives), len(answers)), dim=1)
    chance = torch.rand(first.values.shape, device=usable.device)
    chance = chance.masked_fill(first.values.isneginf(), -1)
    drawn = chance.topk(min(negatives, len(answers)), dim=1)
    row, rank = (drawn.values >= 0).nonzero(as_tuple=True)
    wrong = torch.stack([row, first.indices[row, drawn.indices[row, rank]]], 1)
    both = torch.cat([right := (same & apart).nonzero(), wrong])
    matching = torch.arange(len(both), device=both.device) < len(right)
    return Pairs(queries[both[:, 0]], answers[both[:, 1]], matching)


def _side(photos: PhotoBatch, chosen: Tensor) -> Tensor:
    """Rows of the photos that are `chosen`, all of them where only one kind is there."""
    one_kind = bool(photos.street.all()) or not bool(photos.street.any())
    return (torch.ones_like(chosen) if one_kind else chosen).nonzero().squeeze(1)


def _right(batch: PhotoBatch, gallery: PhotoBatch, queries: Tensor) -> Tensor:
    """Whether a gallery's photo shows what is annotated in a photo that asks, (Q, G)."""
    if batch.pictures is None or gallery.pictures is None:
        return batch.items[queries, None] == gallery.items
    asked = batch.pictures[queries]
    told = torch.isin(gallery.pictures, asked)
    pictures = torch.cat([asked, gallery.pictures[told]])
    table = annotated(pictures, torch.cat([batch.items[queries], gallery.items[told]]))
    return (table[asked][:, :, None] == gallery.items).any(1)


def _apart(batch: PhotoBatch, gallery: PhotoBatch, queries: Tensor) -> Tensor:
    """Whether a photo that asks and one of the gallery are two pictures, (Q, G)."""
    if batch.pictures is None or gallery.pictures is None:  # the batch is its own gallery
        return queries[:, None] != torch.arange(len(gallery.items), device=queries.device)
    return batch.pictures[queries, None] != gallery.pictures


def annotated(pictures: Tensor, items: Tensor) -> Tensor:
    """Numbers of pictures and of the item that each row shows, (N,) → items by picture (P, M).

    P is the largest number and one; −1 stands behind the last item of a picture.
    """
    rows = torch.unique(torch.stack([pictures, items], 1), dim=0)  # by picture, then by item
    counts = torch.bincount(rows[:, 0])
    rank = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows[:, 0]]
    table = torch.full((len(counts), int(counts.max())), -1, device=rows.device)
    table[rows[:, 0], rank] = rows[:, 1]
    return table


class PairSystem(RerankingSystem):
    """Base of re-rankers that learn from pairs of a photo with photos that answer."""

    cached_only = True

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: Any) -> None:
        """As `System`."""
        super().__init__(feature_dim, sizes, settings)
        self.first_stage = FirstStage()
        self.met: PhotoBatch | None = None

    def fit_input(self, features: Tensor) -> None:
        """Learn how similar two photos are on average, from features (N, feature_dim)."""
        self.first_stage.fit(features)

    def meet(self, everything: PhotoBatch) -> None:
        """Answers then come from all that is learned from; before that, from the batch itself."""
        self.met = everything

    def gallery(self, features: Tensor, batch: PhotoBatch) -> PhotoBatch:
        """The photos that answer a batch of these features, which are its `inputs`."""
        if self.met is None:
            return batch._replace(inputs=features)
        if self.met.inputs.device != features.device:
            moved = (None if part is None else part.to(features.device) for part in self.met)
            self.met = PhotoBatch(*moved)  # type: ignore[arg-type]
        return self.met
