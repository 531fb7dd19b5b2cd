"""The top of a ranking in another order."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from coordi.evaluation.rankings import Rankings
from coordi.types import RERANK_DEPTH, Reranker, Vectors


def reranked(
    chunks: Iterable[Rankings],
    reranker: Reranker,
    queries: Vectors,
    gallery: Vectors,
    depth: int = RERANK_DEPTH,
) -> Iterator[Rankings]:
    """Order the first `depth` hits of each query anew by the re-ranker's scores.

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
            logits = reranker.score(queries[query], gallery[top])
            order = np.argsort(-logits, kind="stable")
            head = slice(0, len(top))
            ranked[row, head], scores[row, head] = top[order], logits[order]
            relevant[row, head] = relevant[row, head][order]
            if relevant[row, head].any():
                first[row] = relevant[row, head].argmax() + 1
        yield replace(rankings, ranked=ranked, scores=scores, relevant=relevant, first=first)
