"""From rankings to the columns of retrieval: every metric per query."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np

from coordi.evaluation import chance
from coordi.evaluation.benchmark import Columns
from coordi.evaluation.protocols import Protocol
from coordi.ranking.metrics import (
    average_precision_at_r,
    found_rank,
    hit_at,
    ndcg_at,
    reciprocal_rank,
)
from coordi.ranking.rankings import Rankings, joined
from coordi.ranking.truth import Truth

MEDIAN = "median rank"
CATEGORY_ONLY = "category-only"
"""The control that looks at no picture."""
SHOWN = 8
"""Ranks that are kept for the examples."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Metrics of every query of a trial (q,), in its order, and the top of their rankings."""

    columns: Columns
    top: Rankings


def measure(chunks: Iterable[Rankings], protocol: Protocol) -> Ranked:
    """Take the metrics of each chunk and keep `SHOWN` ranks of it."""
    tops: list[Rankings] = []
    parts: list[Columns] = []
    for rankings in chunks:
        parts.append(metrics_of(rankings, protocol))
        tops.append(joined([rankings], SHOWN))
    order = np.argsort(np.concatenate([top.query for top in tops]), kind="stable")
    columns = {name: np.concatenate([p[name] for p in parts])[order] for name in parts[0]}
    return Ranked(columns, joined(tops, SHOWN))


def names_of(protocol: Protocol) -> tuple[str, ...]:
    """The metrics of a protocol, in the order of tables."""
    hits = (f"R@{k}" for k in protocol.ks)
    return (*hits, "mAP@R", "MRR", f"NDCG@{protocol.ndcg}", MEDIAN)


def metrics_of(rankings: Rankings, protocol: Protocol) -> Columns:
    """Every metric of a protocol, per query."""
    values = (
        *(hit_at(rankings, k) for k in protocol.ks),
        average_precision_at_r(rankings),
        reciprocal_rank(rankings),
        ndcg_at(rankings, protocol.ndcg),
        found_rank(rankings),
    )
    return dict(zip(names_of(protocol), values, strict=True))


def category_only(truth: Truth, protocol: Protocol) -> Columns:
    """What ranking by category alone would score, in expectation; see chance.py."""
    own, own_answers = truth.same_category()
    cases = np.stack([own, own_answers, truth.candidates(), truth.answers()], axis=1)
    kinds, case = np.unique(cases, axis=0, return_inverse=True)
    both = [chance.shelves(*map(int, kind)) for kind in kinds]

    scores: tuple[Callable[[tuple[chance.Shelf, chance.Shelf]], float], ...] = (
        *(partial(chance.expected_hit, k=k) for k in protocol.ks),
        chance.expected_average_precision,
        chance.expected_reciprocal_rank,
        partial(chance.expected_ndcg, k=protocol.ndcg),
        chance.expected_rank,
    )
    columns = (np.array([score(pair) for pair in both])[case.ravel()] for score in scores)
    return dict(zip(names_of(protocol), columns, strict=True))


def extremes(ranked: Ranked, count: int) -> tuple[list[int], list[int]]:
    """The `count` best and worst of the queries; equals in a seeded random order."""
    shuffled = np.random.default_rng(0).permutation(len(ranked.top))
    rank, precision = ranked.columns[MEDIAN][shuffled], ranked.columns["mAP@R"][shuffled]
    order = shuffled[np.lexsort((-precision, rank))]
    best = order[: min(count, (len(order) + 1) // 2)]
    worst = order[len(best) :][::-1][:count]
    return best.tolist(), worst.tolist()
