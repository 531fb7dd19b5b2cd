"""Alignment of two domains at several depths (deep domain adaptation, DDAN, Chen et al. 2015)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from coordi.errors import InputError
from coordi.objectives.distances import safe_unit_rows, squared_distances, zero_with_graph


class MultiLevelAlignmentLoss(nn.Module):
    """Weighted mean over depths of d² between the features of matched street and shop photos.

    Features of each depth are scaled to unit rows first, so that depths of different width
    count alike and shrinking all features is no way out. The scaling, the equal weights and
    the use of all street-shop pairs with the same label are our reconstruction.
    """

    def __init__(self, weights: Sequence[float] = ()) -> None:
        """`weights`: one for each depth, in the order of `levels`; none means equal ones."""
        super().__init__()
        self.weights = tuple(weights)
        if any(weight < 0 for weight in self.weights) or (weights and not sum(weights) > 0):
            raise InputError(f"alignment weights {self.weights}: give numbers ≥ 0, one of them > 0")

    def forward(self, levels: Sequence[Tensor], labels: Tensor, street: Tensor) -> Tensor:
        """Loss of features (B, d₁), (B, d₂), …, labels (B,), `street` (B,) bool; 0 without a pair.

        InputError where the number of levels is not that of the weights.
        """
        weights = self.weights or (1.0,) * len(levels)
        if len(weights) != len(levels) or not levels:
            raise InputError(f"{len(weights)} alignment weights for {len(levels)} levels")
        same = labels[street][:, None] == labels[~street][None, :]  # (S, T)
        if not same.any():
            return torch.stack([zero_with_graph(rows) for rows in levels]).sum()
        terms = [
            weight * _mean_distance(rows, street, same)
            for weight, rows in zip(weights, levels, strict=True)
        ]
        return torch.stack(terms).sum() / sum(weights)


def _mean_distance(rows: Tensor, street: Tensor, same: Tensor) -> Tensor:
    """Mean squared distance of the matched pairs, rows (B, d), `same` (S, T) bool."""
    unit = safe_unit_rows(rows)
    return squared_distances(unit[street], unit[~street])[same].mean()
