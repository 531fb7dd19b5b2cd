"""Whether one system's numbers differ from another's by more than noise."""

from dataclasses import dataclass

import numpy as np

from coordi.errors import InputError
from coordi.evaluation.intervals import cluster_bootstrap, interval
from coordi.evaluation.measure import MEDIAN
from coordi.evaluation.report import Report


@dataclass(frozen=True, slots=True)
class Difference:
    """Second minus first, on one metric."""

    metric: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    """95% interval of the difference."""
    p: float
    """Two-sided bootstrap p-value that there is no difference."""
    real: bool
    """Whether the interval leaves out zero."""


def compare(first: Report, second: Report, *, rounds: int = 10_000) -> list[Difference]:
    """Paired bootstrap over query groups (Efron & Tibshirani 1993, ch. 16) of every metric.

    Both systems are looked at on the same draws, so that hard queries are hard for both. Ranks
    (medians) are left out. Raises `InputError` saying what differs where the two reports are not
    of the same queries, gallery and rules.
    """
    _check(first, second)
    metrics = [name for name in first.per_query if name != MEDIAN and name in second.per_query]
    order = {photo: at for at, photo in enumerate(second.photos)}
    places = [order[photo] for photo in first.photos]
    a = np.array([first.per_query[name] for name in metrics], np.float64).T  # (q, m)
    b = np.array([second.per_query[name] for name in metrics], np.float64).T[places]
    draws = cluster_bootstrap(b - a, first.groups, rounds=rounds)
    return [_difference(name, a[:, i], b[:, i], draws[:, i]) for i, name in enumerate(metrics)]


def _difference(
    metric: str,
    first: np.ndarray[tuple[int], np.dtype[np.float64]],
    second: np.ndarray[tuple[int], np.dtype[np.float64]],
    draws: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> Difference:
    low, high = interval(draws)
    # the smallest p that so many draws can show is 2 / (draws + 1), never 0
    beyond = min((draws <= 0).sum(), (draws >= 0).sum()) + 1
    p = min(1.0, 2 * float(beyond) / (len(draws) + 1))
    means = float(first.mean()), float(second.mean())
    real = bool(low > 0 or high < 0)
    return Difference(metric, *means, means[1] - means[0], low, high, p, real)


def _check(first: Report, second: Report) -> None:
    for name in ("benchmark", "trial", "match", "apart", "within", "gallery"):
        a, b = getattr(first.terms, name), getattr(second.terms, name)
        if a != b:
            raise InputError(f"the reports differ in {name} ({a} and {b}): they cannot be compared")
    lacking = set(first.photos) ^ set(second.photos)
    if lacking:
        raise InputError(
            f"the reports ask {len(first.photos):,} and {len(second.photos):,} queries, of which "
            f"{len(lacking):,} are in one alone (such as {min(lacking)!r}): evaluate both on the "
            "same data"
        )
    if len(set(first.photos)) != len(first.photos):
        raise InputError("a report asks the same photo twice: queries cannot be paired")
