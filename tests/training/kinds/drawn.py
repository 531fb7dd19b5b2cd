"""What these materials share: garments of the drawn wardrobe as photos with features."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from coordi.data.collection import Collection
from coordi.data.specs import CollectionSpec, PseudoStreet
from coordi.data.splits import split_of
from coordi.drawn import Wardrobe, draw_wardrobe
from coordi.drawn.collections import load_collection
from coordi.training.material.inputs import Inputs, PictureRecipe, make_inputs

COUNT = 150


class DrawnRecipe(PictureRecipe):
    """The drawn wardrobe."""

    count: int = COUNT
    """Garments."""


def pictures(recipe: DrawnRecipe, cache: Path, say: Any) -> tuple[Inputs, Collection, Wardrobe]:
    """Inputs of the packshots and street views of a wardrobe, and the wardrobe."""
    spec = CollectionSpec(
        kind="drawn", count=recipe.count, size=64, pseudo_street=PseudoStreet(views=1, size=64)
    )
    collection = load_collection(spec, Path(), cache=cache, say=say)
    rows = np.arange(len(collection.photos))
    return (
        make_inputs(recipe, collection.photos, rows, cache, say),
        collection,
        draw_wardrobe(recipe.count),
    )


def packshots(collection: Collection) -> dict[str, int]:
    """Garment → row of its packshot."""
    return {photo.item: row for row, photo in enumerate(collection.photos) if not photo.street}


def sides(keys: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows to choose by, by the hash of a key."""
    train = np.array([split_of(key, val=0.2, test=0.1) == "train" for key in keys])
    return np.flatnonzero(train), np.flatnonzero(~train)


def area_under_curve(right: torch.Tensor, wrong: torch.Tensor) -> float:
    """How often a right score is above a wrong one."""
    above = (right[:, None] > wrong[None]).float() + (right[:, None] == wrong[None]).float() / 2
    return float(above.mean())
