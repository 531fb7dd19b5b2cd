"""How sure a number over queries is, where queries of one garment stand or fall together.

Garments are drawn with replacement, not queries (cluster bootstrap, Cameron et al. 2008): five
photos of one coat are not five independent looks. Where every query is a group of its own this
is the ordinary bootstrap.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from coordi.errors import InputError
from coordi.ranking.aggregates import Aggregate, Floats

_CELLS = 1 << 22
"""Most draws that are held at once."""


def cluster_bootstrap(
    values: Floats, groups: Sequence[str], *, rounds: int = 1000, seed: int = 0
) -> Floats:
    """Means of `values` (q, m) over `rounds` draws of groups → (rounds, m)."""
    codes, count = _group_codes(groups)
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, codes, values)
    sizes = np.bincount(codes, minlength=count).astype(np.float64)
    means = [(w @ sums) / (w @ sizes)[:, None] for w in _weights(count, rounds, seed)]
    return np.concatenate(means)


def bootstrap(
    function: Aggregate,
    columns: Floats,
    groups: Sequence[str],
    *,
    rounds: int = 1000,
    seed: int = 0,
) -> Floats:
    """A function of `columns` (n, k), anew on each of `rounds` draws of groups → (rounds,).

    nan where a draw gives it no value. The same groups, rounds and seed give the same draws.
    """
    codes, count = _group_codes(groups)
    drawn = _weights(max(count, len(columns)), rounds, seed, count)
    return np.concatenate([function(columns, weights[:, codes]) for weights in drawn])


def interval(draws: Floats) -> tuple[float, float]:
    """The middle 95% of bootstrap draws, of those that have a value; nan where none has."""
    held = np.sort(draws[~np.isnan(draws)])
    if len(held) == 0:
        return np.nan, np.nan
    low, high = held[[int(0.025 * len(held)), int(np.ceil(0.975 * len(held))) - 1]]
    return float(low), float(high)


def _group_codes(groups: Sequence[str]) -> tuple[NDArray[np.intp], int]:
    if len(groups) == 0:
        raise InputError("there is no query to measure")
    names, codes = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    return codes, len(names)


def _weights(width: int, rounds: int, seed: int, count: int | None = None) -> Iterator[Floats]:
    """How often each of `count` groups was drawn, some rounds at a time: (≤ rounds, count).

    `width` is the most columns that the caller makes of a row.
    """
    count = width if count is None else count
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS // width)
    for start in range(0, rounds, step):
        size = min(step, rounds - start)
        picks = rng.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        drawn = np.bincount(picks.ravel(), minlength=size * count)
        yield drawn.reshape(size, count).astype(np.float64)
