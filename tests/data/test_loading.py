"""Decoding ahead: order, bounds, errors in place, and an end when the caller stops."""

import threading
import time

import numpy as np
import pytest

from coordi.data.images import encode_jpeg, image_hash
from coordi.data.loading import decoded
from coordi.errors import ImageError
from coordi.types import ImageRef


def gray(value):
    return ImageRef(data=encode_jpeg(np.full((8, 8, 3), value, np.uint8)))


def mean(image):
    return np.asarray([round(float(image.mean()))])


def decoding_threads():
    return [t for t in threading.enumerate() if t.name.startswith("coordi-loading")]


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("ahead", [1, 3, 128])
def test_results_keep_the_order_of_the_sources(workers, ahead):
    sources = [(i, gray(i)) for i in range(40)]

    def slow_for_some(image):
        time.sleep(0.005 if image[0, 0, 0] % 7 == 0 else 0)
        return mean(image)

    results = list(decoded(sources, slow_for_some, target=None, workers=workers, ahead=ahead))
    assert [(key, int(value[0])) for key, value, _ in results] == [(i, i) for i in range(40)]
    assert [content for _, _, content in results] == [image_hash(ref.data) for _, ref in sources]
    assert decoding_threads() == []


def test_errors_stand_in_their_place(tmp_path):
    sources = [
        ("good", gray(9)),
        ("gone", ImageRef(tmp_path / "gone.jpg")),
        ("text", ImageRef(data=b"no picture")),
        ("last", gray(7)),
    ]
    good, gone, text, last = decoded(sources, mean, target=None, workers=2)
    assert good[1][0] == 9
    assert isinstance(gone[1], ImageError)
    assert gone[2] == ""
    assert isinstance(text[1], ImageError)
    assert text[2] == image_hash(b"no picture")
    assert last[1][0] == 7


def test_no_more_than_ahead_are_taken_from_the_sources():
    taken = []

    def sources():
        for i in range(100):
            taken.append(i)
            yield i, gray(1)

    results = decoded(sources(), mean, target=None, workers=2, ahead=10)
    for done in range(20):
        next(results)
        assert len(taken) <= 10 + done
    results.close()
    assert len(taken) < 31


def test_closing_drops_what_has_not_begun():
    begun = []

    def note(image):
        begun.append(1)
        time.sleep(0.01)
        return mean(image)

    results = decoded(((i, gray(1)) for i in range(1000)), note, target=None, workers=2)
    next(results)
    results.close()
    assert len(begun) < 20
    assert decoding_threads() == []


def test_a_fault_of_the_transform_or_the_sources_is_raised():
    def broken(image):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        list(decoded([(1, gray(1))], broken, target=None, workers=1))

    def sources():
        yield 1, gray(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(decoded(sources(), mean, target=None, workers=1))
    assert decoding_threads() == []


def test_target_reaches_the_decoder():
    large = ImageRef(data=encode_jpeg(np.zeros((800, 800, 3), np.uint8)))
    [(_, size, _)] = decoded(
        [(1, large)], lambda image: np.asarray(image.shape), target=100, workers=1
    )
    assert size.tolist() == [100, 100, 3]
