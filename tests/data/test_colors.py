"""Colours in numbers, the pixels of a garment, and the words for what they show."""

import numpy as np
import pytest

from coordi.data.colors import COLOR_DIM, color_features, color_shares, garment_pixels, lab


def slow_lab(rgb):
    """CIE 15:2004, section 8.2.1, one channel after the other."""
    linear = [u / 12.92 if u <= 0.04045 else ((u + 0.055) / 1.055) ** 2.4 for u in rgb / 255]
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    white = (0.9505, 1.0, 1.089)
    xyz = [sum(a * b for a, b in zip(row, linear, strict=True)) for row in rows]
    scaled = [v / w for v, w in zip(xyz, white, strict=True)]
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in scaled)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("kind", [np.uint8, np.float64])
def test_lab_is_that_of_the_standard(kind):
    rgb = np.random.default_rng(0).integers(0, 256, (50, 3)).astype(kind)
    slow = [slow_lab(row.astype(float)) for row in rgb]
    np.testing.assert_allclose(lab(rgb), slow, atol=2e-2)


def packshot(ground=255):
    """A red square with a stripe of the background's colour."""
    image = np.full((128, 96, 3), ground, np.uint8)
    image[30:100, 20:76] = (200, 30, 40)
    image[60:70, 30:66] = ground
    return image


def test_the_background_goes_and_a_stripe_of_its_colour_stays():
    words = dict(color_shares(garment_pixels(packshot())))
    assert list(words) == ["red"] or list(words) == ["red", "white"]
    light = (garment_pixels(packshot())[:, 0] > 90).mean()
    assert 0.05 < light < 0.2


def test_a_white_garment_on_white_and_a_busy_street_give_their_middle():
    busy = np.random.default_rng(1).integers(0, 256, (80, 80, 3)).astype(np.uint8)
    busy[20:60, 20:60] = (30, 38, 70)
    assert color_shares(garment_pixels(busy))[0][0] == "navy"
    assert color_shares(garment_pixels(np.full((50, 50, 3), 250, np.uint8)))[0][0] == "white"


def test_features_are_unit_rows_of_one_histogram():
    pixels = garment_pixels(packshot())
    found = color_features(pixels)
    assert found.shape == (COLOR_DIM,)
    assert np.isclose(found @ found, 1)
    assert np.isclose(found @ color_features(pixels[::-1]), 1)
    blue = packshot()[..., ::-1].copy()
    assert found @ color_features(garment_pixels(blue)) < 0.5


def test_related_words_are_one_colour_and_small_shares_none():
    pixels = lab(
        np.array([(50, 90, 170)] * 50 + [(30, 38, 70)] * 45 + [(230, 200, 60)] * 5, np.uint8)
    )
    assert color_shares(pixels) == [("blue", pytest.approx(0.95))]
