"""How good the weights are while training runs, the best of them, and when to stop.

What is measured is the material's to say: of photos R@1 on the val trial. What is reported in the
end, the test trial, is never looked at.
"""

from collections.abc import Callable
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from coordi.training.stopping import require_finite_weights


class Validation(Callback):
    """Looks every `every` steps, keeps the best weights, stops after `patience` vain looks.

    The look before the first step counts too: where training only does harm, the untrained
    weights are the best. All of its state is in the checkpoint.
    """

    def __init__(self, every: int, patience: int, say: Callable[[str], None], measure: str) -> None:
        self.every, self.patience, self.say, self.measure = every, patience, say, measure
        self.history: list[tuple[int, float]] = []
        self.best_weights: dict[str, Tensor] = {}

    @property
    def best(self) -> tuple[int, float]:
        """Step and value of the best look, the earliest of several."""
        return max(self.history, key=lambda look: (look[1], -look[0]))

    @property
    def exhausted(self) -> bool:
        """Whether the last `patience` looks brought nothing better."""
        later = sum(step > self.best[0] for step, _ in self.history)
        return self.patience > 0 and later >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"history": self.history, "best_weights": self.best_weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.history, self.best_weights = state_dict["history"], state_dict["best_weights"]

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Measure the untrained system; stop where a checkpoint was already exhausted."""
        if not self.history:
            self._look(trainer, pl_module)
        elif self.exhausted:
            self._say_stop(trainer.global_step)
        trainer.should_stop = trainer.should_stop or self.exhausted

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: Any,
        outputs: Any,  # noqa: ARG002
        batch: Any,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Measure, at most once a step."""
        step = trainer.global_step
        due = step % self.every == 0 or step == trainer.max_steps
        if due and step > self.history[-1][0]:
            self._look(trainer, pl_module)
            trainer.should_stop = trainer.should_stop or self.exhausted

    def _look(self, trainer: lightning.Trainer, module: Any) -> None:
        require_finite_weights(module.net, trainer.global_step)
        step, value = trainer.global_step, module.material.judge(module.net)
        self.history.append((step, value))
        for logger in trainer.loggers:
            logger.log_metrics({self.measure: value}, step)
        if self.best[0] == step:
            self.best_weights = {
                name: tensor.detach().cpu().clone()
                for name, tensor in module.net.state_dict().items()
            }
        if self.exhausted and step < trainer.max_steps:
            self._say_stop(step)

    def _say_stop(self, step: int) -> None:
        self.say(
            f"stopped at step {step}: no better {self.measure} in {self.patience} looks than "
            f"{self.best[1]:.3f} at step {self.best[0]}"
        )


def restore(module: nn.Module, validation: Validation) -> None:
    """Put the best weights back, where any were kept."""
    if validation.best_weights:
        with torch.no_grad():
            module.load_state_dict(validation.best_weights)
