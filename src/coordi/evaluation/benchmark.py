"""What a benchmark is: units in groups and slices, of which a model makes columns of numbers.

Intervals, comparison, tables and pages know no more than that.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from coordi.errors import InputError
from coordi.evaluation.report import Facts, Report, Slice, Statistic, Terms, Value
from coordi.ranking.aggregates import ONE_COLUMN, aggregate
from coordi.ranking.intervals import bootstrap, cluster_bootstrap, interval

Columns = Mapping[str, NDArray[np.float64]]
"""Name → a number per unit (n,): a metric, a score, a truth, a code of a label."""


class Unit(NamedTuple):
    """What is asked once: a query, an outfit to judge, a blank to fill, a photo in a cluster."""

    id: str
    group: str
    """Units of one group stand and fall together."""
    slice: str = ""
    """The part of the units, such as a category, for which numbers are printed as well."""
    key: str = ""
    """What it looks for: where a picture with that key is missing, it may lack an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured(Facts):
    """What a benchmark found out about a model."""

    columns: Columns
    """In the order of the benchmark's units."""


class Benchmark(Protocol):
    """Units, and how a model is measured on them."""

    @property
    def terms(self) -> Terms:
        """What is asked of whom; its name is the title of pages."""

    @property
    def units(self) -> Sequence[Unit]:
        """At least one."""

    @property
    def statistics(self) -> Mapping[str, Statistic]:
        """Printed numbers, in their order, and how each is made of the columns."""

    def measure(self, model: str) -> Measured:
        """Columns of a model, by the name that opens it."""

    def controls(self) -> Iterable[Measured]:
        """What a model is to beat."""


def reports_of(
    benchmark: Benchmark, models: Sequence[str], *, controls: bool = True
) -> list[Report]:
    """Measure each model → reports; controls come last."""
    reports = [report_of(benchmark, benchmark.measure(name)) for name in models]
    if controls:
        reports += [report_of(benchmark, m, control=True) for m in benchmark.controls()]
    return reports


def report_of(benchmark: Benchmark, measured: Measured, *, control: bool = False) -> Report:
    """The report of a measurement.

    Raises `InputError` for columns that do not fit the units, and where a number has no value.
    """
    units, columns, statistics = benchmark.units, measured.columns, benchmark.statistics
    for name, column in columns.items():
        if column.shape != (len(units),) or np.isnan(column).any():
            raise InputError(f"{name} of {measured.model} is not one number a unit")
    groups = [unit.group for unit in units]
    values = summary(columns, statistics, groups)
    if values is None:
        raise InputError(f"{benchmark.terms.benchmark}: {' or '.join(statistics)} has no value")
    return Report(
        **{f.name: getattr(measured, f.name) for f in fields(Facts)},
        terms=benchmark.terms,
        control=control,
        values=values,
        statistics=statistics,
        slices=slices(columns, statistics, groups, [unit.slice for unit in units]),
        units=tuple(unit.id for unit in units),
        groups=tuple(groups),
        columns=_stored(columns, statistics),
        keys=tuple(unit.key for unit in units) if any(unit.key for unit in units) else (),
    )


def summary(
    columns: Columns, statistics: Mapping[str, Statistic], groups: Sequence[str]
) -> dict[str, Value] | None:
    """Printed numbers with 95% intervals over draws of groups; None where one has no value."""
    means = {name: s.columns[0] for name, s in statistics.items() if s.function == "mean"}
    values = _means(columns, means, groups) if means else {}
    for name, statistic in statistics.items():
        if name in means:
            continue
        function = aggregate(statistic.function, len(statistic.columns))
        table = np.stack([columns[column] for column in statistic.columns], axis=1)
        whole = float(function(table, np.ones((1, len(table))))[0])
        if math.isnan(whole):
            return None
        values[name] = _value(whole, bootstrap(function, table, groups))
    return {name: values[name] for name in statistics}


def _means(columns: Columns, names: Mapping[str, str], groups: Sequence[str]) -> dict[str, Value]:
    """All means at once: a draw is a sum over groups."""
    table = np.stack([columns[column] for column in names.values()], axis=1)
    draws = cluster_bootstrap(table, groups)
    return {name: _value(float(table[:, i].mean()), draws[:, i]) for i, name in enumerate(names)}


def slices(
    columns: Columns,
    statistics: Mapping[str, Statistic],
    groups: Sequence[str],
    names: Sequence[str],
) -> tuple[Slice, ...]:
    """The same for each slice, the largest first; one where a number has no value is left out."""
    labels = np.asarray(names, dtype=object).astype(str)
    found, counts = np.unique(labels, return_counts=True)
    if len(found) < 2:
        return ()
    out = []
    for at in np.argsort(-counts, kind="stable"):
        rows = np.flatnonzero(labels == found[at])
        part = {name: column[rows] for name, column in columns.items()}
        values = summary(part, statistics, [groups[row] for row in rows.tolist()])
        if values is not None:
            out.append(Slice(str(found[at]), len(rows), values))
    return tuple(out)


def _value(value: float, draws: NDArray[np.float64]) -> Value:
    return Value(*(v if math.isfinite(v) else None for v in (value, *interval(draws))))


def _stored(
    columns: Columns, statistics: Mapping[str, Statistic]
) -> dict[str, tuple[float | None, ...]]:
    """Columns as JSON holds them: whole numbers short, None for infinite.

    Six decimals where a mean or a median is taken; scores whole, for rounding would tie them.
    """
    scores = {c for s in statistics.values() if s.function not in ONE_COLUMN for c in s.columns}
    return {
        name: tuple(_short(v, None if name in scores else 6) for v in column.tolist())
        for name, column in columns.items()
    }


def _short(value: float, digits: int | None) -> float | None:
    if math.isinf(value):
        return None
    if value == int(value):
        return int(value)
    return value if digits is None else round(value, digits)
