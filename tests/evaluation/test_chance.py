"""Expectations in closed form against the mean over every possible order."""

from itertools import permutations

import numpy as np
import pytest

from coordi.evaluation import chance
from coordi.evaluation.measure import category_only
from coordi.evaluation.protocols import Protocol
from coordi.ranking.truth import truth_of
from worlds import slow_average_precision_at_r, slow_ranking, world

SHELVES = [(4, 2, 7, 3), (3, 0, 6, 2), (0, 0, 5, 2), (5, 1, 5, 1), (2, 2, 6, 3), (1, 1, 4, 2)]


def orders(own, own_answers, candidates, answers):
    """Every ranking that puts the own shelf first, as lists of whether an answer stands there."""
    first = [i < own_answers for i in range(own)]
    second = [i < answers - own_answers for i in range(candidates - own)]
    return [a + b for a in permutations(first) for b in permutations(second)]


@pytest.mark.parametrize("case", SHELVES)
def test_expectations_equal_the_mean_over_all_orders(case):
    both, every, answers = chance.shelves(*case), orders(*case), case[3]

    def mean(score):
        return float(np.mean([score(order) for order in every]))

    for k in (1, 2, 4, 10):
        assert chance.expected_hit(both, k) == pytest.approx(mean(lambda o, k=k: any(o[:k])))
        discounts = 1 / np.log2(np.arange(2, k + 2))
        ideal = discounts[: min(k, answers)].sum()
        expected = mean(
            lambda o, d=discounts: sum(d[i] for i, hit in enumerate(o[: len(d)]) if hit)
        )
        assert chance.expected_ndcg(both, k) == pytest.approx(expected / ideal)
    assert chance.expected_reciprocal_rank(both) == pytest.approx(
        mean(lambda o: 1 / (o.index(True) + 1))
    )
    assert chance.expected_rank(both) == pytest.approx(mean(lambda o: o.index(True) + 1))
    assert chance.expected_average_precision(both) == pytest.approx(
        mean(lambda o: slow_average_precision_at_r(o, answers))
    )


def test_nothing_to_find():
    both = chance.shelves(2, 0, 5, 0)
    assert chance.expected_hit(both, 3) == 0
    assert chance.expected_reciprocal_rank(both) == 0
    assert chance.expected_average_precision(both) == 0
    assert chance.expected_rank(both) == float("inf")


@pytest.mark.parametrize("apart", ["photo", "group"])
def test_the_control_counts_what_a_slow_loop_counts(apart):
    collection = world(7, apart=apart)
    truth, photos, trial = truth_of(collection, collection.test), collection.photos, collection.test
    size = len(trial.query), len(trial.gallery)
    ones = [np.ones((n, 2), np.float32) for n in size]
    own, own_answers = truth.same_category()
    for at in range(size[0]):
        order, right, answers = slow_ranking(collection, trial, *ones, at)
        same = [
            photos[trial.gallery[p]].category == photos[trial.query[at]].category for p in order
        ]
        assert truth.candidates()[at] == len(order)
        assert truth.answers()[at] == answers
        assert own[at] == sum(same)
        assert own_answers[at] == sum(a and b for a, b in zip(same, right, strict=True))
    columns = category_only(truth, Protocol((1, 5)))
    assert set(columns) == {"R@1", "R@5", "mAP@R", "MRR", "NDCG@10", "median rank"}
    assert ((columns["R@1"] >= 0) & (columns["R@1"] <= columns["R@5"])).all()
