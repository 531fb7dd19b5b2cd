import numpy as np
import pytest

from coordi.errors import InputError
from coordi.ranking import intervals
from coordi.ranking.aggregates import median
from coordi.ranking.intervals import bootstrap, cluster_bootstrap, interval


def test_draws_equal_a_slow_loop(monkeypatch):
    monkeypatch.setattr(intervals, "_CELLS", 100)  # several steps
    rng = np.random.default_rng(0)
    values, groups = rng.random((17, 2)), [f"g{n}" for n in rng.integers(5, size=17)]
    names = sorted(set(groups))
    drawn = np.random.default_rng(3)
    expected, medians = [], []
    step = 100 // len(names)
    for start in range(0, 50, step):
        for picks in drawn.integers(len(names), size=(min(step, 50 - start), len(names))):
            rows = [i for p in picks for i, g in enumerate(groups) if g == names[p]]
            expected.append(values[rows].mean(axis=0))
    np.testing.assert_allclose(
        cluster_bootstrap(values, groups, rounds=50, seed=3), expected, rtol=1e-12
    )
    drawn, step = np.random.default_rng(3), 100 // len(values)
    for start in range(0, 50, step):
        for picks in drawn.integers(len(names), size=(min(step, 50 - start), len(names))):
            rows = [i for p in picks for i, g in enumerate(groups) if g == names[p]]
            ordered = sorted(values[rows, 0])
            medians.append(ordered[(len(ordered) - 1) // 2])
    got = bootstrap(median, values[:, :1], groups, rounds=50, seed=3)
    np.testing.assert_array_equal(got, medians)


def test_queries_that_repeat_each_other_do_not_narrow_the_interval():
    rng = np.random.default_rng(1)
    once = rng.random((40, 1))
    garments = [str(n) for n in range(40)]
    narrow = interval(
        cluster_bootstrap(np.repeat(once, 25, axis=0), [str(n) for n in range(1000)])[:, 0]
    )
    honest = interval(
        cluster_bootstrap(np.repeat(once, 25, axis=0), np.repeat(garments, 25).tolist())[:, 0]
    )
    alone = interval(cluster_bootstrap(once, garments)[:, 0])
    assert honest == pytest.approx(alone)
    assert narrow[1] - narrow[0] < 0.4 * (honest[1] - honest[0])


def test_an_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    held = 0
    for seed in range(200):
        low, high = interval(
            cluster_bootstrap(
                rng.random((60, 1)), [str(n) for n in range(60)], rounds=300, seed=seed
            )[:, 0]
        )
        held += low <= 0.5 <= high
    assert 0.88 <= held / 200 <= 0.99


def test_no_query():
    with pytest.raises(InputError, match="no query"):
        cluster_bootstrap(np.empty((0, 1)), [])
