"""Whether one system's numbers differ from another's by more than noise."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from coordi.errors import InputError
from coordi.evaluation.measure import MEDIAN
from coordi.evaluation.report import Report
from coordi.evaluation.tables import missing_text
from coordi.ranking.intervals import cluster_bootstrap, interval

T = TypeVar("T")


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
    of the same queries, gallery and rules, or do not miss the same pictures; see `common_part`.
    """
    _check_terms(first, second)
    _check_queries(first, second)
    _check_missing(first, second)
    return _differences(first, second, rounds)


def _differences(first: Report, second: Report, rounds: int) -> list[Difference]:
    metrics = [name for name in first.per_query if name != MEDIAN and name in second.per_query]
    order = {photo: at for at, photo in enumerate(second.photos)}
    places = [order[photo] for photo in first.photos]
    _check_numbers(metrics, first, second)
    a = np.array([first.per_query[name] for name in metrics], np.float64).T  # (q, m)
    b = np.array([second.per_query[name] for name in metrics], np.float64).T[places]
    draws = cluster_bootstrap(b - a, first.groups, rounds=rounds)
    return [_difference(name, a[:, i], b[:, i], draws[:, i]) for i, name in enumerate(metrics)]


def _check_numbers(metrics: Sequence[str], *reports: Report) -> None:
    if not metrics:
        raise InputError("the reports have no metric in common; evaluate again")
    for report in reports:
        name = next((name for name in metrics if None in report.per_query[name]), None)
        if name is not None:
            raise InputError(f"the report of {report.model} lacks {name} of some query")


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


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What two reports do not share."""

    first: int
    """Queries of the first report that are left out, for any of the reasons below."""
    second: int
    missing_queries: int
    """Queries whose own picture is missing in one report alone."""
    missing_answers: int
    """Other queries for which an answer is missing in one report alone."""
    missing_gallery: int
    """Gallery photos that are missing in one report alone. To the queries that are kept they are
    wrong answers; they may stand before the right one in the other report."""


def compare_common(
    first: Report, second: Report, *, rounds: int = 10_000
) -> tuple[list[Difference], LeftOut]:
    """`compare` on the queries for which both reports miss the same pictures.

    Raises `InputError` where a report does not say what it misses, or nothing is shared.
    """
    _check_terms(first, second)
    lost = first.lost, second.lost
    if lost[0] is None or lost[1] is None:
        raise InputError(f"{_unknown(first, second)}: evaluate again to find the common part")
    torn = lost[0].queries ^ lost[1].queries
    gallery = lost[0].gallery.items() ^ lost[1].gallery.items()
    keys = {key for _, key in gallery}
    shared = set(first.photos) & set(second.photos)
    asks = dict(zip(first.photos, first.keys, strict=False))
    short = {id_ for id_ in shared - torn if asks.get(id_) in keys}
    kept = shared - torn - short
    if not kept:
        raise InputError("the reports share no query for which both miss the same pictures")
    a, b = (_only(report, kept) for report in (first, second))
    out = LeftOut(
        len(first.photos) - len(a.photos),
        len(second.photos) - len(b.photos),
        len(torn & shared),
        len(short),
        len({id_ for id_, _ in gallery}),
    )
    _check_queries(a, b)
    return _differences(a, b, rounds), out


def missing_note(first: Report, second: Report) -> str:
    """What cannot be told of what the reports miss; "" where all is known."""
    known = first.lost is not None and second.lost is not None
    return "" if known else f"{_unknown(first, second)}: whether both miss the same is not known"


def _unknown(first: Report, second: Report) -> str:
    """Which report lacks the ids of what is missing."""
    which = [
        f"the {place} report ({report.model}) counts {report.missing:,} missing pictures"
        for place, report in (("first", first), ("second", second))
        if report.lost is None
    ]
    return f"{' and '.join(which)} without saying which, as coordi did before"


def _only(report: Report, kept: set[str]) -> Report:
    """A report of fewer queries."""
    rows = [row for row, photo in enumerate(report.photos) if photo in kept]

    def of(column: Sequence[T]) -> tuple[T, ...]:
        return tuple(column[row] for row in rows)

    return replace(
        report,
        photos=of(report.photos),
        groups=of(report.groups),
        per_query={name: of(column) for name, column in report.per_query.items()},
    )


def _check_terms(first: Report, second: Report) -> None:
    for name in ("benchmark", "trial", "match", "apart", "within", "gallery"):
        a, b = getattr(first.terms, name), getattr(second.terms, name)
        if a != b:
            raise InputError(f"the reports differ in {name} ({a} and {b}): they cannot be compared")


def _check_queries(first: Report, second: Report) -> None:
    lacking = set(first.photos) ^ set(second.photos)
    if lacking:
        raise InputError(
            f"the reports ask {len(first.photos):,} and {len(second.photos):,} queries, of which "
            f"{len(lacking):,} are in one alone (such as {min(lacking)!r}): evaluate both on the "
            "same data"
        )
    for report in (first, second):
        if len(set(report.photos)) != len(report.photos):
            raise InputError("a report asks the same photo twice: queries cannot be paired")


def _check_missing(first: Report, second: Report) -> None:
    a, b = first.lost, second.lost
    if a is None or b is None:
        return  # `missing_note` says so
    queries, gallery = a.queries ^ b.queries, a.gallery.keys() ^ b.gallery.keys()
    if queries or gallery:
        raise InputError(
            f"the reports do not miss the same pictures. First: {missing_text(first)}; second: "
            f"{missing_text(second)}; in one alone: {len(queries):,} queries and "
            f"{len(gallery):,} gallery photos (such as {min(queries or gallery)!r}). Evaluate both "
            "on the same files, or compare their common part with --common"
        )
