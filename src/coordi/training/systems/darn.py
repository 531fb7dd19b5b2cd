"""The step of the dual attribute-aware ranking network."""

from torch import Tensor

from coordi.models.retrieval.darn import Darn
from coordi.models.retrieval.tower import AttributeHeads
from coordi.training.batches import PhotoBatch


def losses(
    model: Darn,
    features: Tensor,
    batch: PhotoBatch,
    progress: float,  # noqa: ARG001
) -> dict[str, Tensor]:
    """Triplets from street to shop, and the attributes of each domain by its own heads."""
    hidden, rows = model.towers.levels(features, batch.street)
    weight = model.settings.attribute_weight
    return {
        "triplets": model.objective(rows, batch.items, batch.street),
        "street": weight * _attributes(model.street_heads, hidden, batch, batch.street),
        "shop": weight * _attributes(model.shop_heads, hidden, batch, ~batch.street),
    }


def _attributes(heads: AttributeHeads, hidden: Tensor, batch: PhotoBatch, side: Tensor) -> Tensor:
    return heads.loss(hidden[side], batch.categories[side], batch.attributes[side])
