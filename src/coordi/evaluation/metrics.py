"""Metrics over rankings: who found what within the first k."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from coordi.errors import InputError
from coordi.geometry import similarities, top_k
from coordi.types import Vectors


def hits_at(ranked: NDArray[np.intp], relevant: Sequence[set[int]], k: int) -> NDArray[np.bool_]:
    """Whether any of the first `k` columns of each row of `ranked` (q, n) is relevant → (q,).

    Recall@k as retrieval papers mean it: the share of queries with at least one match. Raises
    `InputError` where fewer than `k` columns were ranked.
    """
    if ranked.shape[1] < k:
        raise InputError(f"cannot tell hits at {k} from {ranked.shape[1]} ranked items")
    return np.array(
        [bool(relevant[row].intersection(ranks[:k].tolist())) for row, ranks in enumerate(ranked)],
        dtype=bool,
    )


def neighbour_hits(
    queries: Vectors,
    query_labels: Sequence[str],
    gallery: Vectors,
    gallery_labels: Sequence[str],
    *,
    query_groups: Sequence[str],
    gallery_groups: Sequence[str],
    k: int = 1,
    chunk: int = 512,
) -> NDArray[np.float32]:
    """Share of the `k` nearest gallery items that carry the query's label → (q,).

    Items of the query's own group never count as neighbours, so that a query cannot find itself
    or a photo of the same garment.
    """
    labels, groups = np.asarray(gallery_labels), np.asarray(gallery_groups)
    shares = np.empty(len(queries), dtype=np.float32)
    for start in range(0, len(queries), chunk):
        rows = slice(start, start + chunk)
        scores = similarities(queries[rows], gallery)
        scores[np.asarray(query_groups[rows])[:, None] == groups[None, :]] = -np.inf
        nearest = labels[top_k(scores, k)]  # (rows, k)
        shares[rows] = (nearest == np.asarray(query_labels[rows])[:, None]).mean(1)
    return shares


def bootstrap_interval(
    values: NDArray[np.floating] | NDArray[np.bool_], *, rounds: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95% percentile bootstrap interval of the mean of per-query `values` (q,)."""
    if len(values) == 0:
        raise InputError("there is no query to measure")
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(values), size=(rounds, len(values)))
    low, high = np.percentile(np.asarray(values, np.float64)[picks].mean(1), [2.5, 97.5])
    return float(low), float(high)
