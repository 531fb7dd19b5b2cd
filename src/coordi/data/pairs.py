"""Street photos of a catalogue's items: a pairs file, and the collection that it makes."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from coordi.data.benchmarks.gathering import Gathering, as_rows, shares
from coordi.data.collection import Collection, Trial
from coordi.data.duplicates import CUTOUT, cutout, near_pairs
from coordi.data.fieldtypes import stripped
from coordi.data.images import decode_image, read_bytes
from coordi.data.readers.table import Record
from coordi.data.sources import open_tables
from coordi.data.splits import connected_groups, split_of
from coordi.errors import CatalogError, ImageError
from coordi.types import Box, ImageRef, Origin, Photo, Problem, Sighting

IN_SHARES = ("left", "top", "right", "bottom")
"""Columns of a box in shares of the picture's width and height."""

IN_PIXELS = ("left_px", "top_px", "right_px", "bottom_px")
"""Columns of a box in pixels of the picture as it is seen, upright."""


def read_pairs(
    file: Path, columns: Mapping[str, str] | None = None
) -> Iterator[Sighting | Problem]:
    """Stream a pairs file (CSV or JSON Lines): columns `image` and `item`, and optionally a box.

    `columns` says what the first two are called where they are called otherwise, and may name a
    third, of `mask`s: pictures of numbers, 0 where the photo shows background. Paths are
    relative to the file. A box has either the columns `left`, `top`, `right`, `bottom` (shares,
    0 to 1) or the same with `_px` (pixels); where all four are empty there is none. A row that
    lacks something, or a box that is none, is a `Problem`. A picture that is missing or cannot be
    read makes no difference here: who reads it tells. A box in pixels that lies outside its
    picture is a `Problem` too, and the photo follows, taken whole.
    Raises `NotFoundError` and `CatalogError` for a file that cannot be read at all.
    """
    called: dict[str, str] = {"image": "image", "item": "item", **(columns or {})}
    needed = tuple(called.values())
    _, tables = open_tables(str(file))
    for table in tables:
        if table.columns and not set(needed) <= set(table.columns):
            raise CatalogError(
                f"{file}:1: pairs need the columns {' and '.join(dict.fromkeys(needed))}; found "
                f"{', '.join(table.columns)}"
            )
        for record in table.records():
            if isinstance(record, Problem):
                yield record
            else:
                yield from _sighting(record, called, file.parent)


def _sighting(
    record: Record, called: Mapping[str, str], folder: Path
) -> Iterator[Sighting | Problem]:
    values = {name: stripped(value) for name, value in record.values.items()}
    values |= {role: values.get(column, "") for role, column in called.items()}
    for column in ("image", "item"):
        if not values[column]:
            name = called[column]
            yield Problem(record.origin, f"no {name}: the cell is empty", column=name)
            return
    image = ImageRef(path=folder / values["image"])
    try:
        box = _box(values)
    except ValueError as error:
        yield Problem(record.origin, str(error), values["item"])
        return
    if box is not None and any(values.get(name) for name in IN_PIXELS):
        corners, size = box, _size(image)
        box = size and shares(corners, *size)
        if size and box is None:
            reason = f"box {corners} lies outside the picture, which is taken whole"
            yield Problem(record.origin, reason, values["item"])
    mask = values["mask"] if "mask" in called else ""
    yield Sighting(image, values["item"], box, ImageRef(path=folder / mask) if mask else None)


def _box(values: Mapping[str, str]) -> Box | None:
    """The box of a row in its own unit; `ValueError` where its cells make none."""
    given = [names for names in (IN_SHARES, IN_PIXELS) if any(values.get(n) for n in names)]
    if not given:
        return None
    if len(given) > 1:
        raise ValueError("a box both in shares and in pixels; give one")
    try:
        corners = [float(values.get(name, "")) for name in given[0]]
    except ValueError as error:
        raise ValueError(f"the box needs four numbers: {', '.join(given[0])}") from error
    if given[0] is IN_SHARES and not all(0 <= corner <= 1 for corner in corners):
        raise ValueError(f"box {corners} is not in shares (0 to 1); pixels go in left_px …")
    left, top, right, bottom = corners
    holds = max(left, 0) < right and max(top, 0) < bottom
    if not (holds and all(map(math.isfinite, corners))):
        raise ValueError(f"box {corners} holds nothing of any picture")
    return left, top, right, bottom


def _size(image: ImageRef) -> tuple[int, int] | None:
    """Width and height; None where the picture cannot be read, which its reader tells."""
    try:
        height, width = decode_image(read_bytes(image)).shape[:2]
    except ImageError:
        return None
    return width, height


def look_alikes(photos: Sequence[Photo]) -> list[tuple[str, str]]:
    """Pairs of ids of photos that are near duplicates (`coordi.data.duplicates`), whole.

    Pictures that cannot be read are like none.
    """
    cutouts = np.zeros(len(photos), CUTOUT)
    for row, photo in enumerate(photos):
        with suppress(ImageError):
            cutouts[row] = cutout(decode_image(read_bytes(photo.image), target=64))
    return [(photos[a].id, photos[b].id) for a, b in near_pairs(cutouts).tolist()]


def paired_collection(
    name: str,
    shop: Sequence[Photo],
    sightings: Iterable[Sighting | Problem],
    *,
    val: float = 0.1,
    test: float = 0.1,
    duplicates: bool = True,
) -> Collection:
    """Street photos as queries, all shop photos as the gallery, split by connected groups.

    `sightings` name a shop photo's `id` or its `item`, and take over what is known of it; one of
    an item that is not there is a problem. Photos of one item, of one street picture and, with
    `duplicates`, nearly the same pictures stand on one side of the split. Shop photos of training
    items are distractors.
    """
    # An id says which of an item's colours is worn, so it comes before the item's own name.
    known = {photo.item: photo for photo in reversed(shop)} | {photo.id: photo for photo in shop}
    photos, problems = list(shop), []
    for sighting in sightings:
        if isinstance(sighting, Problem):
            problems.append(sighting)
        elif sighting.item not in known:
            origin = Origin(str(sighting.image.path or name))
            reason = f"the catalogue has no item {sighting.item!r}; add it or correct the pair"
            problems.append(Problem(origin, reason, sighting.item, "item"))
        else:
            photos.append(_street(sighting, known[sighting.item], len(photos) - len(shop)))
    links = look_alikes(photos) if duplicates else []
    grouped = _grouped(photos, links)
    sides = [split_of(photo.group, val=val, test=test) for photo in grouped]
    gallery = as_rows(range(len(shop)))

    def rows(side: str, first: int = 0) -> list[int]:
        return [row for row in range(first, len(grouped)) if sides[row] == side]

    trials = {side: Trial(as_rows(rows(side, len(shop))), gallery) for side in ("val", "test")}
    counts = {
        "shop photos": len(shop),
        "street photos": len(grouped) - len(shop),
        "near-duplicate pairs": len(links),
        "val queries": len(trials["val"].query),
        "test queries": len(trials["test"].query),
    }
    return Gathering(grouped, problems, _not_there(grouped)).collection(
        name, as_rows(rows("train")), trials["test"], trials["val"], counts
    )


def _not_there(photos: Iterable[Photo]) -> dict[str, Problem]:
    """Photos whose file is missing, by id."""
    return {
        photo.id: Problem(Origin(str(path)), "there is no such file", photo.id)
        for photo in photos
        if (path := photo.image.path) is not None and not path.is_file()
    }


def _street(sighting: Sighting, worn: Photo, number: int) -> Photo:
    id_ = f"street/{number}/{sighting.image.path or ''}"
    image, box, mask = sighting.image, sighting.box, sighting.mask
    return replace(worn, id=id_, image=image, street=True, box=box, mask=mask)


def _grouped(photos: Sequence[Photo], links: Iterable[tuple[str, str]]) -> list[Photo]:
    """Photos with the group of all they are linked to."""
    edges = [(photo.id, f"item {photo.item}") for photo in photos]
    edges += [(photo.id, f"split key {photo.group}") for photo in photos if photo.group]
    edges += [(photo.id, f"file {photo.image.path}") for photo in photos if photo.image.path]
    groups = connected_groups([photo.id for photo in photos], [*edges, *links])
    return [replace(photo, group=groups[photo.id]) for photo in photos]
