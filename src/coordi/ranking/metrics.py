"""Metrics over rankings: who found what within the first k."""

import numpy as np
from numpy.typing import NDArray

from coordi.data.collection import Collection, Trial
from coordi.errors import InputError
from coordi.ranking.rankings import Rankings, rank
from coordi.ranking.rerank import PairScorer, reranked
from coordi.ranking.truth import truth_of
from coordi.types import RERANK_DEPTH, Vectors


class RecallAt1:
    """R@1 of one trial, asked of many sets of vectors: its labels are read once."""

    def __init__(self, collection: Collection, trial: Trial) -> None:
        self.trial, self.truth = trial, truth_of(collection, trial)

    def __call__(self, vectors: Vectors, score: PairScorer | None = None) -> float:
        """R@1 by the vectors (n, d) of all photos of the collection, zeros where unreadable.

        A query without any candidate is a miss; 0 where nothing is asked. `score`, a re-ranker's,
        has the last word on the nearest `RERANK_DEPTH` candidates.
        """
        if len(self.trial.query) == 0:
            return 0.0
        queries, gallery = vectors[self.trial.query], vectors[self.trial.gallery]
        depth = RERANK_DEPTH if score else 1
        rankings = rank(self.truth, queries, gallery, depth=depth, whole=False)
        if score:
            (rankings,) = reranked([rankings], score, queries, gallery)
        return float(hit_at(rankings, 1).mean())


def hit_at(rankings: Rankings, k: int) -> NDArray[np.float64]:
    """1 where the best answer is among the first `k` → (q,): R@k as retrieval papers mean it."""
    return ((rankings.first > 0) & (rankings.first <= k)).astype(np.float64)


def reciprocal_rank(rankings: Rankings) -> NDArray[np.float64]:
    """1 / rank of the best answer in the whole gallery, 0 where it is never found → (q,)."""
    return np.where(rankings.first > 0, 1 / np.maximum(rankings.first, 1), 0.0)


def average_precision_at_r(rankings: Rankings) -> NDArray[np.float64]:
    """AP@R → (q,): its mean is mAP@R (Musgrave 2020, "A Metric Learning Reality Check", 3.2).

    With R answers in the gallery: 1/R times the sum, over the ranks i ≤ R that hold an answer,
    of the precision at i. Raises `InputError` where fewer than R columns were ranked although
    there were more candidates.
    """
    answers, relevant = rankings.answers, rankings.relevant
    deepest = int(answers.max(initial=0))
    if (
        deepest > relevant.shape[1]
        and (rankings.ranked[answers > relevant.shape[1], -1] >= 0).any()
    ):
        raise InputError(f"mAP@R needs {deepest} ranks; {relevant.shape[1]} are there")
    ranks = np.arange(1, relevant.shape[1] + 1)
    precision = np.cumsum(relevant, axis=1) / ranks
    counted = np.where(relevant & (ranks <= answers[:, None]), precision, 0.0)
    # cumsum adds from the first rank on, as the definition does; sum() would add in a tree
    total: NDArray[np.float64] = np.cumsum(counted, axis=1)[:, -1] / np.maximum(answers, 1)
    return total


def ndcg_at(rankings: Rankings, k: int) -> NDArray[np.float64]:
    """Binary normalised discounted cumulative gain of the first `k` ranks → (q,).

    The ideal has min(R, k) answers on top (Järvelin & Kekäläinen 2002, discount 1/log2(1+rank)).
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[1.0], np.cumsum(discounts)[:k]])  # [0] only keeps 0/0 away
    found = rankings.relevant[:, :k]
    gained = np.where(found, discounts[: found.shape[1]], 0.0)
    total: NDArray[np.float64] = np.cumsum(gained, axis=1)[:, -1]
    return total / np.where(rankings.answers > 0, ideal[np.minimum(rankings.answers, k)], 1.0)


def found_rank(rankings: Rankings) -> NDArray[np.float64]:
    """Rank of the best answer, infinite where it is never found → (q,); its median is reported."""
    return np.where(rankings.first > 0, rankings.first, np.inf)
