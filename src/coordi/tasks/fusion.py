"""One ranking of two: the items' own words, and the encoder's likeness.

A weighted sum of both scores, each brought to a scale of its own, which is better and needs less
data to be set than reciprocal ranks (Bruch et al. 2023, An Analysis of Fusion Functions for Hybrid
Retrieval, sections 4 and 5). Words: BM25 as a share of the best there is for the query. Likeness:
how many standard deviations an item's cosine lies above what is usual in this store, divided by
`FAR`; so the weight holds for any encoder, whose cosines lie where they like.

What an item gets depends on the query, its filter and the commit alone, never on a page: the words
count for the `CANDIDATES` that match best, all others stand by likeness.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from coordi.tasks.reading import Reading
from coordi.types import Index, Query, WordIndex

WORDS = 0.6
"""Weight of the words against likeness, where some item has all of them.

Chosen by `python benchmarks/fusion.py` on queries made from labels; see docs/search-words.md.
"""

FAR = 4.0
"""Standard deviations above the mean that count as 1: about what the best of 10,000 have."""

CANDIDATES = 1000
"""Items whose words count."""

MOST_ALONE = 10_000
"""Items that are found where words alone decide: as deep as pages go."""

CODE = 1.0
"""What an item gets that the query names by a code: more than words and likeness together."""

REFUSED = -1.0
"""What an item gets that has a word which the query refuses: it comes after those without."""

MOST_REFUSED = 10_000
"""Such items that are put behind."""

Rows = NDArray[np.int64]
Scores = NDArray[np.float64]
Cosines = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Fusion:
    """What the words of a query give to which rows."""

    rows: Rows
    """(n,) main rows that have words of the query, rising."""
    shares: Scores
    """(n,) BM25 of each as a share of the best."""
    codes: NDArray[np.bool_]
    """(n,) whether the query names it by a code."""
    full: NDArray[np.bool_]
    """(n,) whether it has all words of the query."""
    weight: float
    """Of words; that of likeness is what it lacks to 1."""
    alone: bool
    """Whether words alone decide, and items without them are no hits."""
    mean: float = 0.0
    """Cosine that is usual here."""
    spread: float = 1.0
    """Standard deviation of the cosines."""
    refused: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    """Main rows that have words which the query refuses, rising."""

    def parts(self, rows: Rows, cosines: Cosines) -> dict[str, Scores]:
        """What some main rows get: (m,) each of "words", "likeness", "code" and "refused"."""
        place = np.searchsorted(self.rows, rows)
        place[place == len(self.rows)] = 0
        there = self.rows[place] == rows if len(self.rows) else np.zeros(len(rows), np.bool_)
        shares, codes = np.zeros(len(rows)), np.zeros(len(rows))
        shares[there], codes[there] = self.shares[place[there]], self.codes[place[there]]
        likeness = (cosines.astype(np.float64) - self.mean) / (FAR * self.spread)
        return {
            "words": self.weight * shares,
            "likeness": (1 - self.weight) * likeness,
            "code": CODE * codes,
            "refused": np.where(np.isin(rows, self.refused), REFUSED, 0.0),
        }

    def scores(self, rows: Rows, cosines: Cosines) -> Scores:
        """What some main rows rank by (m,)."""
        return np.asarray(sum(self.parts(rows, cosines).values()), np.float64)

    def passing(self, rows: Rows) -> NDArray[np.bool_]:
        """Which of some main rows no lowest cosine keeps out: they have what was asked for."""
        return np.isin(rows, self.rows[self.full | self.codes])


def fuse(
    query: Query, reading: Reading, words: WordIndex, index: Index, vector: Cosines | None,
    text_share: float, weight: float = WORDS,
) -> Fusion | None:  # fmt: skip
    """What the words of a query give; None where no item has any of them.

    `vector` (dim,) is what likeness is to, None where words alone decide; `text_share` is what
    words are of all that is asked for, in [0, 1]. Words of which items have only some count less.
    """
    alone = vector is None
    most = MOST_ALONE if alone else CANDIDATES
    positions, scores = words.find(reading.groups, most, query.where)
    named = words.coded(reading.text)
    rows = index.rows_at(positions)
    coded = _passing(index.rows_at(named), query.where, index)
    refused = _refused(reading, words, index, query.where)
    if not (rows >= 0).any() and not len(coded) and not len(refused):
        return None
    found = _merged(rows, scores, coded)
    best = float(found[1].max(initial=0.0)) or 1.0
    full = np.ones(len(found[0]), np.bool_)
    if query.min_score is not None and len(reading.groups) > 1:
        every = words.find(reading.groups, most, query.where, every=True)[0]
        full = np.isin(found[0], index.rows_at(every))
    counts = 1.0 if alone else weight * reading.known * text_share
    fusion = Fusion(found[0], found[1] / best, found[2], full, counts, alone, refused=refused)
    return fusion if alone else _measured(fusion, index, vector)


def _refused(reading: Reading, words: WordIndex, index: Index, where: str | None) -> Rows:
    """Rows that have anything that the query refuses, rising."""
    found = [index.rows_at(words.find([g], MOST_REFUSED, where)[0]) for g in reading.refused]
    rows = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
    return rows[rows >= 0]


def _passing(rows: Rows, where: str | None, index: Index) -> Rows:
    rows = rows[rows >= 0]
    return rows if where is None or not len(rows) else np.intersect1d(rows, index.passing(where))


def _merged(rows: Rows, scores: Cosines, coded: Rows) -> tuple[Rows, Scores, NDArray[np.bool_]]:
    """Rows with words and rows with a code together, rising; their scores; which have a code."""
    kept = rows >= 0
    every = np.union1d(rows[kept], coded)
    out = np.zeros(len(every))
    out[np.searchsorted(every, rows[kept])] = scores[kept]
    return every, out, np.isin(every, coded)


def _measured(fusion: Fusion, index: Index, vector: Cosines | None) -> Fusion:
    """With what is usual in this store."""
    assert vector is not None
    usual = index.sample() @ vector
    spread = float(usual.std()) if len(usual) > 1 else 0.0
    # Where all are alike, likeness tells nothing, and a word is worth more than rounding.
    return replace(fusion, mean=float(usual.mean()), spread=spread if spread > 1e-6 else 1.0)


NOTHING = Fusion(
    np.empty(0, np.int64), np.empty(0), np.empty(0, np.bool_), np.empty(0, np.bool_), 1.0, True
)
"""Of words that no item has, where words alone decide: nothing is found."""
