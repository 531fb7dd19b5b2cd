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
from coordi.models.encoders.backbone import Backbone
from coordi.models.system import EmbeddingSystem, RerankingSystem, System
from coordi.ranking.metrics import recall_at_1
from coordi.ranking.truth import truth_of
from coordi.training.material.inputs import Inputs, PictureRecipe, data_hash, make_inputs
from coordi.training.material.labels import PhotoLabels, number_labels
from coordi.training.net import Net
from coordi.types import Encoder, Problem, Say, Vectors

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
class Photos:
    """A `Material` of photos."""

    recipe: Recipe
    collection: Collection
    """`train` holds only photos that can be read and whose `match` is known."""
    match: str
    """What photos that belong together share."""
    labels: PhotoLabels
    sampler: Sampler
    inputs: Inputs
    measure: str

    @property
    def feature_dim(self) -> int:
        """Columns of the features that the system is given."""
        return self.inputs.dim

    @property
    def sizes(self) -> LabelSizes:
        """How many labels the training photos show."""
        return self.labels.sizes

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be used."""
        return (*self.collection.problems, *self.inputs.problems)

    def backbone(self) -> Backbone | None:
        """The image tower that learns along, where the inputs are pixels."""
        made_by = self.inputs.made_by
        return made_by if isinstance(made_by, Backbone) else None

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
        seen_twice = self.recipe.features == "end-to-end" and self.recipe.augment
        if not seen_twice and not any((count > 1).any() for count in counts):
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
        return self._features(net, _spread(self.collection.train, _FIRST_LOOK))

    def probe(self, net: Net) -> Tensor | None:
        """Embeddings (n, dim) of training photos; None of a re-ranker, which has none."""
        if not isinstance(net.system, EmbeddingSystem):
            return None
        return self._vectors(net, _spread(self.collection.train, _PROBE))

    def judge(self, net: Net) -> float:
        """R@1 on the val trial."""
        collection, readable = self.collection, self.inputs.readable
        assert collection.val is not None
        rows = np.unique(np.concatenate([collection.val.query, collection.val.gallery]))
        rows = rows[readable[rows]]
        reranks = isinstance(net.system, RerankingSystem)
        made = self._features(net, rows) if reranks else self._vectors(net, rows)
        table = np.zeros((len(collection.photos), made.shape[1]), np.float32)
        table[rows] = made.numpy()
        scorer = _scorer(net) if reranks else None
        return recall_at_1(collection, collection.val, table, scorer)

    def _features(self, net: Net, rows: PhotoRows) -> Tensor:
        """Features (n, D) of photos as they are, on the CPU."""
        return net.features_of(len(rows), lambda part: self.inputs.plain(rows[part]))

    @torch.no_grad()
    def _vectors(self, net: Net, rows: PhotoRows) -> Tensor:
        """Embeddings (n, dim) of photos as they are, on the CPU."""
        assert isinstance(net.system, EmbeddingSystem)
        street = self.labels.street[torch.from_numpy(rows)].to(net.device)
        with net.answering():
            features = self._features(net, rows).to(net.device)
            return net.system.embed(features, street).float().cpu()

    def say(self) -> str:
        """How many photos of how many labels."""
        return f"{len(self.collection.train)} photos of {self.sizes.items} {self.match} labels"

    def facts(self) -> Mapping[str, str]:
        """Counts of what was learned from and chosen by."""
        photos = [self.collection.photos[row] for row in self.collection.train]
        street = sum(photo.street for photo in photos)
        val = self.collection.val
        return {
            "collection": self.collection.name,
            "photos trained on": f"{len(photos)} ({street} from the street)",
            f"different labels of {self.match!r}": str(self.sizes.items),
            "val queries, gallery": f"{len(val.query)}, {len(val.gallery)}" if val else "none",
            "hash of the training data": f"`{data_hash(photos, self.inputs.hashes)}`",
        }

    def frozen(self) -> tuple[str, Encoder] | None:
        """Whose features these are, by the name that the recipe gives it; None of pixels."""
        made_by = self.inputs.made_by
        return None if isinstance(made_by, Backbone) else (self.recipe.encoder, made_by)

    def keep(self, folder: Path) -> None:
        """Nothing but the weights serves."""


def _spread(rows: PhotoRows, most: int) -> PhotoRows:
    """At most about `most` of some rows, from all over them."""
    return rows[:: max(1, len(rows) // most)][:most]


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
    collection, measure = _to_choose_by(recipe, collection, say)
    match = recipe.match or collection.test.match
    known = [row for row in collection.train if key_of(collection.photos[row], match)]
    collection = replace(collection, train=np.array(known, np.int64))
    inputs = make_inputs(recipe, collection.photos, _needed(collection), cache, say)
    train = collection.train[inputs.readable[collection.train]]
    if len(train) < 2:
        raise RecipeError(f"collection {collection.name} holds no photos to learn {match!r} from")
    collection = replace(collection, train=train)
    sampler = make_sampler(
        recipe.sampler, collection, train, batch=recipe.batch, seed=recipe.seed, key=match
    )
    labels = number_labels(collection, match)
    return Photos(recipe, collection, match, labels, sampler, inputs, measure)


def _to_choose_by(recipe: Recipe, collection: Collection, say: Say) -> tuple[Collection, str]:
    """The collection without val queries that nothing answers, and what its val trial measures."""
    val = collection.val
    if not recipe.validate_every or val is None or not len(val.query):
        if recipe.validate_every:
            say(
                f"collection {collection.name} has no val trial: the last weights are kept, and "
                "nothing says when to stop"
            )
        return collection, ""
    return replace(collection, val=_answerable(collection, val, say)), "R@1 on val"


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


def _needed(collection: Collection) -> PhotoRows:
    """Photos that training or choosing looks at; the test trial is left alone."""
    val = collection.val
    parts = [collection.train] if val is None else [collection.train, val.query, val.gallery]
    return np.unique(np.concatenate(parts))
