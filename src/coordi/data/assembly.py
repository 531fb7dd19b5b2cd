"""From a collection's spec to its photos, split and trials."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from coordi.data.catalog import open_catalog
from coordi.data.collection import Collection, PhotoRows, Trial, checked, group_of, key_of
from coordi.data.fieldtypes import stripped
from coordi.data.specs import CollectionSpec
from coordi.data.splits import Split, split_of
from coordi.data.vocabulary import without_colors
from coordi.errors import InputError, UnknownNameError
from coordi.types import Item, Origin, Photo, Problem, Say

KINDS = ("catalog", "pairs", "drawn")
"""Kinds of collections beside the benchmarks' readers."""


def assemble(spec: CollectionSpec, root: Path, say: Say) -> Collection:
    """Read what a spec describes, but for what is drawn: see `coordi.drawn.collections`."""
    if spec.kind == "pairs":
        return _pairs(spec, root, say)
    if spec.kind != "catalog":
        return _benchmark(spec, root)
    return among_themselves(spec, catalog_photos(spec, root, say), say)


class Reading(NamedTuple):
    """What the rows of a catalogue give."""

    photos: tuple[Photo, ...]
    """All of them, also those whose picture is not there."""
    problems: tuple[Problem, ...] = ()
    """Rows that give no photo."""
    missing: Mapping[str, Problem] = MappingProxyType({})
    """Id of a photo → why its picture is not there."""


def catalog_photos(spec: CollectionSpec, root: Path, say: Say = lambda _: None) -> Reading:
    """Read the photos of a spec's catalogue.

    Raises `InputError` where a pattern or attribute names a field that the catalogue lacks.
    """
    catalog = open_catalog(root / spec.path, mapping=spec.map or None)
    _check_fields(spec, catalog.fields)
    photos: dict[str, Photo] = {}
    problems: list[Problem] = []
    missing: dict[str, Problem] = {}
    for row in catalog.rows():
        if isinstance(row, Problem) and not row.rows:
            problems.append(row)  # what the item before it went in without
            continue
        absent = row if isinstance(row, Problem) and row.item else None
        made = _photo((absent and absent.item) or row, spec)
        if isinstance(made, Photo) and made.id in photos:
            # the catalogue tells this of rows with pictures; whether one is there decides nothing
            made = Problem(_origin(row, spec), f"an earlier row has the id {made.id!r}", made.id)
        if isinstance(made, Problem):
            problems.append(made)
            continue
        photos[made.id] = made
        if absent:
            missing[made.id] = replace(absent, item=None)
    say(
        f"{spec.name}: {len(photos)} photos, of which {len(missing)} lack their picture; "
        f"{len(problems)} rows that cannot be used"
    )
    return Reading(tuple(photos.values()), tuple(problems), missing)


def _origin(row: Item | Problem, spec: CollectionSpec) -> Origin:
    return row.origin or Origin(spec.path)


def _check_fields(spec: CollectionSpec, fields: Iterable[str]) -> None:
    known = {*fields, "id", "title", "bare_title", "category"}
    for pattern in (spec.item, spec.group):
        try:
            pattern.format_map(dict.fromkeys(known, ""))
        except (KeyError, ValueError, IndexError) as error:
            raise InputError(
                f"{spec.name}: pattern {pattern!r} does not fit ({error}). "
                f"Fields: {', '.join(sorted(known))}"
            ) from error
    lacking = sorted(set(spec.attributes) - known)
    if lacking:
        raise InputError(
            f"{spec.name}: the catalogue has no field {lacking[0]!r}. "
            f"Fields: {', '.join(sorted(known))}"
        )


def _photo(row: Item | Problem, spec: CollectionSpec) -> Photo | Problem:
    if isinstance(row, Problem):
        return row
    origin = _origin(row, spec)
    if row.image is None:
        return Problem(origin, "the row has no picture; give it one", id=row.id)
    values = {name: stripped(value) for name, value in row.fields.items()}
    values |= {"id": row.id, "title": row.title, "bare_title": without_colors(row.title)}
    values.setdefault("category", "")
    item = spec.item.format_map(values).strip()
    if not item:
        return Problem(origin, f"item pattern {spec.item!r} is empty here", id=row.id)
    known = {name: _known(values[name], spec) for name in spec.attributes}
    return Photo(
        id=row.id,
        image=row.image,
        item=item,
        category=_known(values["category"], spec),
        attributes={name: value for name, value in known.items() if value},
        group=spec.group.format_map(values).strip(),
    )


def _known(label: str, spec: CollectionSpec) -> str:
    return "" if label.lower() in spec.ignore_labels else label


def among_themselves(spec: CollectionSpec, read: Reading, say: Say) -> Collection:
    """Held-out photos looked for among the held-out; photos without the label stay out."""
    kept = tuple(photo for photo in read.photos if key_of(photo, spec.match))
    unlabelled = len(read.photos) - len(kept)
    if unlabelled:
        say(f"{spec.name}: {unlabelled} photos left out, {spec.match} not known")
    read = _of(kept, read)
    _need(read, spec)
    sides = sides_of(spec, kept)
    held_out = {
        side: Trial(sides[side], sides[side], spec.match, spec.apart, spec.within)
        for side in ("val", "test")
    }
    counts = {"photos without label": unlabelled}
    return _collection(spec, read, sides["train"], held_out, counts)


def _of(photos: tuple[Photo, ...], read: Reading) -> Reading:
    """A reading of fewer photos."""
    missing = {p.id: read.missing[p.id] for p in photos if p.id in read.missing}
    return Reading(photos, read.problems, missing)


def sides_of(spec: CollectionSpec, photos: Sequence[Photo]) -> dict[str, PhotoRows]:
    """Rows of each side of the split, by the photos' groups."""
    sides: dict[str, list[int]] = {"train": [], "val": [], "test": []}
    for row, photo in enumerate(photos):
        sides[side_of(spec, group_of(photo))].append(row)
    return {side: np.array(rows, np.int64) for side, rows in sides.items()}


def side_of(spec: CollectionSpec, key: str) -> Split:
    """The side of a group, or of the id of a background."""
    return split_of(key, val=spec.val, test=spec.test)


def with_street(spec: CollectionSpec, read: Reading, street: Sequence[Photo]) -> Collection:
    """Street photos of held-out garments looked for among all packshots, training's too."""
    packshots = read.photos
    _need(read, spec)
    photos = (*packshots, *street)
    sides = sides_of(spec, photos)
    gallery = np.arange(len(packshots), dtype=np.int64)
    trials = {
        side: Trial(
            sides[side][sides[side] >= len(packshots)], gallery, spec.match, spec.apart, spec.within
        )
        for side in ("val", "test")
    }
    return _collection(spec, read._replace(photos=photos), sides["train"], trials, {})


def _pairs(spec: CollectionSpec, root: Path, say: Say) -> Collection:
    """A catalogue and the street photos in which its items are worn."""
    from coordi.data.pairs import paired_collection, read_pairs

    read = catalog_photos(spec, root)
    _need(read, spec)
    found = read_pairs(root / spec.pairs, spec.pairs_map)
    made = paired_collection(spec.name, read.photos, found, val=spec.val, test=spec.test)
    _asked(made.test.query, spec)
    say(f"{spec.name}: {', '.join(f'{n} {what}' for what, n in made.counts.items())}")

    def trial(one: Trial) -> Trial:
        return replace(one, match=spec.match, apart=spec.apart, within=spec.within)

    return checked(
        replace(
            made,
            test=trial(made.test),
            val=made.val and trial(made.val),
            problems=(*read.problems, *made.problems),
            missing={**made.missing, **read.missing},
        )
    )


def _benchmark(spec: CollectionSpec, root: Path) -> Collection:
    from coordi.data.benchmarks import READERS

    if spec.kind not in READERS:
        raise UnknownNameError("kind of collection", spec.kind, {*KINDS, *READERS})
    return READERS[spec.kind](root / spec.path)


def _need(read: Reading, spec: CollectionSpec) -> None:
    where = spec.path or spec.kind
    if not read.photos:
        raise InputError(
            f"{spec.name}: no usable photo in {where!r}; look at its rows with `coordi doctor`"
        )
    if all(photo.id in read.missing for photo in read.photos):
        first = next(iter(read.missing.values()))
        raise InputError(
            f"{spec.name}: no usable photo in {where!r}: not one of {len(read.photos):,} pictures "
            f"is there (first {first.origin}: {first.reason}). Is the data root right?"
        )


def _asked(queries: PhotoRows, spec: CollectionSpec) -> None:
    if not len(queries):
        raise InputError(f"{spec.name}: nothing to ask about; raise the share `test`")


def _collection(
    spec: CollectionSpec,
    read: Reading,
    train: PhotoRows,
    trials: Mapping[str, Trial],
    counts: Mapping[str, int],
) -> Collection:
    val, test = trials["val"], trials["test"]
    found = {
        "train photos": len(train),
        "val queries": len(val.query),
        "test queries": len(test.query),
        "test gallery": len(test.gallery),
        **{name: count for name, count in counts.items() if count},
    }
    _asked(test.query, spec)
    return checked(
        Collection(
            spec.name,
            read.photos,
            train,
            test,
            val if len(val.query) else None,
            read.problems,
            counts=found,
            missing=read.missing,
        )
    )
