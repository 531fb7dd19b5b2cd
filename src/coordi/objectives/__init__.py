"""Losses: tensors in, scalar out, never a model."""

from coordi.objectives.matryoshka import matryoshka
from coordi.objectives.sigmoid import SigmoidLoss

__all__ = ["SigmoidLoss", "matryoshka"]
