from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coordi.data.segments import read_segments
from coordi.errors import CatalogError


@pytest.fixture
def street(tmp_path: Path) -> Path:
    (tmp_path / "labels.txt").write_text("null\ndress\nskin\nring\n")
    (tmp_path / "photos.csv").write_text(
        "id,photo,mask,labels\n1,p.png,m.png,dress;skin\n2,p.png,,dress\n"
    )
    photo = np.full((100, 50, 3), 200, np.uint8)
    photo[20:60, 10:30] = (180, 20, 30)
    mask = np.zeros((100, 50), np.uint8)
    mask[20:60, 10:30] = 1
    mask[0:15, 0:50] = 2
    mask[90, 40] = 3  # a ring of one pixel
    Image.fromarray(photo).save(tmp_path / "p.png")
    Image.fromarray(mask).save(tmp_path / "m.png")
    return tmp_path


def test_segments(street: Path) -> None:
    (segment,) = read_segments(street)
    assert (segment.photo, segment.label) == ("1", "dress")
    assert segment.color == (180, 20, 30)
    assert segment.box == pytest.approx((8 / 50, 16 / 100, 32 / 50, 64 / 100))
    assert segment.crop.shape == (48, 24, 3)


def test_without_margin_the_crop_is_the_garment(street: Path) -> None:
    (segment,) = read_segments(street, margin=0)
    assert (segment.crop == (180, 20, 30)).all()


def test_missing_labels_are_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"labels\.txt is missing"):
        list(read_segments(tmp_path))
