"""What a retrieval recipe learns from: a collection, its inputs, its labels, and a sampler."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coordi.data.collection import Collection, PhotoRows, Trial, key_of
from coordi.data.features import photo_features
from coordi.data.samplers import Sampler, make_sampler
from coordi.drawn.collections import load_collection
from coordi.errors import RecipeError
from coordi.models.encoders import open_encoder
from coordi.models.encoders.backbone import Backbone, open_backbone
from coordi.ranking.truth import truth_of
from coordi.training.batches import Inputs, PhotoLabels, cached, number_labels
from coordi.training.pixels import load_pixels
from coordi.training.retrieval_recipe import RetrievalRecipe
from coordi.types import Encoder, Problem, Say

_SHOWN = 3
"""Problems that are told; all of them stand in problems.csv."""


@dataclass(frozen=True, slots=True)
class Material:
    """All that a training of photos needs but the weights."""

    collection: Collection
    """`train` holds only photos that can be read and whose `match` is known."""
    match: str
    """What photos that belong together share."""
    labels: PhotoLabels
    sampler: Sampler
    inputs: Inputs
    """A batch's inputs."""
    plain: Callable[[PhotoRows], Tensor]
    """The same for photos as they are, without augmentation: (B, D) or (B, 3, S, S)."""
    encoder: Encoder | None
    """Whose features the inputs are; None where the inputs are pixels."""
    backbone: Backbone | None
    """The image tower that learns along, where the inputs are pixels."""
    readable: NDArray[np.bool_]
    """Which of the photos (N,) that training or choosing looks at can be read."""
    problems: tuple[Problem, ...]

    @property
    def feature_dim(self) -> int:
        """Columns of the features that the system is given."""
        if self.backbone is not None:
            return self.backbone.config.dim
        assert self.encoder is not None
        return self.encoder.dim


def gather(recipe: RetrievalRecipe, cache: Path, say: Say) -> Material:
    """Read the collection of a recipe and make its inputs.

    Queries of the val trial that have no answer are left out, as in an evaluation. Raises
    `RecipeError` where nothing is left to learn from, or to choose by.
    """
    collection = load_collection(recipe.spec, Path(recipe.data), cache=cache, say=say)
    if recipe.validate_every and collection.val is not None:
        collection = replace(collection, val=_answerable(collection, collection.val, say))
    match = recipe.match or collection.test.match
    known = [row for row in collection.train if key_of(collection.photos[row], match)]
    collection = replace(collection, train=np.array(known, np.int64))
    make = _with_features if recipe.features == "cached" else _with_pixels
    inputs, plain, readable, tower, problems = make(recipe, collection, cache, say)
    train = collection.train[readable[collection.train]]
    if len(train) < 2:
        raise RecipeError(f"collection {collection.name} holds no photos to learn {match!r} from")
    collection = replace(collection, train=train)
    _tell(problems, say)
    return Material(
        collection,
        match,
        number_labels(collection, match),
        make_sampler(
            recipe.sampler,
            collection,
            train,
            batch=recipe.batch,
            seed=recipe.seed,
            key=match,
            **recipe.sampler_settings,
        ),
        inputs,
        plain,
        None if isinstance(tower, Backbone) else tower,
        tower if isinstance(tower, Backbone) else None,
        readable,
        (*collection.problems, *problems),
    )


def _answerable(collection: Collection, val: Trial, say: Say) -> Trial:
    """The val trial without the queries that nothing in its gallery answers."""
    kept = truth_of(collection, val).answers() > 0
    if len(kept) and not kept.any():
        raise RecipeError(
            f"{collection.name}: no query of the val trial has an answer in the gallery "
            f"({len(kept)} queries, {len(val.gallery)} gallery photos). What belongs together "
            "must be seen on two photos at least; validate_every=0 trains without choosing"
        )
    if left_out := int((~kept).sum()):
        say(f"{left_out} of {len(kept)} val queries have no answer in the gallery; left out")
    return replace(val, query=val.query[kept])


_Made = tuple[
    Inputs,
    Callable[[PhotoRows], Tensor],
    NDArray[np.bool_],
    Encoder | Backbone,
    tuple[Problem, ...],
]
"""Inputs of batches, of photos as they are, which photos (N,) can be read, and by what tower."""


def _with_features(recipe: RetrievalRecipe, collection: Collection, cache: Path, say: Say) -> _Made:
    """Inputs that a frozen encoder made."""
    encoder, rows = open_encoder(recipe.encoder), _needed(collection)
    say(f"{len(rows)} photos through {encoder.name}, those that the cache lacks")
    photos = [collection.photos[row] for row in rows]
    vectors, problems = photo_features(photos, encoder, cache)
    features = torch.zeros(len(collection.photos), encoder.dim)
    features[torch.from_numpy(rows)] = torch.from_numpy(vectors)
    readable = (features != 0).any(1).numpy()
    return (
        cached(features),
        lambda wanted: features[torch.from_numpy(wanted)],
        readable,
        encoder,
        problems,
    )


def _with_pixels(
    recipe: RetrievalRecipe,
    collection: Collection,
    cache: Path,  # noqa: ARG001
    say: Say,
) -> _Made:
    """Inputs that a backbone will see."""
    backbone, rows = open_backbone(recipe.encoder, recipe.image_size), _needed(collection)
    say(f"{len(rows)} photos into memory, {recipe.image_size} pixels a side")
    pixels, problems = load_pixels(
        collection.photos, rows, recipe.image_size, augment=recipe.augment, seed=recipe.seed
    )
    return pixels, pixels.plain, pixels.readable, backbone, problems


def _needed(collection: Collection) -> PhotoRows:
    """Photos that training or choosing looks at; the test trial is left alone."""
    val = collection.val
    parts = [collection.train] if val is None else [collection.train, val.query, val.gallery]
    return np.unique(np.concatenate(parts))


def _tell(problems: tuple[Problem, ...], say: Say) -> None:
    for problem in problems[:_SHOWN]:
        say(f"{problem.origin}: {problem.reason}")
    if len(problems) > _SHOWN:
        say(f"{len(problems)} photos cannot be used in all; see problems.csv")
