"""`coordi find`: a table, JSON, a drawing; and what is said where nothing can be found."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

import coordi.models.finder.opening
from coordi.cli.app import make_app
from coordi.types import Garment

MASK = np.zeros((20, 10), bool)
MASK[5:15, 2:8] = True
COAT = Garment("coat", "outer", (0.2, 0.25, 0.8, 0.75), 0.9, MASK)


class Fake:
    garments: tuple[Garment, ...] = (COAT,)

    def find(self, image: np.ndarray) -> tuple[Garment, ...]:
        return self.garments


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(coordi.models.finder.opening, "open_finder", lambda _: Fake())
    Pillow.new("RGB", (100, 200), "white").save(tmp_path / "a.png")
    return tmp_path / "a.png"


def run(*arguments: object):
    return CliRunner().invoke(make_app(), ["find", *map(str, arguments)])


def test_garments_are_listed_and_drawn(photo: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "out.png"
    result = run(photo, "--out", drawn)
    assert result.exit_code == 0, result.output
    assert "coat *" in result.stdout
    assert "0.20,0.25,0.80,0.75" in result.stdout
    picture = np.asarray(Pillow.open(drawn))
    assert picture.shape == (200, 100, 3)
    assert (picture[2, 2] == 255).all()
    assert (picture[100, 50] != 255).any()


def test_json_is_that_of_the_service(photo: Path) -> None:
    result = run(photo, "--json")
    (one,) = json.loads(result.stdout)["garments"]
    assert one == {
        "kind": "coat", "family": "outer", "box": [0.2, 0.25, 0.8, 0.75], "score": 0.9,
        "best": True,
    }  # fmt: skip


def test_nothing_found_and_no_picture(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fake, "garments", ())
    assert "No garment found." in run(photo).stdout
    (tmp_path / "b.png").write_text("no picture")
    result = run(tmp_path / "b.png")
    assert result.exit_code == 1
    assert "error: " in result.stderr
