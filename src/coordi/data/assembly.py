"""From a collection's spec to its photos, split and trials."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from coordi.data.catalog import open_catalog
from coordi.data.collection import Collection, PhotoRows, Trial, checked, group_of, key_of
from coordi.data.drawn import Garment, draw_garment, draw_street, draw_wardrobe
from coordi.data.pseudo_street import Backdrops, DrawnBackdrops, StreetBackdrops, render_views
from coordi.data.pseudo_street.render import street_photos
from coordi.data.rendering import Job, Rendered, render
from coordi.data.specs import CollectionSpec, PseudoStreet
from coordi.data.splits import Split, split_of
from coordi.data.vocabulary import without_colors
from coordi.errors import InputError, UnknownNameError
from coordi.types import Box, Image, ImageRef, Item, Origin, Photo, Problem, Say

KINDS = ("catalog", "pairs", "drawn")
"""Kinds of collections beside the benchmarks' readers."""


def assemble(spec: CollectionSpec, root: Path, cache: Path, say: Say) -> Collection:
    """Read what a spec describes; see `coordi.data.specs.load_collection`."""
    if spec.kind == "drawn":
        return _drawn(spec, cache, say)
    if spec.kind == "pairs":
        return _pairs(spec, root, say)
    if spec.kind != "catalog":
        return _benchmark(spec, root)
    read = catalog_photos(spec, root)
    say(
        f"{spec.name}: {len(read.photos)} photos, of which {len(read.missing)} lack their picture; "
        f"{len(read.problems)} rows that cannot be used"
    )
    if spec.pseudo_street is not None:
        return _with_views(spec, root, cache, say, read)
    return among_themselves(spec, read, say)


class Reading(NamedTuple):
    """What the rows of a catalogue give."""

    photos: tuple[Photo, ...]
    """All of them, also those whose picture is not there."""
    problems: tuple[Problem, ...] = ()
    """Rows that give no photo."""
    missing: Mapping[str, Problem] = MappingProxyType({})
    """Id of a photo → why its picture is not there."""


def catalog_photos(spec: CollectionSpec, root: Path) -> Reading:
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
    values = {name: _text(value) for name, value in row.fields.items()}
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


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


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


def _with_views(
    spec: CollectionSpec, root: Path, cache: Path, say: Say, read: Reading
) -> Collection:
    """Packshots, and street views made of them."""
    assert spec.pseudo_street is not None
    how, photos = spec.pseudo_street, read.photos
    views = {"train": how.views, "val": how.asked, "test": how.asked}
    sides = [side_of(spec, group_of(photo)) for photo in photos]
    backdrops: dict[str, Backdrops] = {}
    for side in sorted(set(sides)):
        backdrops[side] = _backdrops(spec, root, side)
    say(f"{spec.name}: street views of {len(photos)} packshots, those that the cache lacks")
    street, failed = render_views(
        photos,
        views,
        backdrops,
        sides,
        cache,
        seed=how.seed,
        size=_upright(how.size),
        on_progress=_every_tenth(spec.name, say),
    )
    say(f"{spec.name}: {len(street)} views, of which {len(failed)} could not be made")
    return with_street(spec, read._replace(missing={**read.missing, **failed}), street)


def _backdrops(spec: CollectionSpec, root: Path, side: Split) -> Backdrops:
    assert spec.pseudo_street is not None
    folder = spec.pseudo_street.backgrounds
    if not folder:
        return DrawnBackdrops(side)
    return StreetBackdrops(root / folder, side, val=spec.val, test=spec.test)


def _upright(height: int) -> tuple[int, int]:
    return round(height * 3 / 4), height


def _every_tenth(name: str, say: Say) -> Callable[[int, int], None]:
    told = [0]

    def on_progress(done: int, total: int) -> None:
        if done * 10 // total > told[0]:
            told[0] = done * 10 // total
            say(f"{name}: {done} of {total} packshots")

    return on_progress


def _drawn(spec: CollectionSpec, cache: Path, say: Say) -> Collection:
    """Garments of the drawn wardrobe, and figures that wear them."""
    garments = draw_wardrobe(spec.count, spec.seed).garments
    how = spec.pseudo_street or PseudoStreet()
    say(f"{spec.name}: {len(garments)} garments to draw, those that the cache lacks")
    jobs = []
    for garment in garments:
        side = side_of(spec, garment.id)
        views = how.views if side == "train" else how.asked
        name = f"{_DRAWN} {garment} {spec.size} {how.size} {how.seed} {views}"
        jobs.append(Job(name, partial(_draw, garment, spec.size, how, views)))
    outcomes = render(jobs, cache / "drawn", _every_tenth(spec.name, say))
    packshots, street = [], []
    for garment, made in zip(garments, outcomes, strict=True):
        packshot = _drawn_photo(garment, made.files[0], spec)
        packshots.append(packshot)
        street += street_photos(packshot, Rendered(made.files[1:], made.boxes[1:]))
    read = Reading(tuple(packshots))
    return (
        among_themselves(spec, read, say)
        if spec.match != "item"
        else with_street(spec, read, street)
    )


_DRAWN = 1  # raise it whenever drawings come out otherwise


def _draw(
    garment: Garment, size: int, how: PseudoStreet, views: int
) -> list[tuple[Image, Box | None]]:
    """The packshot of a garment, then figures that wear it."""
    street = (
        draw_street(garment, 1000 * how.seed + number, _upright(how.size))
        for number in range(views)
    )
    return [(draw_garment(garment, size), None), *street]


def _drawn_photo(garment: Garment, file: Path, spec: CollectionSpec) -> Photo:
    known = {name: str(getattr(garment, name, "")) for name in spec.attributes}
    return Photo(
        id=garment.id,
        image=ImageRef(file),
        item=garment.id,
        category=garment.kind,
        attributes={name: value for name, value in known.items() if value},
    )


def _pairs(spec: CollectionSpec, root: Path, say: Say) -> Collection:
    """A catalogue and the street photos in which its items are worn."""
    from coordi.data.pairs import paired_collection, read_pairs

    read = catalog_photos(spec, root)
    _need(read, spec)
    found = read_pairs(root / spec.pairs)
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
