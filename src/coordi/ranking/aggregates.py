"""Numbers over units that are more than a mean of a column: functions with a name.

A unit is what is asked once: a query, an outfit to judge, a blank to fill, a photo to put into a
cluster. A function is given columns (n, k) of n units and how often each unit was drawn (rounds, n)
→ its value in each round (rounds,), nan where it has none. Reports name the function and its
columns, so that they can be compared later.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from coordi.errors import InputError, UnknownNameError

Floats = NDArray[np.float64]
Aggregate = Callable[[Floats, Floats], Floats]


def mean(columns: Floats, weights: Floats) -> Floats:
    """Mean of one column."""
    return _ratio(weights @ columns[:, 0], weights.sum(axis=1))


def median(columns: Floats, weights: Floats) -> Floats:
    """Median of one column; the lower one of two."""
    order = np.argsort(columns[:, 0], kind="stable")
    reached = np.cumsum(weights[:, order], axis=1)
    middle = (reached >= reached[:, -1:] / 2).argmax(axis=1)
    return np.asarray(columns[order[middle], 0], np.float64)


def roc_auc(columns: Floats, weights: Floats) -> Floats:
    """Area under the ROC curve of (score, truth 0 or 1): how often a right unit is above a wrong.

    Equal scores count half (Mann & Whitney 1947). nan where only one truth was drawn.
    """
    values, place = np.unique(columns[:, 0], return_inverse=True)
    starts = np.zeros(len(values), np.intp)
    order = np.argsort(place, kind="stable")
    starts[1:] = np.flatnonzero(np.diff(place[order])) + 1
    right = columns[:, 1] == 1
    positive, negative = (
        np.add.reduceat((weights * mask)[:, order], starts, axis=1) for mask in (right, ~right)
    )
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    return _ratio((positive * below).sum(axis=1), pairs)


def macro_mean(columns: Floats, weights: Floats) -> Floats:
    """Mean over slices of the mean within each, of (value, slice); slices not drawn are passed."""
    codes = np.unique(columns[:, 1], return_inverse=True)[1]
    within = codes[:, None] == np.arange(codes.max() + 1)  # (n, slices)
    sizes = weights @ within
    means = _ratio(weights @ (columns[:, :1] * within), sizes)
    return _ratio(np.nansum(means, axis=1), (sizes > 0).sum(axis=1))


def purity(columns: Floats, weights: Floats) -> Floats:
    """Share of units that carry the most frequent label of their cluster, of (cluster, label)."""
    return np.array([t.max(axis=1).sum() / t.sum() for t in _tables(columns, weights)])


def nmi(columns: Floats, weights: Floats) -> Floats:
    """Normalised mutual information of (cluster, label), by the mean of both entropies.

    1 where there is one cluster and one label, as scikit-learn has it.
    """
    return np.array([_nmi(table / table.sum()) for table in _tables(columns, weights)])


AGGREGATES: Mapping[str, Aggregate] = {
    "mean": mean, "median": median, "roc_auc": roc_auc, "macro_mean": macro_mean,
    "purity": purity, "nmi": nmi,
}  # fmt: skip


ONE_COLUMN = frozenset({"mean", "median"})
"""Functions of one column; all others take two."""


def aggregate(name: str, columns: int) -> Aggregate:
    """A function by its name, given how many columns it is to take.

    An unknown name raises `UnknownNameError`, which lists the known; another number `InputError`.
    """
    if name not in AGGREGATES:
        raise UnknownNameError("aggregate", name, AGGREGATES)
    takes = 1 if name in ONE_COLUMN else 2
    if columns != takes:
        raise InputError(f"{name} takes {takes} columns, not {columns}")
    return AGGREGATES[name]


def _ratio(above: Floats, below: Floats) -> Floats:
    """above / below, nan where `below` is 0."""
    out = np.full(above.shape, np.nan)
    np.divide(above, below, out=out, where=below > 0)
    return out


def _tables(columns: Floats, weights: Floats) -> list[Floats]:
    """How often each pair of cluster and label was drawn, round by round: (clusters, labels)."""
    codes = [np.unique(columns[:, i], return_inverse=True)[1] for i in range(2)]
    shape = codes[0].max() + 1, codes[1].max() + 1
    cell = codes[0] * shape[1] + codes[1]
    return [np.bincount(cell, row, shape[0] * shape[1]).reshape(shape) for row in weights]


def _nmi(joint: Floats) -> float:
    clusters, labels = joint.sum(axis=1), joint.sum(axis=0)
    entropies = _entropy(clusters), _entropy(labels)
    if sum(entropies) == 0:
        return 1.0
    shared = sum(entropies) - _entropy(joint.ravel())
    return float(np.clip(shared / (sum(entropies) / 2), 0, 1))


def _entropy(shares: Floats) -> float:
    held = shares[shares > 0]
    return float(-(held * np.log(held)).sum()) + 0.0
