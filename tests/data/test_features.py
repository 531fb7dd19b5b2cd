"""Cached features are what the encoder says, in order, and survive kills and odd files."""

import io
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from coordi.data.features import FeatureCache, photo_features
from coordi.data.images import crop, decode_image, read_bytes
from coordi.geometry import unit_rows
from coordi.types import ImageRef, Photo


class Means:
    """An encoder whose vector is the picture's thumbnail; it counts what it encodes."""

    name, dim, modalities, image_size = "means", 12, frozenset({"image"}), 8

    def __init__(self, fingerprint="a" * 16):
        self.fingerprint, self.encoded = fingerprint, 0

    def prepare(self, image):
        small = Pillow.fromarray(image).resize((2, 2), Pillow.Resampling.BOX)
        return np.asarray(small, np.float32).transpose(2, 0, 1) / 255

    def encode_prepared(self, batch):
        self.encoded += len(batch)
        return unit_rows(batch.reshape(len(batch), -1) + 0.01)

    def encode_images(self, images):
        return self.encode_prepared(np.stack([self.prepare(image) for image in images]))


def png(seed, size=(20, 30)):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def photos(count=150):
    boxes = (None, (0.1, 0.2, 0.7, 0.9), (0.0, 0.0, 1.0, 0.5))
    return [Photo(f"p{n}", ImageRef(data=png(n)), f"i{n}", box=boxes[n % 3]) for n in range(count)]


def slowly(encoder, some):
    rows = []
    for photo in some:
        image = decode_image(read_bytes(photo.image))
        rows.append(encoder.encode_images([image if photo.box is None else crop(image, photo.box)]))
    return np.concatenate(rows)


def test_rows_are_the_encoders_own_in_the_photos_order(tmp_path):
    some, done = photos(), []
    encoder = Means()
    vectors, problems = photo_features(
        some, encoder, tmp_path, on_progress=lambda *at: done.append(at)
    )
    np.testing.assert_allclose(vectors, slowly(Means(), some), atol=1e-6)
    assert problems == ()
    assert done[-1] == (150, 150)
    again, _ = photo_features(some[::-1], encoder, tmp_path)
    np.testing.assert_array_equal(again, vectors[::-1])
    assert encoder.encoded == 150


def test_another_box_picture_or_encoder_is_computed_anew(tmp_path):
    some = photos(4)
    photo_features(some, Means(), tmp_path)
    for changed, count in (
        ([replace(p, box=(0.0, 0.0, 0.5, 0.5)) for p in some], 4),
        ([replace(some[0], image=ImageRef(data=png(99)))], 1),
        ([replace(some[0], id="other", item="other")], 0),
    ):
        encoder = Means()
        photo_features(changed, encoder, tmp_path)
        assert encoder.encoded == count
    other = Means("b" * 16)
    photo_features(some, other, tmp_path)
    assert other.encoded == 4


def test_unreadable_photos_are_problems_and_rows_of_zeros(tmp_path):
    some = photos(3)
    some[1] = replace(some[1], image=ImageRef(path=tmp_path / "gone.jpg"))
    some.append(replace(some[2], id="torn", image=ImageRef(data=png(5)[:60])))
    vectors, problems = photo_features(some, Means(), tmp_path)
    assert [problem.id for problem in problems] == ["p1", "torn"]
    assert "gone.jpg" in str(problems[0].origin)
    assert (vectors != 0).any(1).tolist() == [True, False, True, False]


def test_nothing_to_encode_is_no_error(tmp_path):
    vectors, problems = photo_features([], Means(), tmp_path)
    assert vectors.shape == (0, 12)
    assert problems == ()


@pytest.mark.parametrize("torn", [1, 7, 40])
def test_a_torn_end_is_cut_off_and_the_rest_kept(tmp_path, torn):
    some = photos(6)
    expected, _ = photo_features(some, Means(), tmp_path)
    file = FeatureCache(tmp_path, Means()).path
    file.write_bytes(file.read_bytes()[:-torn])
    encoder = Means()
    vectors, _ = photo_features(some, encoder, tmp_path)
    np.testing.assert_array_equal(vectors, expected)
    assert encoder.encoded == 1
    last = Means()
    photo_features(some, last, tmp_path)
    assert last.encoded == 0


def test_a_record_that_rotted_is_computed_again(tmp_path):
    some = photos(3)
    expected, _ = photo_features(some, Means(), tmp_path)
    file = FeatureCache(tmp_path, Means()).path
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(bytes(data))
    encoder = Means()
    vectors, _ = photo_features(some, encoder, tmp_path)
    np.testing.assert_array_equal(vectors, expected)
    assert encoder.encoded == 1


def test_two_writers_share_a_file(tmp_path):
    some = photos(8)
    first, second = FeatureCache(tmp_path, Means()), FeatureCache(tmp_path, Means())
    rows = slowly(Means(), some)
    for row in range(0, 8, 2):
        first.add([row.to_bytes(16, "big")], rows[row : row + 1])
        second.add([(row + 1).to_bytes(16, "big")], rows[row + 1 : row + 2])
    merged = FeatureCache(tmp_path, Means())
    for row in range(8):
        np.testing.assert_array_equal(merged[row.to_bytes(16, "big")], rows[row])


def test_what_was_done_before_a_kill_is_kept(tmp_path):
    script = f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from test_features import Means, photos
        from coordi.data.features import photo_features

        def kill(done, total):
            if done >= 64:
                os.kill(os.getpid(), signal.SIGKILL)

        photo_features(photos(), Means(), Path({str(tmp_path)!r}), on_progress=kill)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL
    encoder = Means()
    vectors, _ = photo_features(photos(), encoder, tmp_path)
    assert encoder.encoded == 150 - 64
    np.testing.assert_allclose(vectors, slowly(Means(), photos()), atol=1e-6)
