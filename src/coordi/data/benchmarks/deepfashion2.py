"""DeepFashion2 (Ge et al. 2019): garments that customers wear → the same garments in shops."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from coordi.data.collection import Collection, Trial
from coordi.errors import CatalogError
from coordi.types import ImageRef, Origin, Photo

PUBLISHED = {"validation queries": 12_550, "validation gallery": 37_183}
"""Counts that the authors state."""

CATEGORIES = (
    "short sleeve top",
    "long sleeve top",
    "short sleeve outwear",
    "long sleeve outwear",
    "vest",
    "sling",
    "shorts",
    "trousers",
    "skirt",
    "short sleeve dress",
    "long sleeve dress",
    "vest dress",
    "sling dress",
)
"""Names of `category_id`, from 1."""


@dataclass(slots=True)
class _Side:
    """Rows of one folder (train or validation)."""

    paired: list[int] = field(default_factory=list)
    """Garments with a style, of either domain."""
    loose_shop: list[int] = field(default_factory=list)
    """Shop garments without a style: they answer nothing."""
    counts: Counter[str] = field(default_factory=Counter)


def read_deepfashion2(root: Path) -> Collection:
    """Read DeepFashion2 from the folder that holds train/ and validation/ (image/ and annos/).

    A photo of the collection is one garment in its ground-truth box; `item` is pair_id and style,
    and garments of style 0 belong to no pair. The test trial is the authors' validation set, the
    only labelled one: queries are the customers' garments with a style, the gallery is all of
    the shops' garments, those of style 0 as distractors. A tenth of the training pairs, by
    pair_id, is the `val` trial. An annotation that cannot be read is a problem, and the garments
    in it are not there.
    Raises `NotFoundError` and `CatalogError` where a folder is missing or nothing is usable.
    """
    gathering = Gathering()
    train, validation = (_read_side(root, side, gathering) for side in ("train", "validation"))
    photos = gathering.photos
    learn, choose = held_out(photos, as_rows(train.paired), lambda photo: photo.group)
    val = Trial(*street_to_shop(photos, choose))
    query, shop = street_to_shop(photos, as_rows(validation.paired))
    gallery = as_rows(sorted([*shop.tolist(), *validation.loose_shop]))
    counts = {
        "validation queries": len(query),
        "validation gallery": len(gallery),
        "train garments": len(train.paired),
        "train garments without a pair": train.counts["loose"],
        "validation garments of customers without a pair": validation.counts["loose user"],
    }
    return gathering.collection(
        "deepfashion2", learn, Trial(query, gallery), val, counts, PUBLISHED
    )


def _read_side(root: Path, side: str, gathering: Gathering) -> _Side:
    folder = find(root, side)
    rows = _Side()
    for path in find_all(find(folder, "annos"), "*.json"):
        try:
            content = read_json(path)
            if not isinstance(content, dict) or content.get("source") not in {"user", "shop"}:
                raise CatalogError(f'{path}:1: has no "source" that is "user" or "shop"')
        except CatalogError as error:
            gathering.trouble(Origin(str(path)), str(error), f"{side}/{path.stem}")
            continue
        for name in sorted(key for key in content if key.startswith("item")):
            _take(folder, path, name, content, gathering, rows)
    if not rows.paired:
        raise CatalogError(f"{folder}: no garment that has a pair")
    return rows


def _take(
    folder: Path,
    path: Path,
    name: str,
    content: Mapping[str, Any],
    gathering: Gathering,
    rows: _Side,
) -> None:
    """Take one garment of an annotation in."""
    id_, origin = f"{folder.name}/{path.stem}/{name}", Origin(str(path))
    read = _garment(content, name)
    if isinstance(read, str):
        gathering.trouble(origin, read, id_)
        return
    pair, style, category, corners = read
    picture = folder / "image" / f"{path.stem}.jpg"
    street = content["source"] == "user"
    if not style:
        rows.counts["loose"] += 1
        rows.counts["loose user"] += street
        if street or folder.name == "train":
            return  # such garments neither teach nor are asked about
    box = gathering.share_box(picture, corners, origin, id_)
    item, group = f"{pair}/{style}" if style else id_, f"{folder.name}/{pair}"
    photo = Photo(
        id_, ImageRef(picture), f"{folder.name}/{item}", street, category, box=box, group=group
    )
    (rows.paired if style else rows.loose_shop).append(gathering.add(photo, origin))


def _garment(
    content: Mapping[str, Any], name: str
) -> tuple[int, int, str, tuple[float, ...]] | str:
    """(pair_id, style, category, corners) of a garment, or what is wrong with it."""
    entry, pair = content[name], content.get("pair_id")
    if not isinstance(entry, dict) or not isinstance(pair, int):
        return f"{name} is no object, or pair_id is no whole number"
    style, category, corners = (entry.get(k) for k in ("style", "category_id", "bounding_box"))
    if not isinstance(style, int) or style < 0:
        return f"{name}: style is {style!r}; it should be a whole number from 0"
    if not isinstance(category, int) or not 1 <= category <= len(CATEGORIES):
        return f"{name}: category_id is {category!r}; it should be 1 to {len(CATEGORIES)}"
    if (
        not isinstance(corners, list)
        or len(corners) != 4
        or not all(isinstance(corner, int | float) for corner in corners)
    ):
        return f"{name}: bounding_box is {corners!r}; it should be four numbers"
    return pair, style, CATEGORIES[category - 1], tuple(map(float, corners))
