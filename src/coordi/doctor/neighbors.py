"""Nearest rows under a cue or an embedding, and the checks that they make possible."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from coordi.data.collection import PhotoRows
from coordi.data.vocabulary import CATEGORIES, COLORS, canonical, relation
from coordi.doctor.findings import Exhibit, Finding, Result, share
from coordi.doctor.subject import MEMBERS, ONE_SIDED, Subject, codes, label_columns

NEIGHBORS = 10
"""Neighbours that are asked about a label."""
_CELLS = 16_000_000  # distances held at once: 64 MB
_SHOWN = 24


def nearest(
    rows: NDArray[np.float32], queries: PhotoRows, k: int, apart: NDArray[np.int64] | None = None
) -> PhotoRows:
    """The `k` Euclidean nearest of (n, d) to some of its own rows, best first → (q, min(k, n-1)).

    A row is never its own neighbour, nor that of a row with the same number ≥ 0 in `apart` (n,).
    Ties are broken by row number. Needs q × n distances, computed in chunks.
    """
    k = min(k, len(rows) - 1)
    squares = (rows * rows).sum(1)
    step = max(1, _CELLS // max(1, len(rows)))
    out = np.empty((len(queries), k), np.int64)
    for start in range(0, len(queries), step):
        chunk = queries[start : start + step]
        distances = squares - 2 * (rows[chunk] @ rows.T)  # (c, n), but for each row's own square
        distances[np.arange(len(chunk)), chunk] = np.inf
        if apart is not None:
            mine = apart[chunk]
            distances[(mine[:, None] == apart) & (mine[:, None] >= 0)] = np.inf
        out[start : start + step] = _smallest(distances, k)
    return out


def _smallest(distances: NDArray[np.float32], k: int) -> PhotoRows:
    """Columns of the k smallest of each row, ordered; ties at the edge fall as they may."""
    found = np.argpartition(distances, k - 1, axis=1)[:, :k]
    found.sort(axis=1)
    order = np.argsort(np.take_along_axis(distances, found, 1), axis=1, kind="stable")
    return np.take_along_axis(found, order, 1)


class Neighborhoods(NamedTuple):
    """The nearest pictures of every picture."""

    rows: PhotoRows
    """Rows of the dataset that have a picture, (m,)."""
    near: PhotoRows
    """Places in `rows` of each one's neighbours, (m, k)."""
    close: NDArray[np.float32]
    """Mean cosine similarity to them, (m,)."""


def label_noise(subject: Subject) -> Iterator[Result]:
    """Items of which not one of the nearest neighbours carries their label.

    Neighbours are those of the encoder's vectors, without pixel duplicates. Labels with fewer
    than `MEMBERS` rows are passed over: their members have no one to agree with. Agreement of
    the neighbours on another label is what makes an item suspicious (Brodley & Friedl 1999,
    filtering mislabelled training data by a k-NN vote).
    """
    if subject.vectors is None:
        return
    rows = np.flatnonzero(np.linalg.norm(subject.vectors, axis=1) > 0)
    if len(rows) <= NEIGHBORS:
        return
    vectors = np.ascontiguousarray(subject.vectors[rows])
    _, apart = np.unique(subject.looks["content"][rows], axis=0, return_inverse=True)
    near = nearest(vectors, np.arange(len(rows)), NEIGHBORS, apart.ravel().astype(np.int64))
    close = np.einsum("nd,nd->n", vectors, vectors[near].mean(1))
    around = Neighborhoods(rows, near, close)
    for name, cells in label_columns(subject).items():
        labels, values = codes([cells[row] for row in rows])
        yield from _noise_of(subject, name, labels, values, around)


def suspects(
    labels: NDArray[np.int64], near: PhotoRows, agree: float = 0.8
) -> tuple[PhotoRows, PhotoRows]:
    """Rows whose neighbours (n, k) all carry another label, `agree` of them the same one.

    Returns the rows and the label that their neighbours carry.
    """
    around = labels[near]
    often = np.bincount(labels[labels >= 0], minlength=1)
    alone = (around != labels[:, None]).all(1) & (labels >= 0)
    alone[alone] &= often[labels[alone]] >= max(MEMBERS, 1)
    votes = [Counter(a[a >= 0].tolist()).most_common(1) for a in around]
    said = np.array([vote[0][0] if vote else -1 for vote in votes])
    count = np.array([vote[0][1] if vote else 0 for vote in votes])
    found = np.flatnonzero(alone & (count >= agree * near.shape[1]))
    return found, said[found]


def _both_true(first: str, second: str) -> bool:
    """Whether one label contains the other as words go (shirts are tops)."""
    for table in (CATEGORIES, COLORS):
        a, b = canonical(first, table), canonical(second, table)
        if a and b and max(relation(a, b, table), relation(b, a, table)) >= 0:
            return True
    return False


def _noise_of(
    subject: Subject,
    name: str,
    labels: NDArray[np.int64],
    values: list[str],
    around: Neighborhoods,
) -> Iterator[Result]:
    known = int((labels >= 0).sum())
    if not known or np.bincount(labels[labels >= 0]).max() >= ONE_SIDED * known:
        return
    found, said = suspects(labels, around.near)
    named_pairs = zip(labels[found].tolist(), said.tolist(), strict=True)
    torn = np.array([not _both_true(values[a], values[b]) for a, b in named_pairs], bool)
    found, said = found[torn], said[torn]
    order = np.argsort(-around.close[found], kind="stable")  # the surest first
    found, said = found[order], said[order]
    if not len(found):
        return
    pairs = Counter(zip(labels[found].tolist(), said.tolist(), strict=True)).most_common(6)
    named = "; ".join(f"{values[a]} among {values[b]} ({n:,})" for (a, b), n in pairs)
    yield Finding(
        "label noise",
        "warning" if len(found) > 0.005 * known else "note",
        f"{name}: {len(found):,} rows ({share(len(found), known)}) stand among neighbours that "
        f"agree on another label: {named}",
        "Look at the examples; correct the labels, or leave these rows out of the test side.",
        len(found),
        known,
        {f"{values[a]} among {values[b]}": float(n) for (a, b), n in pairs},
        tuple(
            Exhibit(
                f"{subject.ids[around.rows[at]]}: {values[labels[at]]}, "
                f"its neighbours: {values[other]}",
                (int(around.rows[at]), *around.rows[around.near[at, :3]].tolist()),
            )
            for at, other in zip(found[:_SHOWN], said, strict=False)
        ),
    )
