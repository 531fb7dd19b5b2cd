"""Is the embedding still using its space? Standard deviation per dimension and effective rank.

An embedding that maps everything to one point, or to one line, can have a small loss (methods
without negatives do it happily). Both measures show it long before a ranking is looked at.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from coordi.training.stopping import require_finite_weights

SPREAD_BELOW = 0.1
"""Mean deviation per dimension, as a share of an even spread, at which an embedding is collapsed.

Unit rows that are spread evenly deviate by 1/√dim in each dimension."""

RANK_BELOW = 2.0
"""Effective rank at which an embedding is collapsed: hardly more than one direction is used."""


class Spread(NamedTuple):
    """How much of its space an embedding uses."""

    deviation: float
    """Mean over dimensions of the standard deviation, as a share of 1/√dim: 1 is an even
    spread, 0 is one point."""
    rank: float
    """exp of the entropy of the normalised singular values of the centred rows: from 1 to dim
    (Roy and Vetterli 2007, "The effective rank")."""

    @property
    def collapsed(self) -> bool:
        """Whether what is left is a point or a line."""
        return self.deviation < SPREAD_BELOW or self.rank < RANK_BELOW


def spread_of(rows: Tensor) -> Spread:
    """Spread of unit rows (n, dim)."""
    centred = rows.double() - rows.double().mean(0)
    deviation = centred.square().mean(0).sqrt().mean() * rows.shape[1] ** 0.5
    values = torch.linalg.svdvals(centred)
    total = values.sum()
    if total < 1e-9 * len(rows) ** 0.5:
        return Spread(float(deviation), 1.0)
    shares = values / total
    entropy = -(shares * shares.clamp(min=1e-300).log()).sum()
    return Spread(float(deviation), float(entropy.exp()))


class CollapseMonitor(Callback):
    """Logs the spread of a fixed set of photos every `every` steps, and warns when it collapses."""

    def __init__(self, every: int, say: Callable[[str], None]) -> None:
        self.every, self.say = every, say
        self.last, self.warned = 0, False
        """The last step that was looked at, and whether a collapse was told."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"last": self.last, "warned": self.warned}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.last, self.warned = state_dict["last"], state_dict["warned"]

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: Any,
        outputs: Any,  # noqa: ARG002
        batch: Any,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Measure where it is due, at most once a step."""
        step = trainer.global_step
        if step == self.last or (step % self.every and step != trainer.max_steps):
            return
        self.last = step
        require_finite_weights(pl_module.net, step)
        rows = pl_module.material.probe(pl_module.net)
        if rows is None:
            return
        spread = spread_of(rows)
        for logger in trainer.loggers:
            logger.log_metrics(
                {"embedding_deviation": spread.deviation, "effective_rank": spread.rank}, step
            )
        if spread.collapsed and not self.warned:
            self.warned = True
            self.say(
                f"warning: at step {step} the embedding has collapsed (deviation "
                f"{spread.deviation:.3f} of an even spread, effective rank {spread.rank:.1f}): "
                "lower lr, or choose a loss with negatives"
            )
