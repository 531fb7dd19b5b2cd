import numpy as np
import pytest

import coordi.ranking.rankings as rankings_module
from coordi.data.collection import Trial
from coordi.errors import InputError
from coordi.ranking.metrics import (
    average_precision_at_r,
    found_rank,
    hit_at,
    ndcg_at,
    reciprocal_rank,
)
from coordi.ranking.rankings import joined, rank, rank_chunks
from coordi.ranking.truth import truth_of
from worlds import slow_average_precision_at_r, slow_ranking, vectors_with_ties, world

RULES = [
    {"match": "item"},
    {"match": "item", "apart": "group"},
    {"match": "color", "within": "category"},
    {"match": "category", "apart": "group"},
    {"match": "item", "apart": "group", "within": "category"},
]


def vectors_of(collection, seed=0):
    trial = collection.test
    queries = vectors_with_ties(len(trial.query), seed)
    gallery = vectors_with_ties(len(trial.gallery), seed + 1)
    queries[3] = 0  # unreadable
    gallery[[2, 5]] = 0
    return queries, gallery


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize(("block", "chunk", "depth"), [(1 << 24, 512, 100), (40, 4, 5), (1, 3, 1)])
def test_rankings_equal_a_slow_loop_whatever_the_blocks(monkeypatch, rules, block, chunk, depth):
    monkeypatch.setattr(rankings_module, "BLOCK", block)
    collection = world(1, **rules)
    queries, gallery = vectors_of(collection)
    got = rank(truth_of(collection, collection.test), queries, gallery, depth=depth, chunk=chunk)
    assert got.query.tolist() == list(range(len(queries)))
    for at in range(len(queries)):
        order, right, answers = slow_ranking(collection, collection.test, queries, gallery, at)
        filled = got.ranked[at] >= 0
        assert got.ranked[at][filled].tolist() == order[:depth]
        assert got.relevant[at][filled].tolist() == right[:depth]
        assert not got.relevant[at][~filled].any()
        assert got.answers[at] == answers
        assert got.first[at] == (right.index(True) + 1 if True in right else 0)


@pytest.mark.parametrize("rules", RULES)
def test_metrics_equal_a_slow_loop_to_the_bit(rules):
    collection = world(2, **rules)
    queries, gallery = vectors_of(collection)
    parts = list(
        rank_chunks(truth_of(collection, collection.test), queries, gallery, depth=10, chunk=5)
    )
    got = joined(parts, max(part.ranked.shape[1] for part in parts))
    for at in range(len(queries)):
        _, right, answers = slow_ranking(collection, collection.test, queries, gallery, at)
        first = right.index(True) + 1 if True in right else 0
        assert [hit_at(got, k)[at] for k in (1, 5, 10)] == [any(right[:k]) for k in (1, 5, 10)]
        assert reciprocal_rank(got)[at] == (1 / first if first else 0)
        assert found_rank(got)[at] == (first or np.inf)
        assert average_precision_at_r(got)[at] == slow_average_precision_at_r(right, answers)
        ideal = sum(1 / np.log2(i + 2) for i in range(min(answers, 10)))
        gained = sum(1 / np.log2(i + 2) for i, hit in enumerate(right[:10]) if hit)
        assert ndcg_at(got, 10)[at] == pytest.approx(gained / ideal if answers else 0, rel=1e-14)


def test_metrics_agree_with_scikit_learn():
    from sklearn.metrics import average_precision_score, ndcg_score

    collection = world(3, match="category", overlap=0, gallery=80)
    trial = collection.test
    queries, gallery = (
        vectors_with_ties(len(trial.query), 5),
        vectors_with_ties(len(trial.gallery), 6),
    )
    got = rank(truth_of(collection, trial), queries, gallery, depth=len(trial.gallery))
    falling = -np.arange(len(trial.gallery))  # ties are settled: a rank each
    checked = 0
    for at in np.flatnonzero(got.answers > 0):
        right, answers = got.relevant[at], int(got.answers[at])
        expected = ndcg_score([right.astype(int)], [falling], k=10)
        assert ndcg_at(got, 10)[at] == pytest.approx(expected, rel=1e-12)
        top = right[:answers]
        if top.any():
            share = top.sum() / answers  # scikit-learn divides by the answers that it was shown
            expected = average_precision_score(top, falling[:answers]) * share
            assert average_precision_at_r(got)[at] == pytest.approx(expected, rel=1e-12)
            checked += 1
    assert checked > 10


def test_map_at_r_refuses_a_ranking_that_is_too_short():
    collection = world(4, match="category")
    queries, gallery = vectors_of(collection)
    short = rank(truth_of(collection, collection.test), queries, gallery, depth=3)
    with pytest.raises(InputError, match="3 are there"):
        average_precision_at_r(short)


def test_a_memory_map_gives_the_same(tmp_path):
    collection = world(5)
    queries, gallery = vectors_of(collection)
    np.save(tmp_path / "gallery.npy", gallery)
    mapped = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    a = rank(truth_of(collection, collection.test), queries, gallery)
    b = rank(truth_of(collection, collection.test), queries, mapped)
    np.testing.assert_array_equal(a.ranked, b.ranked)
    np.testing.assert_array_equal(a.scores, b.scores)


def test_odd_trials():
    collection = world(6)
    queries, gallery = vectors_of(collection)
    with pytest.raises(InputError, match="do not fit"):
        rank(truth_of(collection, collection.test), queries[1:], gallery)
    nobody = Trial(collection.test.query[:0], collection.test.gallery)
    with pytest.raises(InputError, match="no query"):
        rank(truth_of(collection, nobody), queries[:0], gallery)
    empty = Trial(collection.test.query, collection.test.gallery[:0])
    none = rank(truth_of(collection, empty), queries, gallery[:0])
    assert (none.ranked == -1).all()
    assert not none.first.any()
    assert not none.answers.any()
