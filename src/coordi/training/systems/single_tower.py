"""The step of single-tower metric learning, and of every system with one loss on items."""

from torch import Tensor

from coordi.models.retrieval.head import Head
from coordi.models.retrieval.single_tower import SingleTower
from coordi.training.batches import PhotoBatch


def losses(
    model: SingleTower | Head,
    features: Tensor,
    batch: PhotoBatch,
    progress: float,  # noqa: ARG001
) -> dict[str, Tensor]:
    """The model's own loss over the batch's embeddings (B, dim) and items."""
    return {"items": model.objective(model.embed(features, batch.street), batch.items)}
