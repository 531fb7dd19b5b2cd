"""Losses that several systems share: tensors in, scalar out, never a model."""

from coordi.objectives.grad_cache import cached_backward

__all__ = ["cached_backward"]
