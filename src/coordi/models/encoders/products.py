"""Inverted residual blocks on small maps as matrix products, which learn twice as fast on a CPU.

On maps of a hundred places a depthwise convolution is a small dense matrix per channel, and what
is left is batched matrix products, which bfloat16 doubles. The same function as the blocks' own.
"""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from coordi.models.encoders.efficientnet_lite import ConvUnit, InvertedResidual


def as_products(blocks: Sequence[nn.Module], head: ConvUnit, maps: Tensor) -> Tensor:
    """Maps (B, C, H, W) through expanding blocks and a 1 × 1 head → tokens (B, places, 1280)."""
    height, width = maps.shape[2:]
    tokens = maps.flatten(2).transpose(1, 2)
    for block in blocks:
        assert isinstance(block, InvertedResidual)
        before = tokens
        assert block.expand is not None
        tokens = functional.relu6(_pointwise(block.expand, tokens))
        tokens, height, width = _depthwise(block.depthwise, tokens, height, width)
        tokens = _pointwise(block.project, functional.relu6(tokens))
        tokens = tokens + before if block.residual else tokens
    return functional.relu6(_pointwise(head, tokens))


def _pointwise(unit: ConvUnit, tokens: Tensor) -> Tensor:
    kernel = unit.convolution
    return functional.linear(tokens, kernel.weight.flatten(1), kernel.bias)


def _depthwise(unit: ConvUnit, tokens: Tensor, height: int, width: int) -> tuple[Tensor, int, int]:
    """Tokens (B, height · width, C) → the same at the unit's stride, and their sides."""
    kernel = unit.convolution
    places = _places(height, width, kernel.kernel_size[0], kernel.stride[0])
    taps = functional.pad(kernel.weight.flatten(1), (0, 1))  # the last: outside the picture
    dense = taps[:, places.flatten()].view(-1, *places.shape)  # (C, out, in)
    mixed = torch.bmm(
        tokens.permute(2, 0, 1).contiguous(), dense.transpose(1, 2).to(tokens.dtype)
    )  # (C, B, out)
    assert kernel.bias is not None
    rows = mixed.permute(1, 2, 0) + kernel.bias.to(mixed.dtype)
    return rows, height // kernel.stride[0], width // kernel.stride[0]


@cache
def _places(height: int, width: int, side: int, stride: int) -> Tensor:
    """Which tap of a kernel of `side` joins each place of the output and of the input; side² where
    none does. Padding is TensorFlow's, as in `ConvUnit`.
    """
    rows, columns = height // stride, width // stride
    padding = max(side - stride, 0) // 2
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    top, left = torch.meshgrid(
        torch.arange(rows) * stride - padding, torch.arange(columns) * stride - padding,
        indexing="ij",
    )  # fmt: skip
    down = y.reshape(1, -1) - top.reshape(-1, 1)  # (out, in)
    along = x.reshape(1, -1) - left.reshape(-1, 1)
    inside = (down >= 0) & (down < side) & (along >= 0) & (along < side)
    return torch.where(inside, down * side + along, side * side)
