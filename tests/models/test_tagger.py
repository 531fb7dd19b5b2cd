"""Probes and taggers: what they learn, how sure they are, and their file."""

import numpy as np
import pytest

from coordi.errors import FingerprintError, InputError, NotFoundError
from coordi.geometry import unit_rows
from coordi.models.tagger.probe import PRECISION, Probe, class_means, fit, lineage, softmax
from coordi.models.tagger.tagger import Seen, Tagger, load
from coordi.models.tagger.zeroshot import by_words
from fakes import ColorHistogram

KINDS = ("heels", "sandals", "shirt")


def world(count=300, noise=0.6, seed=0):
    """Unit rows around three directions → features and labels."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, 3, count)
    rows = np.eye(8, dtype=np.float32)[numbers] + noise * rng.normal(size=(count, 8))
    return unit_rows(rows.astype(np.float32)), [KINDS[n] for n in numbers]


def numbers_of(probe, labels):
    return np.array([probe.classes.index(label) for label in labels])


@pytest.fixture(scope="module")
def probe():
    held = world(400, seed=2)
    found = fit("category", *world(), penalty=1e-3)
    return found.calibrated(held[0], numbers_of(found, held[1]))


def test_a_probe_learns_and_beats_a_guess(probe):
    features, labels = world(seed=1)
    right = probe.probabilities(features).argmax(1) == numbers_of(probe, labels)
    assert right.mean() > 0.6
    means = class_means("category", features, labels)
    assert (means.probabilities(features).argmax(1) == numbers_of(means, labels)).mean() > 0.6


def test_probabilities_are_calibrated_and_tags_as_right_as_asked(probe):
    features, labels = world(3000, seed=3)
    shares = probe.probabilities(features)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
    right = shares.argmax(1) == numbers_of(probe, labels)
    assert abs(shares.max(1).mean() - right.mean()) < 0.06
    assert probe.confidence is not None
    assert probe.held_out.precision >= PRECISION
    assert probe.quality(features, numbers_of(probe, labels)).precision > PRECISION - 0.05


def test_no_tag_where_nothing_is_sure_enough():
    rng = np.random.default_rng(0)
    features = unit_rows(rng.normal(size=(200, 8)).astype(np.float32))
    labels = [KINDS[n] for n in rng.integers(0, 3, 200)]
    lost = fit("gender", features, labels)
    held = unit_rows(rng.normal(size=(200, 8)).astype(np.float32))
    lost = lost.calibrated(held, rng.integers(0, 3, 200))
    assert lost.confidence is None
    assert lost.tags(held) == [None] * 200


def slow_tag(probe, shares):
    """The likeliest class, or the nearest of what it is a kind of that is sure enough."""
    for name in lineage(probe.attribute, probe.classes[int(shares.argmax())]):
        total = sum(
            share
            for share, known in zip(shares, probe.classes, strict=True)
            if name in lineage(probe.attribute, known)
        )
        if total >= probe.confidence:
            return name
    return None


def test_tags_are_those_of_a_slow_loop(probe):
    features, _ = world(200, noise=0.9, seed=4)
    tags = probe.tags(features)
    slow = [slow_tag(probe, shares) for shares in probe.probabilities(features)]
    assert [tag.value if tag else None for tag in tags] == slow
    assert {"shoes", None} <= set(slow), "heels or sandals, not sure which, are shoes"


def test_the_slope_is_that_of_the_loss():
    features, labels = world(60)
    found = fit("category", features, labels, penalty=1e-2, balance=0.0)
    numbers = numbers_of(found, labels)

    def loss(weights, bias):
        shares = softmax(features @ weights + bias)
        return -np.log(shares[np.arange(60), numbers]).mean() + 0.005 * (weights**2).sum()

    least = loss(found.weights, found.bias)
    rng = np.random.default_rng(0)
    for _ in range(20):
        step = rng.normal(size=found.weights.shape) * 0.1
        assert loss(found.weights + step, found.bias) > least


def test_a_tagger_comes_back_from_its_file(probe, tmp_path):
    tagger = Tagger("f" * 16, (probe,), "packaged")
    tagger.save(tmp_path / "tagger.npz")
    again = load(tmp_path / "tagger.npz")
    assert again.mark == tagger.mark
    assert (again.encoder, again.origin) == (tagger.encoder, "packaged")
    features, _ = world(50, seed=5)
    seen = Seen(features, None, [None] * 50)
    was = [{k: tag.value for k, tag in one.items()} for one in tagger.tags(seen)]
    now = [{k: tag.value for k, tag in one.items()} for one in again.tags(seen)]
    assert was == now
    assert again.joined((probe,), "learned").mark != tagger.mark


def test_a_damaged_file_and_a_missing_one_say_what_to_do(tmp_path):
    with pytest.raises(NotFoundError):
        load(tmp_path / "none.npz")
    path = tmp_path / "tagger.npz"
    path.write_bytes(b"PK\x03\x04 half an archive")
    with pytest.raises(InputError, match=r"coordi tag --learn"):
        load(path)


def test_another_encoders_tagger_is_refused(probe):
    with pytest.raises(FingerprintError, match="--learn"):
        Tagger("a" * 16, (probe,), "packaged").check("b" * 16, "other")
    Tagger("", (probe,), "colours").check("b" * 16, "other")


def test_sleeves_are_asked_of_what_has_them():
    ones = np.ones((3, 2), np.float32)
    sleeve = Probe("sleeve", ("long sleeve", "sleeveless"), np.zeros((2, 2), np.float32),
                   np.array([9, 0], np.float32), confidence=0.5, kinds=("top",))  # fmt: skip
    tags = Tagger("", (sleeve,), "").tags(Seen(ones, None, ["t-shirt", "watch", None]))
    assert [one.get("sleeve", ("",))[0] for one in tags] == ["long sleeve", "", ""]


class Words(ColorHistogram):
    """An encoder whose words for a kind all point one way, another for each kind."""

    def encode_texts(self, texts):
        rows = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            rows[row, 2 if "shirt" in text else 0 if "heel" in text else 1] = 1
        return rows


def test_words_make_probes_only_where_an_encoder_reads_them():
    rows, labels = world(200, noise=0.1)
    rows = np.hstack([rows, np.zeros((200, 56), np.float32)])
    assert by_words(ColorHistogram(modalities=frozenset({"image"})), rows) == []
    assert by_words(Words(), rows[:10]) == []
    [probe] = by_words(Words(), rows)
    assert probe.attribute == "category"
    answers = [probe.classes[at] for at in probe.probabilities(rows).argmax(1)]
    shirts = [answer for answer, label in zip(answers, labels, strict=True) if label == "shirt"]
    assert all("shirt" in answer for answer in shirts)
    assert answers[labels.index("heels")] == "heels"


def test_words_that_all_mean_the_same_to_an_encoder_make_no_probe():
    rows = np.zeros((80, 64), np.float32)
    rows[:, 0] = 1
    assert by_words(ColorHistogram(), rows) == []
