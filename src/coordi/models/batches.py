"""What one step of training sees, by kind of data. `inputs` holds each picture once."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor


class LabelSizes(NamedTuple):
    """How many different labels the training photos carry."""

    items: int
    categories: int
    attributes: Mapping[str, int]
    """Attribute → number of values, in the order of `PhotoBatch.attributes`' columns."""


class PhotoBatch(NamedTuple):
    """B photos; labels count from 0 over the training photos."""

    inputs: Tensor
    """(B, D) features of a frozen encoder, or (B, 3, S, S) pixels in [−1, 1]."""
    items: Tensor
    """(B,) long: which garment, or whatever else the recipe's `match` pulls together."""
    street: Tensor
    """(B,) bool: taken out of the studio."""
    categories: Tensor
    """(B,) long, −1 where unknown."""
    attributes: Tensor
    """(B, A) long, −1 where unknown; a column per key of `LabelSizes.attributes`."""
