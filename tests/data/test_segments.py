from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coordi.data.segments import Segment, read_segments
from coordi.errors import CatalogError
from coordi.types import Problem


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
    with pytest.raises(CatalogError, match=r"labels\.txt"):
        list(read_segments(tmp_path))
    (tmp_path / "labels.txt").write_text("null\n")
    (tmp_path / "photos.csv").write_text("id,photo\n1,a.png\n")
    with pytest.raises(CatalogError, match=r"photos\.csv:1: the column mask is missing"):
        list(read_segments(tmp_path))


HARM = {
    "mask cut off": lambda folder: (folder / "bad.png").write_bytes(
        (folder / "m.png").read_bytes()[:60]
    ),
    "mask gone": lambda folder: None,
    "mask empty": lambda folder: (folder / "bad.png").write_bytes(b""),
    "mask of a label that is none": lambda folder: Image.new("L", (50, 100), 7).save(
        folder / "bad.png"
    ),
    "mask in colours": lambda folder: Image.new("RGB", (50, 100)).save(folder / "bad.png"),
    "mask of 16 bits": lambda folder: Image.new("I;16", (50, 100), 300).save(folder / "bad.png"),
}


@pytest.mark.parametrize("harm", HARM)
def test_one_bad_mask_is_a_problem_and_the_rest_goes_on(street: Path, harm: str) -> None:
    HARM[harm](street)
    (street / "photos.csv").write_text(
        "id,photo,mask,labels\nbad,p.png,bad.png,dress\nlost,gone.png,m.png,dress\n"
        "short,p.png\n1,p.png,m.png,dress;skin\n"
    )
    bad, lost, segment = read_segments(street)
    assert isinstance(bad, Problem)
    assert (bad.id, bad.origin.line) == ("bad", 2)
    assert "bad.png" in bad.reason
    assert isinstance(lost, Problem)
    assert "gone.png" in lost.reason
    assert isinstance(segment, Segment)
