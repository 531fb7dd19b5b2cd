"""Collections by their specs, also those that are drawn and whose street views are made here."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from coordi.data.assembly import (
    Reading,
    among_themselves,
    assemble,
    catalog_photos,
    side_of,
    with_street,
)
from coordi.data.collection import Collection, group_of
from coordi.data.rendering import Job, Rendered, render
from coordi.data.specs import CollectionSpec, PseudoStreet
from coordi.data.splits import Split
from coordi.drawn import Garment, draw_garment, draw_street, draw_wardrobe
from coordi.drawn.street_views import Backdrops, DrawnBackdrops, StreetBackdrops, render_views
from coordi.drawn.street_views.render import street_photos
from coordi.types import Box, Image, ImageRef, Photo, Say


def load_collection(
    spec: CollectionSpec, root: Path, *, cache: Path, say: Say = lambda _: None
) -> Collection:
    """Read the photos of a collection; paths start from `root`, views are drawn into `cache`.

    `say` is told what takes long and what was left out. Raises `InputError` or `NotFoundError`
    where nothing usable is there; single photos that fail are the collection's problems.
    """
    if spec.kind == "drawn":
        return _drawn(spec, cache, say)
    if spec.kind == "catalog" and spec.pseudo_street is not None:
        return _with_views(spec, root, cache, say)
    return assemble(spec, root, say)


def _with_views(spec: CollectionSpec, root: Path, cache: Path, say: Say) -> Collection:
    """Packshots, and street views made of them."""
    assert spec.pseudo_street is not None
    read = catalog_photos(spec, root, say)
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
