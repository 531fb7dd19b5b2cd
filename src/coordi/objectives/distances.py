"""Distances between rows whose gradients stay finite where two rows are the same."""

import torch
from torch import Tensor


def full_precision(rows: Tensor) -> Tensor:
    """`rows` as float32, or unchanged where they are float32 or float64 already.

    Half precision has three digits; differences of close pairs are below them.
    """
    return rows if rows.dtype in (torch.float32, torch.float64) else rows.float()


def squared_distances(left: Tensor, right: Tensor) -> Tensor:
    """‖left_i − right_j‖² of rows (N, d) and (M, d) as (N, M); never negative, smooth at zero."""
    left, right = full_precision(left), full_precision(right)
    with torch.autocast(left.device.type, enabled=False):
        products = left @ right.T
    squares = left.square().sum(1)[:, None] + right.square().sum(1)[None, :]
    return (squares - 2 * products).clamp(min=0)


def safe_sqrt(values: Tensor) -> Tensor:
    """√values for values ≥ 0, with gradient zero instead of infinity at zero."""
    positive = values > torch.finfo(values.dtype).tiny
    # The inner `where` keeps the infinite slope out of the backward pass, where 0 · ∞ is NaN.
    return torch.where(positive, torch.where(positive, values, 1.0).sqrt(), 0.0)


def safe_unit_rows(rows: Tensor, least: float = 1e-6) -> Tensor:
    """Rows (N, d) scaled to length one; rows shorter than `least` are left as they are.

    `functional.normalize` multiplies the gradient of a zero row (dead ReLUs) by 10¹².
    """
    rows = full_precision(rows)
    lengths = safe_sqrt(rows.square().sum(1, keepdim=True))
    return rows / torch.where(lengths > least, lengths, 1.0)


def zero_with_graph(rows: Tensor) -> Tensor:
    """A scalar zero through which `backward` runs, for batches with nothing to learn from."""
    return (full_precision(rows) * 0).sum()
