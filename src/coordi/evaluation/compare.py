"""Whether one system's numbers differ from another's by more than noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from coordi.errors import InputError
from coordi.evaluation.report import Report
from coordi.evaluation.tables import missing_text
from coordi.ranking.aggregates import Floats, aggregate
from coordi.ranking.intervals import bootstrap, cluster_bootstrap, interval

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
    names = [
        name
        for name, statistic in first.statistics.items()
        if statistic.function != "median" and second.statistics.get(name) == statistic
    ]
    if not names:
        raise InputError("the reports have no metric in common; evaluate again")
    order = {unit: at for at, unit in enumerate(second.units)}
    places = [order[unit] for unit in first.units]
    means = [name for name in names if first.statistics[name].function == "mean"]
    out = _of_means(means, first, second, places, rounds) if means else {}
    for name in names:
        if name not in out:
            out[name] = _of_function(name, first, second, places, rounds)
    return [out[name] for name in names]


def _of_means(
    names: Sequence[str], first: Report, second: Report, places: list[int], rounds: int
) -> dict[str, Difference]:
    columns = [first.statistics[name].columns[0] for name in names]
    a, b = _table(first, columns), _table(second, columns)[places]  # (n, m)
    draws = cluster_bootstrap(b - a, first.groups, rounds=rounds)
    return {
        name: _difference(name, float(a[:, i].mean()), float(b[:, i].mean()), draws[:, i])
        for i, name in enumerate(names)
    }


def _of_function(
    name: str, first: Report, second: Report, places: list[int], rounds: int
) -> Difference:
    function, columns = first.statistics[name]
    made = aggregate(function, len(columns))
    tables = _table(first, columns), _table(second, columns)[places]
    a, b = (float(made(table, np.ones((1, len(table))))[0]) for table in tables)
    if math.isnan(a + b):
        raise InputError(f"{name} has no value on these {first.terms.unit}")
    # one seed and the same groups: both systems are looked at on the same draws
    drawn = [bootstrap(made, table, first.groups, rounds=rounds) for table in tables]
    return _difference(name, a, b, drawn[1] - drawn[0])


def _table(report: Report, columns: Sequence[str]) -> Floats:
    """Columns of a report as numbers: (n, columns)."""
    name = next((name for name in columns if None in report.columns[name]), None)
    if name is not None:
        raise InputError(f"the report of {report.model} lacks {name} of some query")
    return np.array([report.columns[name] for name in columns], np.float64).T


def _difference(metric: str, first: float, second: float, draws: Floats) -> Difference:
    low, high = interval(draws)
    # the smallest p that so many draws can show is 2 / (draws + 1), never 0
    held = draws[~np.isnan(draws)]
    beyond = min((held <= 0).sum(), (held >= 0).sum()) + 1
    p = min(1.0, 2 * float(beyond) / (len(held) + 1))
    real = bool(low > 0 or high < 0)
    return Difference(metric, first, second, second - first, low, high, p, real)


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
    shared = set(first.units) & set(second.units)
    asks = dict(zip(first.units, first.keys, strict=False))
    short = {id_ for id_ in shared - torn if asks.get(id_) in keys}
    kept = shared - torn - short
    if not kept:
        raise InputError("the reports share no query for which both miss the same pictures")
    a, b = (_only(report, kept) for report in (first, second))
    out = LeftOut(
        len(first.units) - len(a.units),
        len(second.units) - len(b.units),
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
    rows = [row for row, unit in enumerate(report.units) if unit in kept]

    def of(column: Sequence[T]) -> tuple[T, ...]:
        return tuple(column[row] for row in rows)

    return replace(
        report,
        units=of(report.units),
        groups=of(report.groups),
        columns={name: of(column) for name, column in report.columns.items()},
    )


def _check_terms(first: Report, second: Report) -> None:
    one, other = (
        {"benchmark": terms.benchmark, "trial": terms.trial, **terms.rules}
        for terms in (first.terms, second.terms)
    )
    for name in one | other:
        a, b = one.get(name), other.get(name)
        if a != b:
            raise InputError(f"the reports differ in {name} ({a} and {b}): they cannot be compared")


def _check_queries(first: Report, second: Report) -> None:
    lacking = set(first.units) ^ set(second.units)
    if lacking:
        raise InputError(
            f"the reports ask {len(first.units):,} and {len(second.units):,} queries, of which "
            f"{len(lacking):,} are in one alone (such as {min(lacking)!r}): evaluate both on the "
            "same data"
        )
    for report in (first, second):
        if len(set(report.units)) != len(report.units):
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
