"""From vectors to rankings, in blocks of queries and of gallery: memory does not grow with either.

A block of scores has at most `BLOCK` cells. The gallery may be a memory map of a file: rows are
read a block at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from coordi.errors import InputError
from coordi.geometry import similarities, top_k
from coordi.ranking.truth import Truth
from coordi.types import Vectors

BLOCK = 1 << 24
"""Most cells of a block of scores, and of a chunk of rankings: 64 MiB each as float32."""

Positions = NDArray[np.int64]
"""Places in a trial's `query` or `gallery`, from 0."""


@dataclass(frozen=True, slots=True)
class Rankings:
    """What q queries found, best first; ties stand in the gallery's order."""

    query: Positions
    """(q,) positions in `Trial.query`."""
    ranked: Positions
    """(q, depth) positions in `Trial.gallery`; −1 where there are no more candidates."""
    scores: NDArray[np.float32]
    """(q, depth), −inf where `ranked` is −1."""
    relevant: NDArray[np.bool_]
    """(q, depth) whether it is an answer."""
    answers: Positions
    """(q,) answers in the gallery, also those whose picture is unreadable."""
    first: Positions
    """(q,) rank, from 1, of the best answer in the ranking of the whole gallery; 0 for never."""

    def __len__(self) -> int:
        return len(self.query)


def rank(
    truth: Truth,
    query_vectors: Vectors,
    gallery_vectors: Vectors,
    *,
    depth: int = 100,
    chunk: int = 512,
    whole: bool = True,
) -> Rankings:
    """Rank the gallery for every query of a trial, in the order of `Trial.query`.

    `query_vectors` (q, d) and `gallery_vectors` (g, d) follow `Trial.query` and `Trial.gallery`.
    A row of zeros is an unreadable picture: such a query finds nothing, such a gallery row is
    found by nobody, and both stay in the count. Without `whole`, `first` is known down to `depth`
    only, which spares a second walk through the gallery. Raises `InputError` for vectors that do
    not fit.
    """
    parts = rank_chunks(
        truth, query_vectors, gallery_vectors,
        depth=depth, chunk=chunk, all_answers=False, whole=whole,
    )  # fmt: skip
    return joined(list(parts), depth)


def rank_chunks(
    truth: Truth,
    query_vectors: Vectors,
    gallery_vectors: Vectors,
    *,
    depth: int = 100,
    chunk: int = 512,
    all_answers: bool = True,
    whole: bool = True,
) -> Iterator[Rankings]:
    """Rank chunk by chunk, at least `depth` deep; `all_answers`: as deep as answers are many.

    The chunks together hold every query once, in an order of their own. See `rank`.
    """
    queries, gallery = len(truth.query_key), len(truth.gallery_key)
    if len(query_vectors) != queries or len(gallery_vectors) != gallery:
        raise InputError(
            f"{len(query_vectors)} query and {len(gallery_vectors)} gallery vectors do not fit a "
            f"trial of {queries} queries and {gallery} gallery photos"
        )
    answers = truth.answers()
    for asked, searched in truth.pools():
        deepest = int(answers[asked].max(initial=0)) if all_answers else 0
        deep = max(1, min(len(searched), max(depth, deepest)))
        size = max(1, min(chunk, BLOCK // deep))
        for start in range(0, len(asked), size):
            part = asked[start : start + size]
            pool = _Pool(truth, part, searched, query_vectors[part], gallery_vectors)
            yield _ranked(pool, answers[part], deep, whole)


def joined(parts: Sequence[Rankings], depth: int) -> Rankings:
    """Chunks as one, in the order of the queries, `depth` deep."""
    wide = [_padded(part, depth) for part in parts]
    if not wide:
        raise InputError("there is no query to rank for")
    order = np.argsort(np.concatenate([part.query for part in wide]), kind="stable")
    columns = [np.concatenate([getattr(p, f.name) for p in wide]) for f in fields(Rankings)]
    return Rankings(*(column[order] for column in columns))


def _padded(part: Rankings, depth: int) -> Rankings:
    """The same, cut or filled up to `depth` columns."""
    missing = ((0, 0), (0, max(0, depth - part.ranked.shape[1])))
    return Rankings(
        part.query,
        np.pad(part.ranked[:, :depth], missing, constant_values=-1),
        np.pad(part.scores[:, :depth], missing, constant_values=-np.inf),
        np.pad(part.relevant[:, :depth], missing),
        part.answers,
        part.first,
    )


@dataclass(frozen=True, slots=True)
class _Pool:
    """Some queries and the gallery rows that they search."""

    truth: Truth
    queries: Positions
    gallery: Positions
    query_vectors: Vectors
    """Of `queries` alone."""
    gallery_vectors: Vectors
    """Of the whole trial."""

    def blocks(self) -> Iterator[tuple[Positions, NDArray[np.float32], NDArray[np.bool_]]]:
        """Gallery positions (b,), scores (q, b) with −inf for no candidate, answers (q, b)."""
        truth, queries = self.truth, self.queries
        size = max(1, BLOCK // max(1, len(queries)))
        blind = ~self.query_vectors.any(axis=1)
        for start in range(0, len(self.gallery), size):
            rows = self.gallery[start : start + size]
            vectors = np.asarray(self.gallery_vectors[rows], np.float32)
            scores = similarities(self.query_vectors, vectors)
            scores[:, ~vectors.any(axis=1)] = -np.inf
            scores[blind] = -np.inf
            scores[truth.query_apart[queries][:, None] == truth.gallery_apart[rows]] = -np.inf
            key = truth.query_key[queries][:, None]
            yield rows, scores, (key == truth.gallery_key[rows]) & (key >= 0)


def _ranked(pool: _Pool, answers: Positions, depth: int, whole: bool) -> Rankings:
    count = len(pool.queries)
    ranked = np.full((count, depth), -1, np.int64)
    scores = np.full((count, depth), -np.inf, np.float32)
    relevant = np.zeros((count, depth), bool)
    best = np.full(count, -np.inf, np.float32)  # score of the best answer so far
    place = np.full(count, -1, np.int64)  # its gallery position
    for rows, found, right in pool.blocks():
        ranked, scores, relevant = _merged(ranked, scores, relevant, rows, found, right)
        held = np.where(right, found, -np.inf)
        column = held.argmax(axis=1)
        value = held[np.arange(count), column]
        better = value > best  # of equal ones the earlier stays
        best[better], place[better] = value[better], rows[column[better]]
    ranked[scores == -np.inf] = -1
    relevant &= ranked >= 0
    first = np.where(relevant.any(axis=1), relevant.argmax(axis=1) + 1, 0)
    deeper = (first == 0) & (place >= 0)
    if whole and deeper.any():
        first[deeper] = _rank_of(pool, best, place)[deeper]
    return Rankings(pool.queries, ranked, scores, relevant, answers, first)


def _merged(
    ranked: Positions,
    scores: NDArray[np.float32],
    relevant: NDArray[np.bool_],
    rows: Positions,
    found: NDArray[np.float32],
    right: NDArray[np.bool_],
) -> tuple[Positions, NDArray[np.float32], NDArray[np.bool_]]:
    """The best of what stands and of a new block; what stands comes earlier in the gallery."""
    depth = ranked.shape[1]
    if not (found > scores[:, -1:]).any():
        return ranked, scores, relevant
    best = top_k(found, depth)
    values = np.concatenate([scores, np.take_along_axis(found, best, 1)], axis=1)
    order = top_k(values, depth)
    places = np.concatenate([ranked, rows[best]], axis=1)
    marks = np.concatenate([relevant, np.take_along_axis(right, best, 1)], axis=1)
    return (
        np.take_along_axis(places, order, 1),
        np.take_along_axis(values, order, 1),
        np.take_along_axis(marks, order, 1),
    )


def _rank_of(pool: _Pool, best: NDArray[np.float32], place: Positions) -> Positions:
    """Rank of a candidate (score, position) of each query: a second walk over the same blocks."""
    above = np.zeros(len(best), np.int64)
    for rows, found, _ in pool.blocks():
        tied = (found == best[:, None]) & (rows[None, :] < place[:, None])
        above += ((found > best[:, None]) | tied).sum(axis=1)
    return above + 1
