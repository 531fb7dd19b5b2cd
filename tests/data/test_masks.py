"""Photos before white: masks against a slow loop, and what does not fit."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from coordi.data.features import photo_features
from coordi.data.images import decode_crop
from coordi.data.masks import decode_photo, read_photo
from coordi.data.pairs import read_pairs
from coordi.data.specs import load_spec
from coordi.errors import CatalogError, ImageError
from coordi.models.encoders.controls import color_histogram
from coordi.training.pixels import load_pixels
from coordi.types import ImageRef, Photo, Problem


def png(pixels: np.ndarray, mode: str | None = None) -> bytes:
    file = io.BytesIO()
    picture = Pillow.fromarray(pixels)
    (picture if mode is None else picture.convert(mode)).save(file, "PNG")
    return file.getvalue()


DRAW = np.random.default_rng(0)
PICTURE = DRAW.integers(0, 200, (12, 8, 3), np.uint8)
MASK = DRAW.integers(0, 3, (12, 8), np.uint8)


def photo(mask: bytes | None, box=None) -> Photo:
    masked = None if mask is None else ImageRef(data=mask)
    return Photo("p", ImageRef(data=png(PICTURE)), "i", True, box=box, mask=masked)


def shown(one: Photo) -> np.ndarray:
    return decode_photo(one, *read_photo(one), 4)


def test_what_the_mask_numbers_0_is_white() -> None:
    slow = PICTURE.copy()
    for y in range(12):
        for x in range(8):
            if MASK[y, x] == 0:
                slow[y, x] = 255
    np.testing.assert_array_equal(shown(photo(png(MASK))), slow)
    box = (0.25, 0.5, 0.75, 1.0)
    np.testing.assert_array_equal(shown(photo(png(MASK), box)), slow[6:12, 2:6])
    double = png(MASK.repeat(2, 0).repeat(2, 1))
    np.testing.assert_array_equal(shown(photo(double)), slow)
    black_and_white = png((MASK > 0).astype(np.uint8) * 255, "1")
    np.testing.assert_array_equal(shown(photo(black_and_white)), slow)


def test_without_a_mask_a_photo_is_as_it_was() -> None:
    np.testing.assert_array_equal(shown(photo(None)), decode_crop(png(PICTURE), None, 4))


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (png(PICTURE), "holds colours, not numbers"),
        (png(MASK[:6]), r"the mask is 8 × 6.*proportions of the picture, 8 × 12"),
        (b"no picture", "not an image"),
        (png(MASK)[:60], "."),
    ],
)
def test_masks_that_do_not_fit_are_told(mask: bytes, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        shown(photo(mask))


def test_features_and_pixels_see_the_mask(tmp_path: Path) -> None:
    whole, cut, broken = photo(None), photo(png(MASK)), photo(png(PICTURE))
    encoder, hashes = color_histogram(), {}
    one, _ = photo_features([whole], encoder, tmp_path, hashes=hashes)
    plain = hashes["p"]
    two, _ = photo_features([cut], encoder, tmp_path, hashes=hashes)
    assert not np.allclose(one, two)
    assert hashes["p"] != plain
    expected = encoder.encode_images([shown(cut)])
    np.testing.assert_allclose(two, expected)
    _, problems = photo_features([broken], encoder, tmp_path)
    assert "holds colours" in problems[0].reason
    pixels, _ = load_pixels([cut], np.array([0]), 4, augment=False, seed=0, hashes={})
    other, _ = load_pixels([whole], np.array([0]), 4, augment=False, seed=0, hashes={})
    assert not np.array_equal(pixels.pictures[0], other.pictures[0])


def test_pairs_name_a_mask_where_they_are_told_to(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text("image,item,parse,mask\na.png,1,m/a.png,x.png\nb.png,2,,y.png\n")
    first, second = read_pairs(file, {"mask": "parse"})
    assert not isinstance(first, Problem)
    assert first.mask == ImageRef(tmp_path / "m/a.png")
    assert not isinstance(second, Problem)
    assert second.mask is None
    assert all(getattr(row, "mask", None) is None for row in read_pairs(file))
    with pytest.raises(CatalogError, match="pairs need the columns image and item and silhouette"):
        list(read_pairs(file, {"mask": "silhouette"}))
    assert load_spec("worn-white").pairs_map == {"image": "worn", "mask": "parse"}
