"""Street2Shop, "Where to buy it" (Kiapour et al. 2015): street photos → shops, by category."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from coordi.data.benchmarks.gathering import (
    Gathering,
    as_rows,
    find,
    find_all,
    held_out,
    read_json,
    street_to_shop,
)
from coordi.data.collection import Collection, PhotoRows, Trial
from coordi.data.splits import connected_groups
from coordi.errors import CatalogError
from coordi.types import ImageRef, Origin, Photo

PUBLISHED = {"shop photos": 404_683, "street photos": 20_357, "pairs": 39_479}
"""Counts that the authors state."""

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp"})
_IDS = ("photo", "product")
_BOX = ("left", "top", "width", "height")


def read_street2shop(root: Path) -> Collection:
    """Read Street2Shop from the folder of meta/json/ and images/ (or photos/), files named by id.

    The gallery is all shop photos (retrieval_CATEGORY.json) and a query searches its own
    category; queries are the boxes of test_pairs_CATEGORY.json. Products that one box is paired
    with are one garment, so that any of them is a hit. A garment that is asked about, and a
    street photo that is, leave the training. A query whose garment has no shop photo left stays
    and can only miss. A tenth of the training garments, by hash, is `val`, among themselves.
    Raises `NotFoundError` and `CatalogError` for files that are missing or cannot be read.
    """
    reader = _Reader(root)
    folder = find(root, "meta/json", "json", "meta/meta/json")
    for path in find_all(folder, "retrieval_*.json"):
        reader.shop(path, path.stem.removeprefix("retrieval_"))
    for side in ("train", "test"):
        for path in find_all(folder, f"{side}_pairs_*.json"):
            reader.street(path, side, path.stem.removeprefix(f"{side}_pairs_"))
    return _collection(reader)


class _Reader:
    """Photos of shops and streets as the files name them."""

    def __init__(self, root: Path) -> None:
        self.gathering = Gathering()
        self.files = _files(find(root, "images", "photos"))
        self.folder = find(root, "images", "photos")
        self.addresses = _addresses(root)
        self.rows: dict[str, list[int]] = {"shop": [], "train": [], "test": []}
        self.links: list[tuple[str, str]] = []
        self.pairs = 0
        self._seen: set[str] = set()

    def shop(self, path: Path, category: str) -> None:
        """Take the shop photos of a category in, each once for a product."""
        for origin, photo, product, _ in self._entries(path):
            id_ = f"shop/{category}/{photo}/{product}"
            if id_ not in self._seen:
                self._seen.add(id_)
                self._add("shop", id_, photo, f"{category}/{product}", category, origin)

    def street(self, path: Path, side: str, category: str) -> None:
        """Take the boxes of a side's street photos in, each once however many products."""
        for origin, photo, product, entry in self._entries(path):
            corners = _corners(entry.get("bbox"))
            if corners is None:
                reason = f"entry of photo {photo}: bbox is not {', '.join(_BOX)} in pixels"
                self.gathering.trouble(origin, reason)
                continue
            place = ",".join(f"{corner:g}" for corner in corners)
            id_ = f"street/{category}/{photo}/{place}"
            item = f"{category}/{product}"
            self.pairs += 1
            self.links.append((f"box {id_}", item))
            if f"{side} {id_}" not in self._seen:
                self._seen.add(f"{side} {id_}")
                self._add(side, id_, photo, item, category, origin, corners)

    def _entries(self, path: Path) -> Iterator[tuple[Origin, int, int, dict[str, Any]]]:
        content, origin = read_json(path), Origin(str(path))
        if not isinstance(content, list):
            raise CatalogError(f"{path}:1: should be a list of photos and products")
        for number, entry in enumerate(content, 1):
            photo, product = map(entry.get, _IDS) if isinstance(entry, dict) else (None, None)
            if isinstance(photo, int) and isinstance(product, int):
                yield origin, photo, product, entry
            else:
                self.gathering.trouble(origin, f"entry {number} has no photo and product numbers")

    def _add(
        self,
        side: str,
        id_: str,
        photo: int,
        item: str,
        category: str,
        origin: Origin,
        corners: tuple[float, ...] | None = None,
    ) -> None:
        path = self.files.get(photo, self.folder / f"{photo:09}.jpg")
        street = corners is not None
        box = self.gathering.share_box(path, corners, origin, id_) if corners else None
        taken = Photo(id_, ImageRef(path), item, street, category, box=box)
        address = self.addresses.get(photo)
        missing = f"{path} is missing; it was at {address}" if address else ""
        self.rows[side].append(self.gathering.add(taken, origin, missing))


def _files(folder: Path) -> dict[int, Path]:
    """Picture files by the number that names them, with or without leading zeros."""
    return {
        int(path.stem): path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _SUFFIXES and path.stem.isdecimal()
    }


def _addresses(root: Path) -> dict[int, str]:
    """Where each photo was fetched from, by photos.txt, where that is there."""
    for path in (root / "photos.txt", root / "photos" / "photos.txt"):
        if path.is_file():
            lines = path.read_text("utf-8", errors="replace").splitlines()
            cells = (line.partition(",") for line in lines)
            return {int(id_): url.strip() for id_, _, url in cells if id_.strip().isdecimal()}
    return {}


def _corners(box: object) -> tuple[float, ...] | None:
    """(left, top, right, bottom) of {"left", "top", "width", "height"}."""
    if not isinstance(box, Mapping):
        return None
    sides = [box.get(name) for name in _BOX]
    if not all(isinstance(side, int | float) for side in sides):
        return None
    left, top, width, height = (float(str(side)) for side in sides)
    return left, top, left + width, top + height


def _collection(reader: _Reader) -> Collection:
    gathering = reader.gathering
    groups = connected_groups(sorted({photo.item for photo in gathering.photos}), reader.links)
    photos = [replace(photo, item=groups[photo.item]) for photo in gathering.photos]
    gathering.photos = photos
    shop, train, test = (as_rows(reader.rows[side]) for side in ("shop", "train", "test"))
    asked = {photos[row].item for row in test.tolist()}
    pictures = {photos[row].image.path for row in test.tolist()}
    kept = [
        row
        for row in train.tolist()
        if photos[row].item not in asked and photos[row].image.path not in pictures
    ]
    taught = {photos[row].item for row in kept}
    shown = [row for row in shop.tolist() if photos[row].item in taught]
    learn, choose = held_out(photos, as_rows([*kept, *shown]), lambda photo: photo.item)
    test_trial = Trial(test, shop, within="category")
    val = Trial(*street_to_shop(photos, choose), within="category")
    counts = {
        "shop photos": _pictures(photos, shop),
        "street photos": _pictures(photos, as_rows([*train.tolist(), *test.tolist()])),
        "pairs": reader.pairs,
        "test queries": len(test),
        "train street boxes left out, asked about in test": len(train) - len(kept),
    }
    return gathering.collection("street2shop", learn, test_trial, val, counts, PUBLISHED)


def _pictures(photos: Sequence[Photo], rows: PhotoRows) -> int:
    """How many different files some rows show."""
    return len({photos[row].image.path for row in rows.tolist()})
