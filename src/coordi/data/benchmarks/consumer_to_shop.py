"""DeepFashion consumer-to-shop (Liu et al. 2016): a customer's photo → the shop's photos."""

from collections.abc import Mapping
from pathlib import Path

from coordi.data.benchmarks.gathering import (
    Gathering,
    Line,
    as_rows,
    find,
    listed,
    numbers,
)
from coordi.data.collection import Collection, Trial
from coordi.types import ImageRef, Origin, Photo

PUBLISHED = {"images": 239_557, "items": 33_881, "pairs": 195_540}
"""Counts that the authors state."""

_SIDES = ("train", "val", "test")
Boxes = Mapping[str, tuple[Origin, tuple[float, ...]]]


def read_consumer_to_shop(root: Path) -> Collection:
    """Read consumer-to-shop from the folder that holds list_eval_partition.txt and img/.

    The list may lie in Eval/ and the pictures in Img/, as in the archive. Each picture is taken
    once however many pairs name it, cropped by Anno/list_bbox_consumer2shop.txt (a problem, and
    whole pictures, where that list is missing). Queries are the consumer photos of one side; the
    gallery of both trials is all shop photos of val and test, as the authors define it.
    Raises `NotFoundError` and `CatalogError` for lists that are missing or cannot be read.
    """
    gathering = Gathering()
    partition = find(root, "list_eval_partition.txt", "Eval/list_eval_partition.txt")
    pictures = find(root, "img", "Img/img").parent
    boxes = _boxes(root, gathering)
    reader = _Pairs(gathering, pictures, boxes)
    for line in listed(partition, 4, gathering):
        reader.take(line)
    return _collection(gathering, reader)


class _Pairs:
    """The pictures of pairs, each once."""

    def __init__(self, gathering: Gathering, pictures: Path, boxes: Boxes) -> None:
        self.gathering, self.pictures, self.boxes = gathering, pictures, boxes
        self.rows: dict[tuple[str, bool], list[int]] = {
            (side, street): [] for side in _SIDES for street in (True, False)
        }
        self.pairs = 0
        self._taken: dict[str, tuple[str, str, bool, int]] = {}

    def take(self, line: Line) -> None:
        """Take both pictures of a pair in."""
        consumer, shop, item, side = line.values
        if side not in _SIDES:
            reason = f"evaluation status {side!r} is none of {', '.join(_SIDES)}"
            self.gathering.trouble(line.origin, reason, consumer)
            return
        ends = [self._take(name, item, side, name == consumer, line) for name in (consumer, shop)]
        self.pairs += None not in ends

    def _take(self, name: str, item: str, side: str, street: bool, line: Line) -> int | None:
        if name in self._taken:
            *before, row = self._taken[name]
            if before != [item, side, street]:
                reason = f"{name} stands above as {before[0]}, {before[1]}; that is kept"
                self.gathering.trouble(line.origin, reason, name)
                return None
            return row
        row = self.gathering.add(self._photo(name, item, street), line.origin)
        self._taken[name] = (item, side, street, row)
        self.rows[side, street].append(row)
        return row

    def _photo(self, name: str, item: str, street: bool) -> Photo:
        path = self.pictures / name
        box = None
        if name in self.boxes:
            origin, corners = self.boxes[name]
            box = self.gathering.share_box(path, corners, origin, name)
        category = "/".join(name.split("/")[1:-2])
        return Photo(name, ImageRef(path), item, street, category, box=box)


def _boxes(root: Path, gathering: Gathering) -> Boxes:
    path = root / "Anno" / "list_bbox_consumer2shop.txt"
    if not path.is_file():
        reason = "is missing: pictures are taken whole, which is not the published protocol"
        gathering.trouble(Origin(str(path)), reason)
        return {}
    boxes = {}
    for line in listed(path, 7, gathering):
        corners = numbers(line.values[3:])
        if corners is None:
            gathering.trouble(line.origin, "the box is not four numbers", line.values[0])
        else:
            boxes[line.values[0]] = (line.origin, corners)
    return boxes


def _collection(gathering: Gathering, reader: _Pairs) -> Collection:
    rows = reader.rows
    gallery = as_rows([*rows["val", False], *rows["test", False]])
    counts = {
        "images": len(gathering.photos),
        "items": len({photo.item for photo in gathering.photos}),
        "pairs": reader.pairs,
        "val queries": len(rows["val", True]),
        "test queries": len(rows["test", True]),
        "gallery images": len(gallery),
    }
    return gathering.collection(
        "deepfashion-consumer-to-shop",
        as_rows([*rows["train", True], *rows["train", False]]),
        Trial(as_rows(rows["test", True]), gallery),
        Trial(as_rows(rows["val", True]), gallery),
        counts,
        PUBLISHED,
    )
