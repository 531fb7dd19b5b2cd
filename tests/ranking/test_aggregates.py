"""Functions over units against scikit-learn on units that are repeated as often as drawn."""

import numpy as np
import pytest
from sklearn import metrics

from coordi.errors import InputError, UnknownNameError
from coordi.ranking.aggregates import AGGREGATES, aggregate
from coordi.ranking.intervals import bootstrap, interval

SLOW = {
    "mean": lambda a, b: a.mean(),
    "median": lambda a, b: np.sort(a)[(len(a) - 1) // 2],
    "roc_auc": lambda a, b: metrics.roc_auc_score(b % 2, a),
    "macro_mean": lambda a, b: np.mean([a[b == code].mean() for code in np.unique(b)]),
    "purity": lambda a, b: sum(np.bincount(b[a == c].astype(int)).max() for c in set(a)) / len(a),
    "nmi": lambda a, b: metrics.normalized_mutual_info_score(b, a),
}


@pytest.mark.parametrize("name", AGGREGATES)
def test_a_function_of_drawn_units_is_that_of_the_units_repeated(name):
    rng = np.random.default_rng(0)
    columns = np.stack([rng.integers(5, size=40), rng.integers(3, size=40)], 1).astype(float)
    weights = rng.integers(4, size=(20, 40)).astype(float)
    given = columns if name != "roc_auc" else np.stack([columns[:, 0], columns[:, 1] % 2], 1)
    got = AGGREGATES[name](given, weights)
    for row, value in zip(weights, got, strict=True):
        drawn = np.repeat(columns, row.astype(int), axis=0)
        assert value == pytest.approx(SLOW[name](*drawn.T), abs=1e-12)


def test_auc_counts_pairs_and_has_no_value_where_one_truth_was_drawn():
    rng = np.random.default_rng(1)
    columns = np.stack([rng.integers(6, size=30), rng.integers(2, size=30)], 1).astype(float)
    right, wrong = (columns[columns[:, 1] == truth, 0] for truth in (1, 0))
    wins = [(a > b) + 0.5 * (a == b) for a in right for b in wrong]
    assert AGGREGATES["roc_auc"](columns, np.ones((1, 30)))[0] == pytest.approx(np.mean(wins))
    alone = AGGREGATES["roc_auc"](columns, columns[None, :, 1])
    assert np.isnan(alone).all()


def test_the_bootstrap_computes_a_function_anew_and_passes_over_draws_without_value():
    columns = np.array([[0.1, 0], [0.9, 1], [0.4, 0], [0.3, 1]])
    draws = bootstrap(AGGREGATES["roc_auc"], columns, ["a", "b", "c", "c"], rounds=200, seed=2)
    picks = np.random.default_rng(2).integers(3, size=(200, 3))
    groups = ([0], [1], [2, 3])
    for value, pick in zip(draws, picks, strict=True):
        score, truth = columns[[row for at in pick for row in groups[at]]].T
        expected = metrics.roc_auc_score(truth, score) if 0 < truth.sum() < len(truth) else np.nan
        assert value == pytest.approx(expected, nan_ok=True)
    assert np.isnan(draws).any()
    assert 0 <= interval(draws)[0] < interval(draws)[1] <= 1


def test_one_cluster_and_one_label_agree():
    same = np.zeros((5, 2))
    assert AGGREGATES["nmi"](same, np.ones((1, 5)))[0] == 1
    assert AGGREGATES["purity"](same, np.ones((1, 5)))[0] == 1


def test_an_unknown_function_lists_the_known():
    with pytest.raises(UnknownNameError, match="roc_auc"):
        aggregate("roc", 2)
    with pytest.raises(InputError, match="roc_auc takes 2 columns, not 1"):
        aggregate("roc_auc", 1)
