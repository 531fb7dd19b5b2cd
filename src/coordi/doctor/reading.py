"""From catalogues, collections and outfit files to what the checks are given."""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Collection as Bag
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from coordi.data.catalog import Catalog, open_catalog
from coordi.data.collection import Collection, group_of, key_of
from coordi.data.features import unreadable
from coordi.data.fieldtypes import text
from coordi.data.outfits import Member, gather, is_outfit_file, read_members
from coordi.data.sources import KINDS
from coordi.doctor.looks import survey
from coordi.doctor.outfits import OutfitSubject
from coordi.doctor.subject import Subject
from coordi.errors import CatalogError, CoordiError, ImageError
from coordi.types import Encoder, ImageRef, Item, Origin, Photo, Problem

Progress = Callable[[str, int, int | None], None]
SIDES: Mapping[str, str] = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "dev": "val", "test": "test", "testing": "test", "query": "test", "gallery": "test",
}  # fmt: skip
"""What columns call the sides of a split."""
SPLIT_COLUMNS = ("split", "set", "partition", "subset", "evaluation_status", "fold")


def catalog_subject(catalog: Catalog, encoder: Encoder | None, progress: Progress) -> Subject:
    """Read a catalogue, rows and pictures in one pass."""
    items: list[Item] = []
    problems: list[Problem] = []
    total = catalog.count and catalog.count - catalog.folded
    seen = survey(
        _item_pictures(catalog, items, problems),
        encoder,
        on_progress=lambda done: progress("pictures", done, total),
    )
    columns = {
        name: tuple(text(item.fields.get(name)) for item in items) for name in catalog.fields
    }
    went_without = [f"{p.origin}: {p.reason}" for p in problems if not p.rows]
    kinds = _by_kind(problems, catalog, {item.id for item in items})
    return Subject(
        name=catalog.source,
        ids=tuple(item.id for item in items),
        titles=tuple(item.title for item in items),
        columns=columns,
        looks=seen.looks,
        vectors=seen.vectors,
        images=lambda rows: _catalog_images(catalog, rows),
        unreadable=tuple(_unreadable(items[row], error) for row, error in seen.errors),
        missing=kinds["missing"],
        repeated=kinds["repeated"],
        unusable=kinds["unusable"],
        notes=(*catalog.notes, *catalog.remarks(), *went_without),
        sides=_sides(columns),
    )


def _item_pictures(
    catalog: Catalog, items: list[Item], problems: list[Problem]
) -> Iterator[ImageRef | None]:
    """Pictures of the rows, whose items are kept without them."""
    for row in catalog.rows():
        if isinstance(row, Problem):
            problems.append(row)
        else:
            items.append(replace(row, image=None))
            yield row.image


def _by_kind(
    problems: list[Problem], catalog: Catalog, ids: set[str]
) -> dict[str, tuple[Problem, ...]]:
    kinds: dict[str, list[Problem]] = {"missing": [], "repeated": [], "unusable": []}
    for problem in problems:
        if not problem.rows:
            continue  # its item is there
        if problem.id and problem.column and problem.column == catalog.mapping.get("image"):
            kinds["missing"].append(problem)
        elif problem.id in ids:
            kinds["repeated"].append(problem)
        else:
            kinds["unusable"].append(problem)
    return {kind: tuple(found) for kind, found in kinds.items()}


def _unreadable(item: Item, error: ImageError) -> Problem:
    return Problem(item.origin or Origin(item.id), str(error), id=item.id)


def _catalog_images(catalog: Catalog, rows: Bag[int]) -> dict[int, ImageRef]:
    wanted, last = set(rows), max(rows)
    items = (row for row in catalog.rows() if isinstance(row, Item))
    numbered = enumerate(islice(items, last + 1))
    return {at: item.image for at, item in numbered if at in wanted and item.image is not None}


def _sides(columns: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The split that a column states; () where none does."""
    for name in SPLIT_COLUMNS:
        cells = columns.get(name, ())
        sides = tuple(SIDES.get(cell.casefold(), "") for cell in cells)
        if len(set(sides) - {""}) > 1 and all(sides):
            return sides
    return ()


def collection_subject(
    collection: Collection, encoder: Encoder | None, progress: Progress
) -> Subject:
    """Measure the photos of a collection."""
    photos = collection.photos
    seen = survey(
        (photo.image for photo in photos),
        encoder,
        on_progress=lambda done: progress("pictures", done, len(photos)),
    )
    trials = {"test": collection.test} | ({"val": collection.val} if collection.val else {})
    names = sorted({name for photo in photos for name in photo.attributes})
    columns = {name: tuple(p.attributes.get(name, "") for p in photos) for name in names}
    unread = {photos[row].id: unreadable(photos[row], error) for row, error in seen.errors}
    missing = {
        photo.id: collection.missing.get(photo.id, unread[photo.id])
        for photo in photos
        if photo.id in unread and (photo.id in collection.missing or _is_absent(photo))
    }
    return Subject(
        name=collection.name,
        ids=tuple(photo.id for photo in photos),
        columns={"category": tuple(photo.category for photo in photos)} | columns,
        looks=seen.looks,
        vectors=seen.vectors,
        images=lambda rows: {row: photos[row].image for row in rows},
        unreadable=tuple(problem for id_, problem in unread.items() if id_ not in missing),
        missing=tuple(missing.values()),
        unusable=collection.problems,
        sides=_sides_of(collection),
        train=tuple(collection.train.tolist()),
        groups=tuple(group_of(photo) for photo in photos),
        trials=trials,
        keys={t.match: tuple(key_of(p, t.match) for p in photos) for t in trials.values()},
        published=collection.published,
        counts=collection.counts,
    )


def _is_absent(photo: Photo) -> bool:
    return photo.image.path is not None and not photo.image.path.is_file()


def _sides_of(collection: Collection) -> tuple[str, ...]:
    """Side of every photo; a gallery row that is also trained on is a distractor, so "train"."""
    sides = np.full(len(collection.photos), "", dtype="<U5")
    trials = {"val": collection.val, "test": collection.test}
    for name, trial in trials.items():
        if trial is not None:
            sides[trial.gallery] = name
    sides[collection.train] = "train"
    for name, trial in trials.items():
        if trial is not None:
            sides[trial.query] = name
    return tuple(sides.tolist())


def outfit_subject(
    path: Path,
    catalog: Path | None,
    images: Path | None,
    mapping: Mapping[str, str] | None,
    progress: Progress,
) -> OutfitSubject:
    """Read an outfits file and the catalogue of its items."""
    members = list(read_members(path))
    named = {member.item for member in members if isinstance(member, Member)}
    opened = open_catalog(catalog or _beside(path, named), mapping=mapping, images=images)
    items = catalog_subject(opened, None, progress)
    row_of = {id_: row for row, id_ in enumerate(items.ids)}
    outfits, unknown = gather(members, row_of)
    return OutfitSubject(
        replace(items, name=str(path)),
        tuple(outfit.id for outfit in outfits),
        tuple(tuple(row_of[item] for item in outfit.items) for outfit in outfits),
        tuple(unknown),
    )


def _beside(path: Path, items: Bag[str]) -> Path:
    """The one other catalogue file in an outfits file's folder that lists `items`."""
    others = [
        other
        for other in sorted(path.parent.iterdir())
        if other != path
        and KINDS.get(other.suffix.lower()) in ("csv", "parquet", "jsonl")
        and other.suffix.lower() not in (".txt", ".json")
        and not is_outfit_file(other)
    ]
    if len(others) > 1:
        # A file of edits names them too, but has no pictures of them.
        listed = {other: _listed(other, items) for other in others}
        most = max(listed.values())
        others = [other for other in others if listed[other] == most]
    if len(others) == 1:
        return others[0]
    named = ", ".join(other.name for other in others) or "none"
    raise CatalogError(
        f"cannot tell which file beside {path} lists its items (found: {named}); "
        "say it with --catalog FILE"
    )


def _listed(file: Path, items: Bag[str]) -> tuple[int, int]:
    """How many of some items a file lists, read as a catalogue; with a picture, and at all."""
    try:
        rows = [row for row in open_catalog(file).rows() if isinstance(row, Item)]
    except CoordiError:
        return 0, 0
    there = [row for row in rows if row.id in items]
    return sum(row.image is not None for row in there), len(there)
