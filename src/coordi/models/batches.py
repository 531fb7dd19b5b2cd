"""What one step of training sees, by kind of data. `inputs` holds each picture once.

`inputs` are (P, D) features of a frozen encoder or (P, 3, S, S) pixels in [−1, 1]; rows of the
other tensors that name pictures name rows of it. −1 stands for what is unknown or absent.
"""

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
    items: Tensor
    """(B,) long: which garment, or whatever else the recipe's `match` pulls together."""
    street: Tensor
    """(B,) bool: taken out of the studio."""
    categories: Tensor
    """(B,) long."""
    attributes: Tensor
    """(B, A) long; a column per key of `LabelSizes.attributes`."""
    pictures: Tensor | None = None
    """(B,) long: which picture, or part of one; one that shows several garments stands there once
    for each. None where nobody says, and all are different."""


class VocabularySize(NamedTuple):
    """How many pieces a tokenizer has."""

    pieces: int


class CaptionBatch(NamedTuple):
    """B pictures with a caption each."""

    inputs: Tensor
    input_ids: Tensor
    """(B, L) long: the captions' tokens."""
    attention_mask: Tensor
    """(B, L) long: 1 where there is one."""
    truth: Tensor
    """(B, B) int8: whether caption j is true of picture i: 1 yes, −1 no, 0 cannot be known."""
    alike: Tensor
    """(K, B) long: numbers of what pictures share, a row for each of K notions."""
    weights: Tensor
    """(K,): how much each notion counts in this step."""


class MaskSizes(NamedTuple):
    """What pixels can be, in the order of their numbers."""

    classes: tuple[str, ...]


class MaskBatch(NamedTuple):
    """B pictures, and what is known of each of their pixels."""

    inputs: Tensor
    """(B, 3, H, W) pixels in [−1, 1]."""
    marks: Tensor
    """(B, H / 2, W / 2) long: rows of `allowed`."""
    allowed: Tensor
    """(S, C) bool: the classes that a pixel marked so can be of, at least one; all: unknown."""
    weights: Tensor
    """(S,): how much such a pixel counts."""


class OutfitSizes(NamedTuple):
    """How many kinds of garment outfits are made of."""

    types: int


class OutfitBatch(NamedTuple):
    """O outfits of at most L garments each, and P pictures of all of them."""

    inputs: Tensor
    members: Tensor
    """(O, L) long: rows of `inputs`, −1 behind the last; shuffled unless order is learned from."""
    types: Tensor
    """(P,) long: the kind of each garment."""
    owner: Tensor
    """(O,) long: whose outfit it is."""


class EditSizes(NamedTuple):
    """How many different words the edits use."""

    words: int


class EditBatch(NamedTuple):
    """E edits of a reference picture, in words, that give a target picture."""

    inputs: Tensor
    reference: Tensor
    """(E,) long: rows of `inputs`."""
    target: Tensor
    """(E,) long: rows of `inputs`."""
    words: Tensor
    """(E, L) long: numbers of words, −1 behind the last."""
    same: Tensor
    """(E,) long: edits that share a number share a target, and are no negatives of each other."""


class ViewSizes(NamedTuple):
    """Nothing has to be known of pictures without labels."""


class ViewBatch(NamedTuple):
    """V views of each of N pictures without labels."""

    inputs: Tensor
    views: Tensor
    """(N, V) long: rows of `inputs` that show the same picture."""


class ChoiceSizes(NamedTuple):
    """How many people chose."""

    users: int


class ChoiceBatch(NamedTuple):
    """C choices: who took what, over what."""

    inputs: Tensor
    users: Tensor
    """(C,) long."""
    chosen: Tensor
    """(C,) long: rows of `inputs`."""
    other: Tensor
    """(C,) long: rows of `inputs`."""


class CellSizes(NamedTuple):
    """How many pieces a tokenizer has, and what labels there are."""

    pieces: int
    classes: Mapping[str, tuple[int, ...]]
    """Notion → for each of its labels a number of those that exclude each other: labels of one
    source do, labels of two sources may mean the same."""


class CellBatch(NamedTuple):
    """B pictures as cells, with a caption each."""

    inputs: Tensor
    """(B, C, h, w): see `coordi.models.encoders.cells`."""
    garments: Tensor
    """(B, h, w): how much of each cell is garment; −1 where nobody says."""
    input_ids: Tensor
    """(B, L) long: the captions' tokens."""
    attention_mask: Tensor
    """(B, L) long: 1 where there is one."""
    truth: Tensor
    """(B, B) int8: whether caption j is true of picture i: 1 yes, −1 no, 0 cannot be known."""
    alike: Tensor
    """(K, B) long: numbers of what pictures share, a row for each of K notions."""
    weights: Tensor
    """(K,): how much each notion counts in this step."""
