"""A loss by name with a miner by name before it, as most metric-learning papers combine them."""

from typing import Any

from pydantic import Field, model_validator
from torch import Tensor, nn

from coordi.kinds import chosen_from, joined
from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.system import EmbeddingSystem, SystemSettings
from coordi.objectives.metric import LOSSES, MINERS, make_loss, make_miner


class MinedSettings(SystemSettings):
    """Settings of a system that learns by any loss of the field, with any miner."""

    loss: chosen_from(LOSSES) = Field("multi-similarity", validate_default=True)  # type: ignore[valid-type]
    """A name of `coordi.objectives.metric.LOSSES`, or {kind: name, …} with its settings."""
    miner: chosen_from(MINERS) | None = None  # type: ignore[valid-type]
    """The same of MINERS, which picks pairs; null takes all of the batch."""

    @model_validator(mode="before")
    @classmethod
    def _with_their_settings(cls, values: Any) -> Any:
        """`loss_settings` and `miner_settings` stood beside their names before 0.3."""
        if not isinstance(values, dict):
            return values
        if values.get("miner") == "":
            values = {**values, "miner": None}
        if values.get("miner_settings") and not values.get("miner"):
            raise ValueError("miner_settings need a miner")
        return joined(joined(values, "loss", cls.model_fields["loss"].default), "miner", "")


class MinedLoss(nn.Module):
    """Embeddings and labels → scalar, over the pairs or triplets that the miner picks."""

    def __init__(self, settings: MinedSettings, *, dim: int, classes: int) -> None:
        """Build both from the tables of `coordi.objectives.metric`."""
        super().__init__()
        self.loss = make_loss(settings.loss, dim=dim, classes=classes)
        self.miner = None if settings.miner is None else make_miner(settings.miner)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Loss of unit rows (B, dim) with labels (B,)."""
        picked = None if self.miner is None else self.miner(embeddings, labels)
        value: Tensor = self.loss(embeddings, labels, picked)
        return value


class MinedSystem(EmbeddingSystem):
    """Base of systems whose one loss sees embeddings and items only; its layers come first."""

    objective: MinedLoss

    def learn_by(self, settings: Any, sizes: LabelSizes) -> None:
        """Build the loss; the last line of a system's `__init__`."""
        self.objective = MinedLoss(settings, dim=settings.dim, classes=sizes.items)

    def losses(self, features: Tensor, batch: PhotoBatch, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """The loss over the batch's embeddings (B, dim) and items."""
        return {"items": self.objective(self.embed(features, batch.street), batch.items)}
