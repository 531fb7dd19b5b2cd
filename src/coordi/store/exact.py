"""Exact nearest neighbours over float32 rows in memory: FAISS's own scan, without an index."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordi.types import Vectors

Found = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Scores and rows, best first; ties by row."""


def scan(query: NDArray[np.float32], rows: Vectors, k: int, selector: Any = None) -> Found:
    """The `k` largest inner products of `query` (dim,) with `rows` (n, dim).

    `selector` is a FAISS IDSelector, or None for all rows. Equal rows get equal scores wherever
    they stand: each is one call of the same kernel. (BLAS does not promise that.)
    """
    import faiss

    k = min(k, len(rows))
    scores = np.empty(k, dtype=np.float32)
    found = np.empty(k, dtype=np.int64)
    if k:
        faiss.knn_inner_product(
            faiss.swig_ptr(query), faiss.swig_ptr(rows), rows.shape[1], 1, len(rows), k,
            faiss.swig_ptr(scores), faiss.swig_ptr(found), selector,
        )  # fmt: skip
    if selector is not None and k and found[-1] < 0:
        kept = found >= 0
        scores, found = scores[kept], found[kept]
    return in_order(scores, found)


def in_order(scores: NDArray[np.float32], rows: NDArray[np.int64]) -> Found:
    """Sort by score, best first, then by row."""
    order = np.lexsort((rows, -scores))
    return scores[order], rows[order]


def merge(first: Found, second: Found, k: int) -> Found:
    """The best `k` of two results over different rows."""
    scores = np.concatenate([first[0], second[0]])
    rows = np.concatenate([first[1], second[1]])
    scores, rows = in_order(scores, rows)
    return scores[:k], rows[:k]


def bitmap(mask: NDArray[np.bool_]) -> tuple[Any, NDArray[np.uint8]]:
    """A FAISS selector of the rows where `mask` is true, and the memory that it points into."""
    import faiss

    bits = np.packbits(mask, bitorder="little")
    return faiss.IDSelectorBitmap(len(mask), faiss.swig_ptr(bits)), bits
