"""A collection of photos with its split: what every learner is given and every number is of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from coordi.errors import InputError
from coordi.types import Photo, Problem

PhotoRows = NDArray[np.int64]
"""Positions in `Collection.photos`."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Who is looked for among whom, and what counts as found."""

    query: PhotoRows
    gallery: PhotoRows
    match: str = "item"
    """What a query and a hit must share: "item", "category", or the name of an attribute."""
    apart: Literal["photo", "group"] = "photo"
    """What a query never meets in the gallery: itself, or all of its group."""
    within: Literal["all", "category"] = "all"
    """Whether a query searches the whole gallery or its own category."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Photos, the rows to learn from, and the trials to choose (`val`) and to report (`test`) by.

    A photo whose picture is missing or cannot be read is a photo like any other: split, counts
    and trials do not depend on which files exist. Who learns passes over it; who measures counts
    it as a miss.

    No group of `train` stands in a query or a relevant gallery row of either trial; the gallery
    may hold photos of training items as distractors where the protocol says so.
    """

    name: str
    photos: tuple[Photo, ...]
    train: PhotoRows
    test: Trial
    val: Trial | None = None
    problems: tuple[Problem, ...] = ()
    """Rows of the data that give no photo, and what is wrong with photos' boxes."""
    published: Mapping[str, int] = field(default_factory=dict)
    """Counts that the dataset's authors state ("train images": 25882); {} for one's own."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """The same counts as found here."""
    missing: Mapping[str, Problem] = field(default_factory=dict)
    """Id of a photo → why its picture is not there, as far as reading the lists could tell."""

    @property
    def reduced(self) -> bool:
        """Whether a published count is not met: numbers on it are labelled reduced."""
        return any(self.counts.get(name) != count for name, count in self.published.items())


def key_of(photo: Photo, match: str) -> str:
    """The value of `match` ("item", "category" or an attribute) of a photo; "" where unknown."""
    if match in {"item", "category"}:
        return str(getattr(photo, match))
    return photo.attributes.get(match, "")


def group_of(photo: Photo) -> str:
    """The photo's split key."""
    return photo.group or photo.item


def checked(collection: Collection) -> Collection:
    """The collection itself; `InputError` where a row is out of range or a group leaks."""
    photos = collection.photos
    trials = [trial for trial in (collection.val, collection.test) if trial is not None]
    rows = [collection.train, *(r for trial in trials for r in (trial.query, trial.gallery))]
    if any(len(r) and (r.min() < 0 or r.max() >= len(photos)) for r in rows):
        raise InputError(f"{collection.name}: a split names a photo that is not there")
    train = {group_of(photos[row]) for row in collection.train}
    for trial in trials:
        leaked = train & {group_of(photos[row]) for row in trial.query}
        if leaked:
            raise InputError(
                f"{collection.name}: group {min(leaked)!r} is both trained on and asked about"
            )
    return collection
