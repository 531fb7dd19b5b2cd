"""What the tests of several rooms share: a small catalogue of plain-coloured pictures."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageColor

COLORS = ("red", "green", "blue", "black", "white", "orange", "purple", "gold")
KINDS = ("dress", "shirt", "skirt")


def paint(path: Path, color: str, seed: int, size: tuple[int, int] = (40, 60)) -> None:
    """Write a picture of one colour with a little noise, so that no two are alike."""
    width, height = size
    noise = np.random.default_rng(seed).integers(-6, 7, (height, width, 3))
    pixels = np.clip(np.array(ImageColor.getrgb(color)[:3]) + noise, 0, 255)
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(pixels.astype(np.uint8)).save(path)


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    """Write dictionaries as a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def make_rows(count: int) -> list[dict[str, object]]:
    """Rows of a catalogue: colours in turn, so that what is nearest to what is known."""
    return [
        {
            "id": f"item-{number}",
            "image": f"images/{number}.png",
            "title": f"a {COLORS[number % len(COLORS)]} {KINDS[number % len(KINDS)]}",
            "category": KINDS[number % len(KINDS)],
            "price": 10 + number,
        }
        for number in range(count)
    ]


def make_catalog(folder: Path, count: int = 24) -> Path:
    """A catalogue of `count` rows with its pictures; the path of its CSV file."""
    rows = make_rows(count)
    for number, row in enumerate(rows):
        paint(folder / str(row["image"]), COLORS[number % len(COLORS)], number)
    write_rows(folder / "catalog.csv", rows)
    return folder / "catalog.csv"


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """A catalogue of 24 rows."""
    return make_catalog(tmp_path / "shop")
