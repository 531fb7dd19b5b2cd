"""The step of the deep domain adaptation network."""

from torch import Tensor

from coordi.models.retrieval.ddan import Ddan
from coordi.training.batches import PhotoBatch


def losses(
    model: Ddan,
    features: Tensor,
    batch: PhotoBatch,
    progress: float,  # noqa: ARG001
) -> dict[str, Tensor]:
    """Alignment of both depths, and the attributes of all photos by the same heads."""
    hidden, rows = model.towers.levels(features, batch.street)
    attributes = model.heads.loss(rows * rows.shape[1] ** 0.5, batch.categories, batch.attributes)
    return {
        "alignment": model.objective((hidden, rows), batch.items, batch.street),
        "attributes": model.settings.attribute_weight * attributes,
    }
