"""A loss by name with a miner by name before it, as most metric-learning papers combine them."""

from typing import Any, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.system import EmbeddingSystem, SystemSettings
from coordi.objectives.metric import make_loss, make_miner


class MinedSettings(SystemSettings):
    """Settings of a system that learns by any loss of the field, with any miner."""

    loss: str = "multi-similarity"
    """A name of `coordi.objectives.metric.LOSSES`."""
    loss_settings: dict[str, Any] = Field(default_factory=dict)
    """Its settings, where the paper's shall not hold."""
    miner: str = ""
    """A name of `coordi.objectives.metric.MINERS` that picks pairs; "" takes all of the batch."""
    miner_settings: dict[str, Any] = Field(default_factory=dict)
    """Its settings."""

    @model_validator(mode="before")
    @classmethod
    def _settings_are_of_the_loss(cls, values: Any) -> Any:
        """Another loss than the default one does not get the default one's settings."""
        if not isinstance(values, dict) or "loss_settings" in values:
            return values
        default = cls.model_fields["loss"].default
        return values if values.get("loss", default) == default else {**values, "loss_settings": {}}

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        if self.miner_settings and not self.miner:
            raise ValueError("miner_settings need a miner")
        with torch.random.fork_rng(devices=[]):  # proxies are drawn at random
            MinedLoss(self, dim=2, classes=2)
        return self


class MinedLoss(nn.Module):
    """Embeddings and labels → scalar, over the pairs or triplets that the miner picks."""

    def __init__(self, settings: MinedSettings, *, dim: int, classes: int) -> None:
        """Build both from the tables of `coordi.objectives.metric`."""
        super().__init__()
        self.loss = make_loss(settings.loss, dim=dim, classes=classes, **settings.loss_settings)
        self.miner = (
            make_miner(settings.miner, **settings.miner_settings) if settings.miner else None
        )

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
