"""Layers that several systems are built of."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def hidden_layers(inputs: int, widths: Sequence[int], dropout: float) -> list[nn.Module]:
    """Linear layers, each with ReLU and dropout behind it."""
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout)]
        inputs = width
    return layers


def perceptron(inputs: int, hidden: Sequence[int], outputs: int, dropout: float) -> nn.Sequential:
    """Linear layers with ReLU between them, and dropout before each but the first."""
    layers = hidden_layers(inputs, hidden, dropout)
    return nn.Sequential(*layers, nn.Linear(hidden[-1] if hidden else inputs, outputs))


def zeroed(layer: nn.Linear) -> nn.Linear:
    """The layer, whose answer is zero until it has learned."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


@torch.no_grad()
def leading_directions(features: Tensor, count: int) -> Tensor:
    """The `count` leading directions of rows (N, D) → (at most count, D), the first one first.

    They are those of the second moment, not of the covariance, since what shall be kept are
    scalar products between rows, and centring would change them.
    """
    rows = features.double()
    _, directions = torch.linalg.eigh(rows.T @ rows)  # ascending
    leading: Tensor = directions[:, -count:].flip(1).T.float()
    return leading
