"""Matryoshka representation learning (Kusupati et al. 2022): prefixes that serve on their own."""

from collections.abc import Callable, Sequence

from torch import Tensor
from torch.nn import functional


def matryoshka(loss: Callable[..., Tensor], dims: Sequence[int], *embeddings: Tensor) -> Tensor:
    """Mean of `loss` over the prefixes of `embeddings` (each (N, D)), rescaled to unit rows.

    Equation 1 of the paper with equal weights.
    """
    total = sum(
        loss(*(functional.normalize(rows[:, :dim], dim=1) for rows in embeddings)) for dim in dims
    )
    return total / len(dims)  # type: ignore[return-value]
