"""Batch samplers: which photos a step of training sees.

Every sampler is a pure function of (seed, step): nothing is remembered between steps, so that a
resumed training draws the very batches of an undisturbed one, and several devices may take every
n-th step each. An epoch is the number of steps in which every class is drawn.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from coordi.data.collection import Collection, PhotoRows, key_of
from coordi.errors import InputError
from coordi.kinds import Choice, Chosen

Labels = NDArray[np.int64]
"""Class of each row, (N,), numbered from 0 without gaps."""


class Sampler(Protocol):
    """Draws the rows of a step."""

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which every class is drawn."""

    def batch(self, step: int) -> PhotoRows:
        """Rows of step `step` ≥ 0, (batch,); the same for the same seed and step."""


class MPerClass:
    """Batches of batch/m different classes, m photos of each.

    With fewer classes than that, classes repeat within the batch, with other photos of theirs.
    A class with fewer than m photos gives each of them, then repeats; one with more gives all of
    them before the first comes again.
    """

    def __init__(
        self, rows: PhotoRows, labels: Labels, *, batch: int, seed: int = 0, m: int = 4
    ) -> None:
        """`rows` (N,) of the collection and their `labels` (N,)."""
        self._slots = _slots(batch, m)
        self._draws = [_Draw(rows, labels, m, seed)]
        self._order = _Shuffled(np.arange(len(self._draws[0].members)), seed, _CLASSES)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which every class is drawn."""
        return -(-len(self._order) // self._slots)

    def batch(self, step: int) -> PhotoRows:
        """Rows of a step, (batch,), the photos of a class side by side."""
        drawn = self._order.block(step, self._slots)
        return _rows(draw(*slot) for slot in drawn for draw in self._draws)


class CategoryBalanced:
    """Batches in which every category is equally frequent, however many photos it has.

    Categories come in turn, in an order shuffled anew each round; a turn is one class of the
    category and m photos of that class. Within a category, every class comes before the first
    comes again. Photos of no known category form one category of their own.
    """

    def __init__(
        self,
        rows: PhotoRows,
        labels: Labels,
        categories: Labels,
        *,
        batch: int,
        seed: int = 0,
        m: int = 1,
    ) -> None:
        """`rows`, `labels` and `categories` are (N,); a class is of its first row's category."""
        self._slots = _slots(batch, m)
        self._draw = _Draw(rows, labels, m, seed)
        self._classes = _classes_of_categories(labels, categories, seed)
        self._order = _Shuffled(np.arange(len(self._classes)), seed, _CATEGORIES)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which every class is drawn: as often as the largest category needs."""
        turns = len(self._order) * max(map(len, self._classes))
        return -(-turns // self._slots)

    def batch(self, step: int) -> PhotoRows:
        """Rows of a step, (batch,), the photos of a class side by side."""
        drawn = []
        for turn in range(step * self._slots, (step + 1) * self._slots):
            category, round_ = self._order.at(turn)
            drawn.append(self._draw(*self._classes[category].at(round_)))
        return _rows(drawn)


class Hierarchical:
    """Batches from few categories, so that the negatives are hard: look-alikes of one kind.

    A batch is made of `categories` blocks; a block holds different classes of one category, m
    photos of each. Large categories give more blocks, so that every class is equally frequent
    but for the classes that fill a category's last block up.
    """

    def __init__(
        self,
        rows: PhotoRows,
        labels: Labels,
        of: Labels,
        *,
        batch: int,
        seed: int = 0,
        m: int = 4,
        categories: int = 2,
    ) -> None:
        """`rows`, `labels` and their categories `of` are (N,)."""
        if categories < 1 or _slots(batch, m) % categories:
            raise InputError(
                f"batch {batch} is not a multiple of m {m} × categories {categories}; change one"
            )
        self._categories = categories
        self._each = batch // m // categories
        self._draw = _Draw(rows, labels, m, seed)
        self._classes = _classes_of_categories(labels, of, seed)
        blocks = [-(-len(classes) // self._each) for classes in self._classes]
        self._starts = np.cumsum([0, *blocks])
        self._order = _Shuffled(np.arange(sum(blocks)), seed, _BLOCKS)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which every class is drawn."""
        return -(-len(self._order) // self._categories)

    def batch(self, step: int) -> PhotoRows:
        """Rows of a step, (batch,), the photos of a class side by side."""
        drawn = []
        for block, epoch in self._order.block(step, self._categories):
            category = int(np.searchsorted(self._starts, block, "right")) - 1
            blocks = int(self._starts[category + 1] - self._starts[category])
            turn = epoch * blocks + block - int(self._starts[category])
            drawn += self._classes[category].block(turn, self._each)
        return _rows(self._draw(*slot) for slot in drawn)


class CrossDomainPairs(MPerClass):
    """Batches of different items, m street photos and then m shop photos of each.

    Items that have photos of one domain only are left out; `left_out` counts them.
    """

    def __init__(
        self,
        rows: PhotoRows,
        labels: Labels,
        street: NDArray[np.bool_],
        *,
        batch: int,
        seed: int = 0,
        m: int = 1,
    ) -> None:
        """`rows`, `labels` and whether each is a `street` photo are (N,)."""
        self._slots = _slots(batch, 2 * m)
        both = np.intersect1d(labels[street], labels[~street])
        if not len(both):
            raise InputError(
                "no item has both a street photo and a shop photo: cross-domain pairs need both; "
                "give street photos, or another sampler (m-per-class)"
            )
        self.left_out = len(np.unique(labels)) - len(both)
        kept = np.isin(labels, both)
        rows, labels, street = rows[kept], np.searchsorted(both, labels[kept]), street[kept]
        self._draws = [
            _Draw(rows[side], labels[side], m, seed + n) for n, side in enumerate((street, ~street))
        ]
        self._order = _Shuffled(np.arange(len(both)), seed, _CLASSES)


SAMPLERS = Choice(
    "sampler",
    {
        "m-per-class": MPerClass,
        "category-balanced": CategoryBalanced,
        "hierarchical": Hierarchical,
        "cross-domain-pairs": CrossDomainPairs,
    },
    bounds=lambda _: {"ge": 1},
    given={"seed"},
)
"""Samplers by name, as `make_sampler` and recipes take them."""


def make_sampler(
    chosen: Any,
    collection: Collection,
    rows: PhotoRows,
    *,
    batch: int,
    seed: int,
    key: str = "item",
) -> Sampler:
    """The sampler that is `chosen` of SAMPLERS, by name or with settings, over some rows.

    Photos of one class share `key`: "item", "category" or an attribute; photos whose key is not
    known are left out. Raises `UnknownNameError` for an unknown sampler or setting, `InputError`
    where settings do not fit or no photo has the key.
    """
    chosen, photos = SAMPLERS.read(chosen), collection.photos
    rows = np.array([row for row in rows.tolist() if key_of(photos[row], key)], np.int64)
    if not len(rows):
        raise InputError(f"{collection.name}: no photo whose {key} is known; nothing to draw")
    own = [photos[row] for row in rows.tolist()]
    columns = [rows, _numbered([key_of(photo, key) for photo in own])]
    if chosen.kind in _OF_CATEGORIES:
        columns.append(_numbered([photo.category for photo in own]))
    elif chosen.kind in _OF_DOMAINS:
        columns.append(np.array([photo.street for photo in own]))
    sampler: Sampler = SAMPLERS.make(chosen, *columns, batch=batch, seed=seed)
    return sampler


def check_sampler(chosen: Chosen, batch: int) -> None:
    """Raise what `make_sampler` would raise of settings and a size of batch."""
    rows, same, street = np.arange(2), np.zeros(2, np.int64), np.array([True, False])
    more = [same] * (chosen.kind in _OF_CATEGORIES) + [street] * (chosen.kind in _OF_DOMAINS)
    SAMPLERS.make(chosen, rows, same, *more, batch=batch, seed=0)


_OF_CATEGORIES, _OF_DOMAINS = {"category-balanced", "hierarchical"}, {"cross-domain-pairs"}
"""Samplers that look at the photos' categories, or at whether they are from the street."""

_CLASSES, _CATEGORIES, _BLOCKS, _IN_CATEGORY, _PHOTOS = range(5)
"""Independent streams of random numbers."""


class _Shuffled:
    """Values in an endless sequence of rounds, each a permutation of all of them."""

    def __init__(self, values: NDArray[np.int64], *seed: int) -> None:
        self._values, self._seed = values, [part % 2**32 for part in seed]
        # The round at hand serves many steps; two, because a batch may lie across the seam.
        self.round = lru_cache(maxsize=2)(self._round)

    def __len__(self) -> int:
        return len(self._values)

    def _round(self, number: int) -> list[int]:
        # As default_rng([...]), whose way from a list to a generator takes twice as long.
        seed = np.random.SeedSequence(np.array([*self._seed, number], np.uint32))
        order: list[int] = (
            np.random.Generator(np.random.PCG64(seed)).permutation(self._values).tolist()
        )
        return order

    def at(self, position: int) -> tuple[int, int]:
        """The value at a position of the sequence, and how often it came before."""
        round_, within = divmod(position, len(self))
        return self.round(round_)[within], round_

    def block(self, number: int, size: int) -> list[tuple[int, int]]:
        """Block `number` of `size` values, each with its visit: how often it came before.

        The last block of a round is filled up with the round's first values, so that no value
        stands twice in a block unless there are fewer values than `size`.
        """
        count = len(self._values)
        repeats = -(-size // count)
        round_ = number // -(-count // size)
        values = self.block_values(number, size)
        return [(value, round_ * repeats + i // count) for i, value in enumerate(values)]

    def block_values(self, number: int, size: int) -> list[int]:
        """The values of a block, without their visits."""
        count = len(self._values)
        round_, within = divmod(number, -(-count // size))
        values, start = self.round(round_), within * size
        part = values[start : start + size]
        while len(part) < size:
            part += values[: size - len(part)]
        return part

    def __getstate__(self) -> tuple[NDArray[np.int64], list[int]]:
        return self._values, self._seed

    def __setstate__(self, state: tuple[NDArray[np.int64], list[int]]) -> None:
        self._values, self._seed = state
        self.round = lru_cache(maxsize=2)(self._round)


class _Draw:
    """m photos of a class on its n-th visit; the photos come in turn, shuffled anew each round."""

    def __init__(self, rows: PhotoRows, labels: Labels, m: int, seed: int) -> None:
        if len(rows) != len(labels) or not len(rows):
            raise InputError(f"{len(rows)} rows and {len(labels)} labels: give one for each row")
        self._m = m
        self.members = [
            _Shuffled(members, seed, _PHOTOS, label)
            for label, members in enumerate(_grouped(rows, labels))
        ]

    def __call__(self, label: int, visit: int) -> list[int]:
        photos = self.members[label]
        if len(photos) == 1:
            return [int(photos._values[0])] * self._m
        return photos.block_values(visit, self._m)


def _rows(parts: Iterable[list[int]]) -> PhotoRows:
    return np.array(list(chain.from_iterable(parts)), np.int64)


def _grouped(rows: NDArray[np.int64], labels: Labels) -> Iterator[NDArray[np.int64]]:
    """Rows of each label, in the order of labels."""
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    if not counts.all():
        raise InputError("labels must be numbered from 0 without gaps")
    yield from np.split(rows[order], np.cumsum(counts)[:-1])


def _classes_of_categories(labels: Labels, categories: Labels, seed: int) -> list[_Shuffled]:
    """Classes of each category; a class is of the category of its first row."""
    classes, first = np.unique(labels, return_index=True)
    _, numbered = np.unique(categories[first], return_inverse=True)
    grouped = enumerate(_grouped(classes, numbered))
    return [_Shuffled(members, seed, _IN_CATEGORY, number) for number, members in grouped]


def _numbered(keys: Sequence[str]) -> Labels:
    return np.unique(np.array(keys, object), return_inverse=True)[1].astype(np.int64)


def _slots(batch: int, size: int) -> int:
    """How many groups of `size` photos make a batch."""
    if size < 1 or batch < size or batch % size:
        raise InputError(
            f"batch {batch} is not a multiple of the {size} photos that are drawn together; "
            "change the batch or m"
        )
    return batch // size
