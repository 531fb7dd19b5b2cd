"""Losses that several systems share: tensors in, scalar out, never a model."""

from coordi.objectives.grad_cache import cached_backward
from coordi.objectives.matryoshka import matryoshka
from coordi.objectives.sigmoid import SigmoidLoss

__all__ = ["SigmoidLoss", "cached_backward", "matryoshka"]
