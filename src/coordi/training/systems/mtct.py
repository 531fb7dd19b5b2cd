"""The step of multi-task curriculum transfer."""

from torch import Tensor

from coordi.models.retrieval.mtct import Mtct
from coordi.training.batches import PhotoBatch


def losses(model: Mtct, features: Tensor, batch: PhotoBatch, progress: float) -> dict[str, Tensor]:
    """First the attributes of shop photos alone, then triplets across the domains as well."""
    settings = model.settings
    hidden, rows = model.tower.levels(features)
    if progress < settings.stage1:
        shop = ~batch.street
        return {
            "attributes": model.heads.loss(
                hidden[shop], batch.categories[shop], batch.attributes[shop]
            )
        }
    attributes = model.heads.loss(hidden, batch.categories, batch.attributes)
    return {
        "triplets": model.objective(rows * settings.spread, batch.items, batch.street),
        "attributes": settings.attribute_weight * attributes,
    }
