"""R@1 against a loop over photos: ties, barred and unreadable ones, a re-ranker's last word."""

from typing import Any

import numpy as np
import pytest

from coordi.data.collection import Collection, Trial, group_of, key_of
from coordi.geometry import similarities
from coordi.ranking import metrics, rankings
from coordi.ranking.metrics import RecallAt1
from coordi.types import ImageRef, Photo


def collection(count: int = 40, seed: int = 0) -> Collection:
    rng = np.random.default_rng(seed)
    photos = tuple(
        Photo(
            f"p{number // 2 if number < 6 else number}",  # some photos stand there twice
            ImageRef(data=b"x"),
            item=rng.choice(["", "a", "b", "c", "d", "e"]),
            category=rng.choice(["dress", "shirt"]),
            attributes={"color": "red"} if rng.random() < 0.5 else {},
            group=rng.choice(["", "g", "h", "i"]),
        )
        for number in range(count)
    )
    return Collection("random", photos, np.empty(0, np.int64), Trial(np.arange(2), np.arange(2)))


def vectors(count: int = 40, seed: int = 1) -> np.ndarray:
    """Rows of few different kinds, so that many scores are the same."""
    kinds = np.random.default_rng(seed).normal(size=(6, 5)).astype(np.float32)
    kinds /= np.linalg.norm(kinds, axis=1, keepdims=True)
    return kinds[np.random.default_rng(seed).integers(0, 6, count)]


def slow_recall(collection: Collection, trial: Trial, scores: np.ndarray) -> float:
    """The trial's definition, photo by photo."""
    hits = 0
    for query in trial.query:
        best, found = -np.inf, None
        one = collection.photos[query]
        for row in trial.gallery:
            other = collection.photos[row]
            same = (
                one.id == other.id if trial.apart == "photo" else group_of(one) == group_of(other)
            )
            if same or (trial.within == "category" and one.category != other.category):
                continue
            if scores[query, row] > best:
                best, found = scores[query, row], other
        key = key_of(one, trial.match)
        hits += found is not None and key != "" and key_of(found, trial.match) == key
    return hits / len(trial.query)


@pytest.mark.parametrize("match", ["item", "category", "color"])
@pytest.mark.parametrize("apart", ["photo", "group"])
@pytest.mark.parametrize("within", ["all", "category"])
def test_recall_is_what_a_slow_loop_finds(match: str, apart: Any, within: Any) -> None:
    photos, rows = collection(), vectors()
    gallery = np.random.default_rng(1).permutation(40)[:25]
    trial = Trial(np.arange(0, 40, 2), gallery, match, apart, within)
    expected = slow_recall(photos, trial, rows @ rows.T)
    assert 0 < expected <= 1
    assert RecallAt1(photos, trial)(rows) == pytest.approx(expected)


def test_a_query_without_candidates_is_a_miss() -> None:
    trial = Trial(np.array([7]), np.array([7]), "category")
    assert RecallAt1(collection(), trial)(vectors()) == 0
    nobody = Trial(np.array([], np.int64), np.array([7]))
    assert RecallAt1(collection(), nobody)(vectors()) == 0


def test_barred_and_unreadable_photos_take_no_place_of_a_reranker() -> None:
    """What nobody can read is never scored; the re-ranker decides among the rest."""
    photos = collection(120, 3)
    answer = next(n for n in range(6, 120) if photos.photos[n].item == "a")
    query = next(n for n in range(answer + 1, 120) if photos.photos[n].item == "a")
    gallery = np.array([n for n in range(6, 120) if photos.photos[n].item != "a" or n == answer])
    unread = gallery[gallery != answer][:30]
    rows = np.zeros((120, 3), np.float32)
    rows[:, 0], rows[:, 1] = 0.6, 0.8
    rows[answer] = (0.8, 0.6, 0)
    rows[query] = (1, 0, 0)
    rows[unread] = 0
    trial = Trial(np.array([query]), gallery)
    asked: list[np.ndarray] = []

    def score(_: np.ndarray, items: np.ndarray) -> np.ndarray:
        asked.append(items)
        return (items[:, 1] > 0.7).astype(np.float32)  # whatever is not the answer

    assert RecallAt1(photos, trial)(rows) == 1
    assert RecallAt1(photos, trial)(rows, score) == 0
    assert RecallAt1(photos, trial)(rows, lambda q, items: -score(q, items)) == 1
    assert all(items.any(1).all() for items in asked)
    rows[query] = 0
    assert RecallAt1(photos, trial)(rows, score) == 0


def test_a_trial_that_is_asked_many_times_reads_its_labels_once(monkeypatch) -> None:
    photos, gallery = collection(), np.random.default_rng(1).permutation(40)[:25]
    trial = Trial(np.arange(0, 40, 2), gallery)
    ask = RecallAt1(photos, trial)
    monkeypatch.setattr(metrics, "truth_of", None)
    walks = []

    def counted(queries: np.ndarray, found: np.ndarray) -> np.ndarray:
        walks.append(len(found))
        return similarities(queries, found)

    monkeypatch.setattr(rankings, "similarities", counted)
    for seed in (1, 2, 3):
        rows = vectors(seed=seed)
        assert ask(rows) == pytest.approx(slow_recall(photos, trial, rows @ rows.T))
    assert walks == [25, 25, 25]  # once each: nobody asked at which rank an answer stood
