import numpy as np
import pytest

from coordi.errors import EncoderError
from coordi.models.opening import open_encoder


@pytest.mark.parametrize("name", ["random", "color-histogram"])
def test_controls_are_encoders(name):
    encoder = open_encoder(name)
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (50, 40, 3), dtype=np.uint8) for _ in range(3)]
    rows = encoder.encode_images(pictures)
    assert rows.shape == (3, encoder.dim)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(rows[1:], open_encoder(name).encode_images(pictures[1:]))
    assert encoder.fingerprint == open_encoder(name).fingerprint
    assert encoder.fingerprint != open_encoder("coordi-mini").fingerprint
    with pytest.raises(EncoderError):
        open_encoder(name, dim=8)


def test_the_histogram_is_of_the_middle():
    picture = np.full((64, 64, 3), 255, np.uint8)
    picture[16:48, 16:48] = (200, 10, 10)
    plain = np.full((64, 64, 3), (200, 10, 10), np.uint8)
    a, b = open_encoder("color-histogram").encode_images([picture, plain])
    np.testing.assert_array_equal(a, b)
    assert a[(200 * 8 // 256) * 64] == 1


def test_random_rows_have_nothing_to_do_with_likeness():
    picture = np.zeros((64, 64, 3), np.uint8)
    near = picture.copy()
    near[0, 0] = 255
    a, b = open_encoder("random").encode_images([picture, near])
    assert abs(a @ b) < 0.6
