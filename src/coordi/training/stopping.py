"""Why a run stops before its end: a signal that waits for the step, a value that is not finite."""

import os
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import lightning
import torch
from torch import Tensor, nn

from coordi.errors import RecipeError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class NotFiniteError(RecipeError):
    """A loss, a gradient or a weight is not a finite number: this recipe cannot be trained."""


@dataclass(slots=True)
class Stop:
    """Whether somebody asked a run to stop."""

    signal: int = 0
    """The signal that asked for it; 0 where none did."""
    agreed: bool = False
    """Whether the step is done and its checkpoint written."""

    def hold(self) -> None:
        """Keep the next signal until the step is done; the one after it stops at once."""
        if threading.current_thread() is threading.main_thread():
            process = os.getpid()

            def note(number: int, _: FrameType | None) -> None:
                if os.getpid() != process:  # a loading process, which is to go when told so
                    signal.signal(number, signal.SIG_DFL)
                    signal.raise_signal(number)
                if self.signal:
                    raise KeyboardInterrupt
                self.signal = number

            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # as behind nohup, or "&"
                    signal.signal(number, note)


@contextmanager
def signals_after_the_step(stop: Stop) -> Iterator[None]:
    """What `stop` holds in this block is raised again behind it, for whoever handles it there."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stop.agreed:
        signal.raise_signal(stop.signal or signal.SIGTERM)


def require_finite(
    parameters: Iterable[tuple[str, nn.Parameter]],
    parts: Mapping[str, Tensor],
    step: int,
    trainer: lightning.Trainer,
) -> Tensor:
    """The norm of the gradient, once it and the named losses of step `step` (from 1) are finite.

    `NotFiniteError` names the loss, or the parameter whose gradient it is. All devices stop where
    one of them has to.
    """
    gradients = {n: p.grad for n, p in parameters if p.grad is not None}
    norm = nn.utils.get_total_norm(gradients.values())
    values = torch.stack([*(part.detach().float() for part in parts.values()), norm])
    finite = bool(values.isfinite().all())
    if trainer.strategy.reduce_boolean_decision(finite, all=True):
        return norm
    wrong = _first(parts)
    what = f"loss part {wrong!r}" if wrong else f"the gradient of {_first(gradients)!r}"
    raise NotFiniteError(f"step {step}: {what} is not finite")


def require_finite_weights(module: nn.Module, step: int) -> None:
    """`NotFiniteError` where a weight is not finite after step `step`."""
    if (wrong := _first(module.state_dict())) is not None:
        raise NotFiniteError(f"step {step}: weight {wrong!r} is not finite")


def _first(tensors: Mapping[str, Tensor]) -> str | None:
    """Name of the first that holds a value which is not finite."""
    return next((n for n, t in tensors.items() if not bool(t.isfinite().all())), None)
