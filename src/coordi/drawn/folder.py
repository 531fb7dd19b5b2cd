"""The drawn wardrobe as a folder of files, like any shop's catalogue."""

import csv
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from PIL import Image as Pillow

from coordi.artifacts import atomic_folder
from coordi.drawn.garments import Garment
from coordi.drawn.packshot import draw_garment
from coordi.drawn.street import draw_street
from coordi.drawn.wardrobe import Wardrobe, draw_wardrobe
from coordi.errors import InputError
from coordi.types import Image

COLUMNS = (
    "id",
    "image",
    "title",
    "category",
    "color",
    "pattern",
    "second_color",
    "sleeve",
    "neckline",
    "length",
    "silhouette",
    "material",
    "occasion",
    "season",
    "price",
)
"""The columns of catalog.csv."""

_STAMP = "wardrobe.json"
_FORMAT = 2


def write_wardrobe(folder: Path, *, count: int = 300, seed: int = 0, size: int = 256) -> Path:
    """Write catalog.csv, images/, street/, street.csv, outfits.csv and edits.jsonl.

    The folder appears whole or not at all, and a second call with the same arguments does
    nothing. A folder that holds anything but a drawn wardrobe is refused with `InputError`.
    Every fourth garment has a street picture; street.csv is a pairs file (`data/pairs.py`).
    → path of catalog.csv.
    """
    folder = Path(folder)
    stamp = {"format": _FORMAT, "count": count, "seed": seed, "size": size}
    if _stamp_of(folder) != stamp:
        _refuse_foreign(folder)
        wardrobe = draw_wardrobe(count, seed)
        with atomic_folder(folder) as work:
            _write_files(work, wardrobe, seed, size)
            (work / _STAMP).write_text(json.dumps(stamp))
    return folder / "catalog.csv"


def _stamp_of(folder: Path) -> object:
    try:
        return json.loads((folder / _STAMP).read_text())
    except (OSError, ValueError):
        return None


def _refuse_foreign(folder: Path) -> None:
    if folder.is_dir() and (not any(folder.iterdir()) or (folder / _STAMP).is_file()):
        return
    if folder.exists():
        raise InputError(f"{folder} holds other files; name a new folder for the drawn wardrobe")


def _write_files(folder: Path, wardrobe: Wardrobe, seed: int, size: int) -> None:
    (folder / "images").mkdir()
    (folder / "street").mkdir()
    for garment in wardrobe.garments:
        _save(draw_garment(garment, size), folder / _image_name(garment))
    _write_csv(folder / "catalog.csv", COLUMNS, map(_row, wardrobe.garments))
    outfits = ((outfit.id, item) for outfit in wardrobe.outfits for item in outfit.items)
    _write_csv(folder / "outfits.csv", ("outfit_id", "item_id"), outfits)
    edits = ({"reference": e.reference, "text": e.text, "target": e.target} for e in wardrobe.edits)
    lines = (json.dumps(edit) + "\n" for edit in edits)
    (folder / "edits.jsonl").write_text("".join(lines), encoding="utf-8")
    _write_street(folder, wardrobe.garments, seed, size)


def _write_street(folder: Path, garments: Sequence[Garment], seed: int, size: int) -> None:
    rows = []
    rng = random.Random(f"street {seed}")
    for garment in garments[::4]:
        photo, box = draw_street(garment, rng.randrange(1 << 31), (size, size * 3 // 2))
        name = f"street/{garment.id}.webp"
        _save(photo, folder / name)
        rows.append((name, garment.id, *(f"{edge:.4f}" for edge in box)))
    _write_csv(folder / "street.csv", ("image", "item", "left", "top", "right", "bottom"), rows)


def _save(image: Image, path: Path) -> None:
    Pillow.fromarray(image).save(path, quality=90, method=2)


def _image_name(garment: Garment) -> str:
    return f"images/{garment.id}.webp"


def _row(garment: Garment) -> list[str]:
    given = asdict(garment) | {
        "image": _image_name(garment),
        "title": garment.title,
        "category": garment.kind,
        "second_color": "" if garment.pattern == "plain" else garment.second_color,
        "price": f"{garment.price:.2f}",
    }
    return [str(given[column]) for column in COLUMNS]


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
