"""The top of a ranking in the order of a system that sees query and item together."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coordi.types import RERANK_DEPTH, Vectors

if TYPE_CHECKING:
    from coordi.ranking.rankings import Rankings


PairScorer = Callable[[NDArray[np.float32], Vectors], NDArray[np.float32]]
"""`Reranker.score`: a query (dim,) and items (K, dim) → log-odds of a match (K,)."""


def order_of(
    query: NDArray[np.float32], items: Vectors, score: PairScorer
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Positions in `items` (K, dim), the best match with a query (dim,) first, and log-odds (K,).

    Equal ones keep the order given. The order is that of the log-odds: a probability near 1 has
    too few digits to tell two good matches apart.
    """
    logits = score(query, items)
    order = np.argsort(-logits, kind="stable")
    return order, logits[order]


def reranked(
    chunks: "Iterable[Rankings]",
    score: PairScorer,
    queries: Vectors,
    gallery: Vectors,
    depth: int = RERANK_DEPTH,
) -> "Iterator[Rankings]":
    """Order the first `depth` hits of each query anew by a re-ranker's scores.

    The rest follows as it was, with its old scores. Equal scores keep the order they came in.
    """
    for rankings in chunks:
        ranked, scores = rankings.ranked.copy(), rankings.scores.copy()
        relevant, first = rankings.relevant.copy(), rankings.first.copy()
        for row, query in enumerate(rankings.query):
            top = ranked[row, :depth]
            top = top[top >= 0]
            if len(top) == 0:
                continue
            order, logits = order_of(queries[query], gallery[top], score)
            head = slice(0, len(top))
            ranked[row, head], scores[row, head] = top[order], logits
            relevant[row, head] = relevant[row, head][order]
            if relevant[row, head].any():
                first[row] = relevant[row, head].argmax() + 1
        yield replace(rankings, ranked=ranked, scores=scores, relevant=relevant, first=first)
