"""The step of Where-to-buy-it, and the pairs that re-rankers learn from."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from coordi.models.retrieval.wtbi import WhereToBuyIt, match_loss
from coordi.training.batches import PhotoBatch


class Pairs(NamedTuple):
    """Rows of a batch in pairs: every matching one, and for each query some that do not match."""

    queries: Tensor  # (P,) long
    items: Tensor  # (P,) long
    match: Tensor  # (P,) bool


def losses(
    model: WhereToBuyIt, features: Tensor, batch: PhotoBatch, progress: float
) -> dict[str, Tensor]:
    """Cross-entropy on pairs with hard negatives, and of the category that an item shows.

    Towards the end (`tune_from`) the last layer of the item's category learns too; until then
    its part counts for nothing. The paper tunes a whole copy of the network for each category.
    """
    pairs = hard_pairs(features, batch, model.settings.negatives)
    category = batch.categories[pairs.items]
    if progress < model.settings.tune_from:
        category = torch.full_like(category, -1)
    elif model.training:
        _count(model, category[pairs.match])
    logits = model.logits(features[pairs.queries], features[pairs.items], category)
    parts = {"pairs": match_loss(logits, pairs.match)}
    if model.categories:
        guess = model.classify(features * model.scale)
        parts["category"] = _known_cross_entropy(guess, batch.categories)
    return parts


def hard_pairs(features: Tensor, batch: PhotoBatch, negatives: int) -> Pairs:
    """All matching pairs of a batch, and each query's nearest `negatives` that do not match.

    Nearness is the cosine similarity of the features (B, D), as in the first stage.
    """
    queries, items, same, apart = _sides(batch)
    near = (features[queries] @ features[items].T).detach()
    return _pairs(queries, items, same, near.masked_fill(same | ~apart, -torch.inf), negatives)


def random_pairs(batch: PhotoBatch, negatives: int) -> Pairs:
    """All matching pairs of a batch, and for each query `negatives` at random that do not match."""
    queries, items, same, apart = _sides(batch)
    draw = torch.rand(same.shape, device=same.device)
    return _pairs(queries, items, same, draw.masked_fill(same | ~apart, -torch.inf), negatives)


def _sides(batch: PhotoBatch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rows of queries (Q,) and items (I,); which pairs (Q, I) match, and which are two photos.

    Street photos ask, shop photos answer; a batch of one kind only asks and answers itself.
    """
    street = batch.street.nonzero().squeeze(1)
    shop = (~batch.street).nonzero().squeeze(1)
    if not len(street) or not len(shop):
        street = shop = torch.arange(len(batch.items), device=batch.items.device)
    apart = street[:, None] != shop[None]
    same = (batch.items[street][:, None] == batch.items[shop][None]) & apart
    return street, shop, same, apart


def _pairs(queries: Tensor, items: Tensor, same: Tensor, order: Tensor, negatives: int) -> Pairs:
    """Pairs that match and, of the others, those that stand highest in `order` (Q, I)."""
    positive = same.nonzero()
    best = order.topk(min(negatives, order.shape[1]), dim=1)
    row, rank = best.values.isfinite().nonzero(as_tuple=True)
    negative = torch.stack([row, best.indices[row, rank]], 1)
    both = torch.cat([positive, negative])
    match = torch.arange(len(both), device=both.device) < len(positive)
    return Pairs(queries[both[:, 0]], items[both[:, 1]], match)


@torch.no_grad()
def _count(model: WhereToBuyIt, categories: Tensor) -> None:
    """Note how many matching pairs each category has learned from."""
    if model.categories:
        known = categories[categories >= 0]
        model.pairs += torch.bincount(known, minlength=model.categories)


def _known_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy over the rows whose label is known; zero where none is."""
    total = functional.cross_entropy(logits, labels, ignore_index=-1, reduction="sum")
    return total / (labels >= 0).sum().clamp(min=1)
