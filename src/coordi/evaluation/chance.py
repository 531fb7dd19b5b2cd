"""What knowing the category alone would score: expectations over random orders, exactly.

The control ranks a query's own category first, in random order, then all others in random order.
Nothing is drawn: means over all orders follow from hypergeometric probabilities.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shelf:
    """Candidates in random order, behind `before` others of which `met` are answers."""

    before: int
    met: int
    size: int
    answers: int


def shelves(own: int, own_answers: int, candidates: int, answers: int) -> tuple[Shelf, Shelf]:
    """The query's own category, then the rest."""
    rest = Shelf(own, own_answers, candidates - own, answers - own_answers)
    return Shelf(0, 0, own, own_answers), rest


def no_answer(size: int, answers: int, longest: int) -> Floats:
    """Probability that the first j of a shelf hold no answer, for j = 0 … min(size, longest)."""
    drawn = np.arange(min(size, longest))
    factors = np.maximum(size - answers - drawn, 0) / (size - drawn)
    return np.concatenate([[1.0], np.cumprod(factors)])


def expected_hit(both: tuple[Shelf, Shelf], k: int) -> float:
    """Expected R@k of one query."""
    none = 1.0
    for shelf in both:
        reached = min(max(k - shelf.before, 0), shelf.size)
        none *= no_answer(shelf.size, shelf.answers, reached)[-1]
    return float(1 - none)


def expected_reciprocal_rank(both: tuple[Shelf, Shelf]) -> float:
    """Expected 1 / rank of the first answer."""
    shelf = next((s for s in both if s.answers > 0), None)
    if shelf is None:
        return 0.0
    still = no_answer(shelf.size, shelf.answers, shelf.size)
    ranks = shelf.before + np.arange(1, shelf.size + 1)
    return float(((still[:-1] - still[1:]) / ranks).sum())


def expected_rank(both: tuple[Shelf, Shelf]) -> float:
    """Expected rank of the first answer; infinite where there is none."""
    shelf = next((s for s in both if s.answers > 0), None)
    if shelf is None:
        return float("inf")
    return shelf.before + (shelf.size + 1) / (shelf.answers + 1)


def expected_ndcg(both: tuple[Shelf, Shelf], k: int) -> float:
    """Expected NDCG@k."""
    discounts = 1 / np.log2(np.arange(2, k + 2))
    gained = (_shares(both, k) * discounts).sum()
    return float(gained / discounts[: max(1, min(k, sum(s.answers for s in both)))].sum())


def expected_average_precision(both: tuple[Shelf, Shelf]) -> float:
    """Expected AP@R: E[rel_i · Σ_{j ≤ i} rel_j] / i, added over i ≤ R and divided by R."""
    total = sum(shelf.answers for shelf in both)
    if total == 0:
        return 0.0
    value = 0.0
    for shelf in both:
        within = np.arange(1, min(shelf.size, total - shelf.before) + 1)
        if shelf.answers == 0 or len(within) == 0:
            continue
        share = shelf.answers / shelf.size
        # another answer before it on the same shelf; size 1 leaves no room for one
        other = (shelf.answers - 1) / max(shelf.size - 1, 1)
        found = share * (1 + shelf.met + (within - 1) * other)
        value += float((found / (shelf.before + within)).sum())
    return value / total


def _shares(both: tuple[Shelf, Shelf], k: int) -> Floats:
    """Probability that each of the first `k` ranks holds an answer."""
    out = np.zeros(k)
    for shelf in both:
        if shelf.size:
            out[shelf.before : shelf.before + shelf.size] = shelf.answers / shelf.size
    return out
