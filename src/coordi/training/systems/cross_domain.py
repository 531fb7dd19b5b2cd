"""The step of systems whose one loss compares street photos with shop photos."""

from torch import Tensor

from coordi.models.retrieval.cross_triplet import CrossTriplet
from coordi.models.retrieval.robust_contrastive import RobustContrastive
from coordi.training.batches import PhotoBatch


def losses(
    model: CrossTriplet | RobustContrastive,
    features: Tensor,
    batch: PhotoBatch,
    progress: float,  # noqa: ARG001
) -> dict[str, Tensor]:
    """The model's own loss over the batch's embeddings (B, dim), items and domains."""
    rows = model.embed(features, batch.street)
    return {"pairs": model.objective(rows, batch.items, batch.street)}
