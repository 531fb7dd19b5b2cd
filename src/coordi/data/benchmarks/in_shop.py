"""DeepFashion in-shop clothes retrieval (Liu et al. 2016): shop photos of the same garment."""

from pathlib import Path

from coordi.data.benchmarks.gathering import (
    Gathering,
    Line,
    as_rows,
    find,
    held_out,
    listed,
)
from coordi.data.collection import Collection, PhotoRows, Trial
from coordi.types import ImageRef, Photo

PUBLISHED = {
    "images": 52_712,
    "items": 7_982,
    "train images": 25_882,
    "query images": 14_218,
    "gallery images": 12_612,
}
"""Counts that the authors state."""

_SIDES = ("train", "query", "gallery")
_POSES = ("front", "side", "back", "zoom-out", "zoom-in", "stand-alone")
_TYPES = ("upper", "lower", "full")


def read_in_shop(root: Path) -> Collection:
    """Read the in-shop benchmark from the folder that holds list_eval_partition.txt and img/.

    The list may lie in Eval/ and the pictures in Img/, as in the archive. Pictures are taken
    whole, as the published hit rates are; pose and type of clothes come from
    Anno/list_bbox_inshop.txt where it is there. A tenth of the training items is the `val`
    trial, each photo of theirs being looked for among the others.
    Raises `NotFoundError` and `CatalogError` for lists that are missing or cannot be read.
    """
    gathering = Gathering()
    partition = find(root, "list_eval_partition.txt", "Eval/list_eval_partition.txt")
    pictures = find(root, "img", "Img/img").parent
    details = _details(root, gathering)
    sides: dict[str, list[int]] = {side: [] for side in _SIDES}
    for line in listed(partition, 3, gathering):
        name, _, side = line.values
        if side not in sides:
            reason = f"evaluation status {side!r} is none of {', '.join(_SIDES)}"
            gathering.trouble(line.origin, reason, name)
            continue
        photo = _photo(line, pictures, details.get(name, {}))
        sides[side].append(gathering.add(photo, line.origin))
    return _collection(gathering, {side: as_rows(rows) for side, rows in sides.items()})


def _photo(line: Line, pictures: Path, details: dict[str, str]) -> Photo:
    name, item, _ = line.values
    category = "/".join(name.split("/")[1:-2])
    return Photo(name, ImageRef(pictures / name), item, category=category, attributes=details)


def _details(root: Path, gathering: Gathering) -> dict[str, dict[str, str]]:
    """Pose and type of clothes by the name of the picture."""
    path = root / "Anno" / "list_bbox_inshop.txt"
    if not path.is_file():
        return {}
    details = {}
    for line in listed(path, 7, gathering):
        name, kind, pose = line.values[:3]
        known = {"clothes_type": _named(_TYPES, kind), "pose": _named(_POSES, pose)}
        details[name] = {key: value for key, value in known.items() if value}
    return details


def _named(names: tuple[str, ...], number: str) -> str:
    """The name of a number from 1; "" where there is none."""
    return names[int(number) - 1] if number.isdigit() and 0 < int(number) <= len(names) else ""


def _collection(gathering: Gathering, sides: dict[str, PhotoRows]) -> Collection:
    photos = gathering.photos
    train, val = held_out(photos, sides["train"], lambda photo: photo.item)
    counts = {f"{side} images": len(rows) for side, rows in sides.items()}
    counts |= {"images": len(photos), "items": len({photo.item for photo in photos})}
    test = Trial(sides["query"], sides["gallery"])
    return gathering.collection(
        "deepfashion-in-shop", train, test, Trial(val, val), counts, PUBLISHED
    )
