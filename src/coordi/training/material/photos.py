"""Photos of garments with their labels: what retrieval systems learn from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import torch
from pydantic import Discriminator, Field, Tag, model_validator
from torch import Tensor

from coordi.data.collection import Collection, PhotoRows, Trial, key_of
from coordi.data.samplers import SAMPLERS, Sampler, check_sampler, make_sampler
from coordi.data.specs import CollectionSpec, load_spec
from coordi.drawn.collections import load_collection
from coordi.errors import RecipeError
from coordi.kinds import chosen_from, joined
from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.system import EmbeddingSystem, RerankingSystem, System
from coordi.ranking.metrics import RecallAt1
from coordi.ranking.truth import truth_of
from coordi.training.material.inputs import (
    PictureMaterial,
    PictureRecipe,
    data_hash,
    make_inputs,
    spread,
)
from coordi.training.material.labels import PhotoLabels, number_labels
from coordi.training.net import Net
from coordi.types import Problem, Say, Vectors

_FIRST_LOOK = 4096
"""Training photos whose features a system may see before the first step."""

_PROBE = 512
"""Photos on which the collapse monitor looks."""


def _form(value: object) -> str:
    return "name" if isinstance(value, str) else "fields"


Described = Annotated[
    Annotated[str, Tag("name")] | Annotated[CollectionSpec, Tag("fields")], Discriminator(_form)
]
"""A collection by name or by its fields; errors are then about the form that was meant."""


class Recipe(PictureRecipe):
    """A retrieval system, trained on a collection of photos."""

    collection: Described
    """Name of a packaged collection, a YAML file of one, or the fields of one."""
    match: str = ""
    """What photos that belong together share: "item", "category" or an attribute; "" takes what
    the collection's trials ask for."""
    sampler: chosen_from(SAMPLERS) = Field("m-per-class", validate_default=True)  # type: ignore[valid-type]
    """How a batch is drawn: a name of `coordi.data.samplers.SAMPLERS`, or {kind: name, …}."""

    @property
    def spec(self) -> CollectionSpec:
        """The collection's fields."""
        if isinstance(self.collection, str):
            return load_spec(self.collection)
        return self.collection

    @model_validator(mode="before")
    @classmethod
    def _sampler_with_its_settings(cls, values: Any) -> Any:
        return joined(values, "sampler", "m-per-class")

    @model_validator(mode="after")
    def _names_what_is_there(self) -> Self:
        _ = self.spec  # raises for a collection that nobody knows
        check_sampler(self.sampler, self.batch)
        return self


@dataclass(frozen=True, slots=True)
class Photos(PictureMaterial):
    """A `Material` of photos."""

    collection: Collection
    """`train` holds only photos that can be read and whose `match` is known."""
    match: str
    """What photos that belong together share."""
    labels: PhotoLabels
    sampler: Sampler
    recall: RecallAt1 | None
    """Judges by the val trial; None where there is none to choose by."""
    seen_twice: bool
    """Whether a photo that stands in a batch twice is two different pictures."""

    @property
    def measure(self) -> str:
        """What chooses among weights."""
        return "R@1 on val" if self.recall else ""

    @property
    def sizes(self) -> LabelSizes:
        """How many labels the training photos show."""
        return self.labels.sizes

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Rows and photos that could not be used."""
        return (*self.collection.problems, *self.inputs.problems)

    def require(self, system: System) -> None:
        """`RecipeError` where no two training photos belong together, or none belong apart.

        Pictures that are changed at random make a pair of one photo, seen twice.
        """
        batch = self.labels.batch(torch.empty(0), self.collection.train)
        conditions = system.conditions if isinstance(system, EmbeddingSystem) else ()
        counts = [
            torch.unique(labels[labels >= 0], return_counts=True)[1]
            for labels in system.alike(batch)
        ]
        photos = f"{self.collection.name}: {{}} {len(batch.items)} training photos"
        what = ", ".join(conditions) or self.match
        if not self.seen_twice and not any((count > 1).any() for count in counts):
            raise RecipeError(
                f"{photos.format('no two of')} share their {what}: nothing belongs together, so "
                "there is nothing to learn"
            )
        if not any(len(count) > 1 for count in counts):
            raise RecipeError(
                f"{photos.format('all')} share one {what}: nothing belongs apart, so there is "
                "nothing to learn"
            )

    def batch(self, number: int, step: int) -> PhotoBatch:  # noqa: ARG002
        """The batch of that number, whatever the step."""
        rows = np.asarray(self.sampler.batch(number), np.int64)
        return self.labels.batch(self.inputs.of_batch(rows, number), rows)

    def first_look(self, net: Net) -> Tensor:
        """Features of training photos (n, feature_dim)."""
        return self.features(net, spread(self.collection.train, _FIRST_LOOK))

    def probe(self, net: Net) -> Tensor | None:
        """Embeddings (n, dim) of training photos; None of a re-ranker, which has none."""
        if not isinstance(net.system, EmbeddingSystem):
            return None
        return self._vectors(net, spread(self.collection.train, _PROBE))

    def acquaint(self, net: Net) -> None:
        """Let the system meet all training photos, where it wants to."""
        if type(net.system).meet is not System.meet:
            rows = self.collection.train
            net.system.meet(self.labels.batch(self.features(net, rows), rows))

    def judge(self, net: Net) -> float:
        """R@1 on the val trial."""
        assert self.recall is not None
        val, readable = self.recall.trial, self.inputs.readable
        rows = np.unique(np.concatenate([val.query, val.gallery]))
        rows = rows[readable[rows]]
        reranks = isinstance(net.system, RerankingSystem)
        made = self.features(net, rows) if reranks else self._vectors(net, rows)
        table = np.zeros((len(readable), made.shape[1]), np.float32)
        table[rows] = made.numpy()
        return self.recall(table, _scorer(net) if reranks else None)

    def _vectors(self, net: Net, rows: PhotoRows) -> Tensor:
        return self.vectors(net, rows, self.labels.street[torch.from_numpy(rows)])

    def say(self) -> str:
        """How many photos of how many labels."""
        return f"{len(self.collection.train)} photos of {self.sizes.items} {self.match} labels"

    def facts(self) -> Mapping[str, str]:
        """Counts of what was learned from and chosen by."""
        photos = [self.collection.photos[row] for row in self.collection.train]
        street = sum(photo.street for photo in photos)
        val, masked = self.collection.val, _masked(self.collection)
        cut = {"photos whose background is white": str(masked)} if masked else {}
        return {
            "collection": self.collection.name,
            "photos trained on": f"{len(photos)} ({street} from the street)",
            **cut,
            f"different labels of {self.match!r}": str(self.sizes.items),
            "val queries, gallery": f"{len(val.query)}, {len(val.gallery)}" if val else "none",
            "hash of the training data": f"`{data_hash(photos, self.inputs.hashes)}`",
        }


def _scorer(net: Net) -> Callable[[Vectors, Vectors], Any]:
    """Logits (k,) of one query's features (D,) with those of items (k, D)."""
    system = net.system
    assert isinstance(system, RerankingSystem)

    @torch.no_grad()
    def score(query: Vectors, items: Vectors) -> Any:
        with net.answering():
            others = torch.from_numpy(np.ascontiguousarray(items)).to(net.device)
            same = torch.from_numpy(query).to(net.device).expand_as(others)
            return system.score_pairs(same, others).float().cpu().numpy()

    return score


def gather(recipe: Recipe, cache: Path, say: Say) -> Photos:
    """Read the collection of a recipe and make its inputs.

    Queries of the val trial that have no answer are left out, as in an evaluation. Raises
    `RecipeError` where nothing is left to learn from, or to choose by.
    """
    collection = load_collection(recipe.spec, Path(recipe.data), cache=cache, say=say)
    collection, recall = _to_choose_by(recipe, collection, say)
    match = recipe.match or collection.test.match
    known = [row for row in collection.train if key_of(collection.photos[row], match)]
    collection = replace(collection, train=np.array(known, np.int64))
    inputs = make_inputs(recipe, collection.photos, _needed(collection), cache, say)
    train = collection.train[inputs.readable[collection.train]]
    if len(train) < 2:
        raise RecipeError(f"collection {collection.name} holds no photos to learn {match!r} from")
    collection = replace(collection, train=train)
    if recipe.system_type.before_white and not _masked(collection):
        say(
            f"{collection.name}: no training photo has a mask, so all keep the background, without "
            f"which {recipe.system} learns; name the column of masks (pairs_map: {{mask: …}})"
        )
    sampler = make_sampler(
        recipe.sampler, collection, train, batch=recipe.batch, seed=recipe.seed, key=match
    )
    labels = number_labels(collection, match)
    seen_twice = recipe.features == "end-to-end" and recipe.augment
    return Photos(inputs, collection, match, labels, sampler, recall, seen_twice)


def _to_choose_by(
    recipe: Recipe, collection: Collection, say: Say
) -> tuple[Collection, RecallAt1 | None]:
    """The collection without val queries that nothing answers, and what judges by the others."""
    val = collection.val
    if not recipe.validate_every or val is None or not len(val.query):
        if recipe.validate_every:
            say(
                f"collection {collection.name} has no val trial: the last weights are kept, and "
                "nothing says when to stop"
            )
        return collection, None
    asked = _answerable(collection, val, say)
    return replace(collection, val=asked), RecallAt1(collection, asked)


def _answerable(collection: Collection, val: Trial, say: Say) -> Trial:
    """The val trial without the queries that nothing in its gallery answers."""
    kept = truth_of(collection, val).answers() > 0
    if not kept.any():
        raise RecipeError(
            f"{collection.name}: no query of the val trial has an answer in the gallery "
            f"({len(kept)} queries, {len(val.gallery)} gallery photos). What belongs together "
            "must be seen on two photos at least; validate_every=0 trains without choosing"
        )
    if left_out := int((~kept).sum()):
        say(f"{left_out} of {len(kept)} val queries have no answer in the gallery; left out")
    return replace(val, query=val.query[kept])


def _masked(collection: Collection) -> int:
    """Training photos that have a mask."""
    return sum(collection.photos[row].mask is not None for row in collection.train)


def _needed(collection: Collection) -> PhotoRows:
    """Photos that training or choosing looks at; the test trial is left alone."""
    val = collection.val
    parts = [collection.train] if val is None else [collection.train, val.query, val.gallery]
    return np.unique(np.concatenate(parts))
