"""Re-ranking: the nearest items, put in the order of a system that sees query and item together.

The first `depth` hits of a search are scored once, after its filter, its minimum score and the
folding of near-duplicates; what comes after them stays in the order of the first stage, so that
pages join without gap or repetition.
"""

import numpy as np
from numpy.typing import NDArray

from coordi.errors import FingerprintError, QueryError
from coordi.ranking.rerank import order_of
from coordi.types import RERANK_DEPTH, Encoder, Query, Reranker, Vectors

DEEPEST = 1000
"""Largest depth."""


def depth_of(query: Query, reranker: Reranker | None) -> int:
    """How many hits of a query to re-rank; 0 where they stay as they are.

    Re-rankers learn from pairs of photos. A query that does not say a depth is re-ranked where
    it is a picture alone; one that does may also be an item, or both. Raises `QueryError` for a
    depth where there is no re-ranker, where the query has words in it, or where it is sorted.
    """
    if query.sort:
        if query.rerank:
            raise QueryError("an answer has one order: leave out sort, or leave out rerank")
        return 0
    pictures = query.image is not None and query.item is None
    if query.rerank is None:
        return RERANK_DEPTH if reranker and pictures and not _words(query) else 0
    if not 0 <= query.rerank <= DEEPEST:
        raise QueryError(f"rerank is {query.rerank}; it must be from 0 to {DEEPEST}")
    if query.rerank and reranker is None:
        raise QueryError("there is no re-ranker; open the store with one, or leave rerank out")
    if query.rerank and _words(query):
        raise QueryError("a re-ranker compares photos; leave out the words, or set rerank to 0")
    return query.rerank


def _words(query: Query) -> bool:
    return bool(query.text and query.text.strip())


def check_origin(reranker: Reranker, encoder: Encoder) -> None:
    """Raise `FingerprintError` where a re-ranker was trained on another encoder's vectors."""
    if reranker.reads != encoder.fingerprint:
        raise FingerprintError(
            f"the re-ranker {reranker.name} was trained on vectors of {reranker.encoder} "
            f"({reranker.reads}), the search is with {encoder.name} ({encoder.fingerprint}): "
            f"search with --encoder {reranker.encoder}, or train the re-ranker on {encoder.name}"
        )


def reorder(
    query: NDArray[np.float32], items: Vectors, reranker: Reranker
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Put items (K, dim) in the order of their match with a query (dim,).

    → positions in `items` (K,), the best match first and equal ones in the order given, and the
    probability of a match of each, in the new order (K,).
    """
    if len(items) == 0:
        return np.empty(0, np.int64), np.empty(0, np.float64)
    order, logits = order_of(query, items, reranker.score)
    return order, probability(np.asarray(logits, np.float64))


def probability(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of log-odds, without overflow."""
    shares: NDArray[np.float64] = np.exp(-np.logaddexp(0.0, -logits))
    return shares
