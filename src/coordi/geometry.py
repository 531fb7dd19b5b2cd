"""Unit rows, similarities and top-k: the only home of this arithmetic outside torch."""

import numpy as np
from numpy.typing import NDArray

from coordi.errors import InputError
from coordi.types import Vectors


def unit_rows(rows: NDArray[np.floating]) -> Vectors:
    """Scale every row of (n, d) to length one; a zero row stays zero.

    Raises `InputError` where a value is not finite: such a row would poison every ranking.
    """
    rows32 = np.ascontiguousarray(rows, dtype=np.float32)
    if not np.isfinite(rows32).all():
        bad = int(np.flatnonzero(~np.isfinite(rows32).all(axis=1))[0])
        raise InputError(f"row {bad} of an embedding matrix holds a value that is not finite")
    norms = np.linalg.norm(rows32, axis=1, keepdims=True)
    scaled: Vectors = rows32 / np.maximum(norms, np.float32(1e-12))
    return scaled


def truncate(rows: Vectors, dim: int) -> Vectors:
    """Keep the first `dim` columns and rescale: a Matryoshka embedding (Kusupati 2022)."""
    if not 0 < dim <= rows.shape[1]:
        raise InputError(f"cannot keep {dim} of {rows.shape[1]} columns")
    return unit_rows(rows[:, :dim])


def similarities(queries: Vectors, items: Vectors) -> NDArray[np.float32]:
    """Cosine similarity of unit rows: (q, d) and (n, d) → (q, n)."""
    return queries @ items.T


def top_k(scores: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Columns of the k largest values of each row of (q, n), best first → (q, min(k, n)).

    Ties are broken by column number, lowest first, so that a ranking never depends on the
    order in which a machine happened to add.
    """
    k = min(k, scores.shape[1])
    if k == 0:
        return np.empty((scores.shape[0], 0), dtype=np.intp)
    if k == scores.shape[1]:
        return np.argsort(-scores, axis=1, kind="stable")
    # The k-th value bounds the answer; all columns at least that large are candidates, so
    # that ties at the edge are settled by number and not by partition's whim.
    edge = -np.partition(-scores, k - 1, axis=1)[:, k - 1]
    out = np.empty((scores.shape[0], k), dtype=np.intp)
    for row, (values, bound) in enumerate(zip(scores, edge, strict=True)):
        candidates = np.flatnonzero(values >= bound)
        out[row] = candidates[np.argsort(-values[candidates], kind="stable")[:k]]
    return out
