"""A loss by name with a miner by name before it, as most metric-learning papers combine them."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from coordi.objectives.metric import make_loss, make_miner


class MinedLoss(nn.Module):
    """Embeddings and labels → scalar, over the pairs or triplets that the miner picks."""

    def __init__(
        self,
        loss: str,
        loss_settings: Mapping[str, Any],
        miner: str,
        miner_settings: Mapping[str, Any],
        *,
        dim: int,
        classes: int,
    ) -> None:
        """Build both from the tables of `coordi.objectives.metric`; `miner` "" takes all pairs."""
        super().__init__()
        self.loss = make_loss(loss, dim=dim, classes=classes, **loss_settings)
        self.miner = make_miner(miner, **miner_settings) if miner else None

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Loss of unit rows (B, dim) with labels (B,)."""
        picked = None if self.miner is None else self.miner(embeddings, labels)
        value: Tensor = self.loss(embeddings, labels, picked)
        return value
