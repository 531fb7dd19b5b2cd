"""What counts as found: the labels of a trial as whole numbers, compared in blocks."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coordi.data.collection import Collection, Trial, group_of, key_of

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Truth:
    """Labels of the queries (q,) and of the gallery (g,); equal labels have equal codes."""

    query_key: Codes
    """What a query and its answers share; −1 where it is unknown."""
    gallery_key: Codes
    query_apart: Codes
    """A gallery row with the query's own code here is no candidate."""
    gallery_apart: Codes
    query_category: Codes
    gallery_category: Codes
    within: bool
    """Whether only the query's own category is searched."""

    def answers(self) -> Codes:
        """How many gallery rows answer each query → (q,)."""
        key = (self.query_key, self.gallery_key)
        if self.within:
            key = paired(key, (self.query_category, self.gallery_category))
        own = paired(key, (self.query_apart, self.gallery_apart))
        return count_equal(*key) - count_equal(*own)

    def same_category(self) -> tuple[Codes, Codes]:
        """Candidates of each query's own category, and the answers among them → (q,), (q,)."""
        category = (self.query_category, self.gallery_category)
        key = paired((self.query_key, self.gallery_key), category)
        apart = (self.query_apart, self.gallery_apart)
        candidates = count_equal(*category) - count_equal(*paired(category, apart))
        return candidates, count_equal(*key) - count_equal(*paired(key, apart))

    def candidates(self) -> Codes:
        """How many gallery rows each query is compared with → (q,)."""
        if self.within:
            return self.same_category()[0]
        return len(self.gallery_key) - count_equal(self.query_apart, self.gallery_apart)

    def pools(self) -> Iterator[tuple[Codes, Codes]]:
        """Positions of queries, and of the gallery rows that they search."""
        if not self.within:
            yield np.arange(len(self.query_key)), np.arange(len(self.gallery_key))
            return
        for code in np.unique(self.query_category):
            queries = np.flatnonzero(self.query_category == code)
            yield queries, np.flatnonzero(self.gallery_category == code)


def truth_of(collection: Collection, trial: Trial) -> Truth:
    """Read the labels of a trial."""
    queries = [collection.photos[row] for row in trial.query]
    gallery = [collection.photos[row] for row in trial.gallery]
    apart = group_of if trial.apart == "group" else lambda photo: photo.id
    key = _codes(
        [key_of(p, trial.match) for p in queries], [key_of(p, trial.match) for p in gallery]
    )
    own = _codes(map(apart, queries), map(apart, gallery))
    category = _codes((p.category for p in queries), (p.category for p in gallery), blank=True)
    return Truth(*key, *own, *category, within=trial.within == "category")


def _codes(
    queries: Iterable[str], gallery: Iterable[str], *, blank: bool = False
) -> tuple[Codes, Codes]:
    """Number the distinct values of both from 0; "" is −1, or a value like others if `blank`."""
    known: dict[str, int] = {} if blank else {"": -1}
    sides: Sequence[list[int]] = [
        [known.setdefault(value, len(known)) for value in side] for side in (queries, gallery)
    ]
    return np.array(sides[0], np.int64), np.array(sides[1], np.int64)


def paired(first: tuple[Codes, Codes], second: tuple[Codes, Codes]) -> tuple[Codes, Codes]:
    """One code for two labels, on both sides; −1 where the first is unknown."""
    width = 1 + max((int(codes.max()) for codes in second if len(codes)), default=0)
    query, gallery = (
        np.where(a < 0, -1, a * width + b) for a, b in zip(first, second, strict=True)
    )
    return query, gallery


def count_equal(query: Codes, gallery: Codes) -> Codes:
    """How many codes of `gallery` equal each of `query`; 0 for −1."""
    values, counts = np.unique(gallery, return_counts=True)
    if len(values) == 0:
        return np.zeros(len(query), np.int64)
    places = np.minimum(np.searchsorted(values, query), len(values) - 1)
    found: Codes = np.where((values[places] == query) & (query >= 0), counts[places], 0)
    return found
