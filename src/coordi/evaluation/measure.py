"""From rankings to numbers: per query, per category, together."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from coordi.evaluation import chance
from coordi.evaluation.protocols import Protocol
from coordi.evaluation.report import Slice, Value
from coordi.ranking.intervals import cluster_bootstrap, interval, median_bootstrap
from coordi.ranking.metrics import (
    average_precision_at_r,
    found_rank,
    hit_at,
    ndcg_at,
    reciprocal_rank,
)
from coordi.ranking.rankings import Positions, Rankings, joined
from coordi.ranking.truth import Truth

MEDIAN = "median rank"
CATEGORY_ONLY = "category-only"
"""The control that looks at no picture."""
SHOWN = 8
"""Ranks that are kept for the examples."""

Columns = dict[str, NDArray[np.float64]]
"""Metric → its value per query (q,)."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Numbers of every query of a trial, in its order, and the top of their rankings."""

    columns: Columns
    top: Rankings


def measure(chunks: Iterable[Rankings], protocol: Protocol) -> Measured:
    """Take the metrics of each chunk and keep `SHOWN` ranks of it."""
    tops: list[Rankings] = []
    parts: list[Columns] = []
    for rankings in chunks:
        parts.append(metrics_of(rankings, protocol))
        tops.append(joined([rankings], SHOWN))
    order = np.argsort(np.concatenate([top.query for top in tops]), kind="stable")
    columns = {name: np.concatenate([p[name] for p in parts])[order] for name in parts[0]}
    return Measured(columns, joined(tops, SHOWN))


def metrics_of(rankings: Rankings, protocol: Protocol) -> Columns:
    """Every metric of a protocol, per query."""
    hits = {f"R@{k}": hit_at(rankings, k) for k in protocol.ks}
    return hits | {
        "mAP@R": average_precision_at_r(rankings),
        "MRR": reciprocal_rank(rankings),
        f"NDCG@{protocol.ndcg}": ndcg_at(rankings, protocol.ndcg),
        MEDIAN: found_rank(rankings),
    }


def category_only(truth: Truth, protocol: Protocol) -> Columns:
    """What ranking by category alone would score, in expectation; see chance.py."""
    own, own_answers = truth.same_category()
    cases = np.stack([own, own_answers, truth.candidates(), truth.answers()], axis=1)
    kinds, case = np.unique(cases, axis=0, return_inverse=True)
    both = [chance.shelves(*map(int, kind)) for kind in kinds]

    def column(score: Callable[[tuple[chance.Shelf, chance.Shelf]], float]) -> NDArray[np.float64]:
        return np.array([score(pair) for pair in both])[case.ravel()]

    hits = {f"R@{k}": column(partial(chance.expected_hit, k=k)) for k in protocol.ks}
    return hits | {
        "mAP@R": column(chance.expected_average_precision),
        "MRR": column(chance.expected_reciprocal_rank),
        f"NDCG@{protocol.ndcg}": column(partial(chance.expected_ndcg, k=protocol.ndcg)),
        MEDIAN: column(chance.expected_rank),
    }


def summary(columns: Columns, groups: Sequence[str]) -> dict[str, Value]:
    """Means (a median for ranks) with 95% intervals over draws of groups."""
    names = [name for name in columns if name != MEDIAN]
    table = np.stack([columns[name] for name in names], axis=1)
    draws = cluster_bootstrap(table, groups)
    out = {
        name: Value(float(table[:, i].mean()), *interval(draws[:, i]))
        for i, name in enumerate(names)
    }
    ranks = columns[MEDIAN]
    middle = float(np.sort(ranks)[(len(ranks) - 1) // 2])
    low, high = interval(median_bootstrap(ranks, groups))
    return out | {MEDIAN: Value(_finite(middle), _finite(low), _finite(high))}


def slices(columns: Columns, groups: Sequence[str], categories: Sequence[str]) -> tuple[Slice, ...]:
    """The same per category of the query, the largest first."""
    labels = np.asarray(categories, dtype=object).astype(str)
    names, counts = np.unique(labels, return_counts=True)
    if len(names) < 2:
        return ()
    out = []
    for at in np.argsort(-counts, kind="stable"):
        rows = np.flatnonzero(labels == names[at])
        part = {name: column[rows] for name, column in columns.items()}
        values = summary(part, [groups[row] for row in rows.tolist()])
        out.append(Slice(str(names[at]), len(rows), values))
    return tuple(out)


def per_query(columns: Columns) -> Mapping[str, tuple[float | None, ...]]:
    """Columns as JSON holds them: six decimals, whole numbers short, None for infinite."""
    return {name: tuple(map(_short, column.tolist())) for name, column in columns.items()}


def extremes(measured: Measured, rows: Positions, count: int) -> tuple[list[int], list[int]]:
    """The `count` best and worst of the queries `rows`; equals in a seeded random order."""
    shuffled = np.random.default_rng(0).permutation(rows)
    rank, precision = measured.columns[MEDIAN][shuffled], measured.columns["mAP@R"][shuffled]
    order = shuffled[np.lexsort((-precision, rank))]
    best = order[: min(count, (len(order) + 1) // 2)]
    worst = order[len(best) :][::-1][:count]
    return best.tolist(), worst.tolist()


def _short(value: float) -> float | None:
    if math.isinf(value):
        return None
    return int(value) if value == int(value) else round(value, 6)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
