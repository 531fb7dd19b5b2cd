"""The step of Studio2Shop."""

from torch import Tensor

from coordi.models.retrieval.studio2shop import Studio2Shop
from coordi.models.retrieval.wtbi import match_loss
from coordi.training.batches import PhotoBatch
from coordi.training.systems.wtbi import random_pairs


def losses(
    model: Studio2Shop,
    features: Tensor,
    batch: PhotoBatch,
    progress: float,  # noqa: ARG001
) -> dict[str, Tensor]:
    """Cross-entropy on matching pairs and random ones; the articles' features stay as they are."""
    pairs = random_pairs(batch, model.settings.negatives)
    logits = model.match(model.query(features)[pairs.queries], features[pairs.items].detach())
    return {"pairs": match_loss(logits, pairs.match)}
