"""Street views of many packshots, made once and kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import xxhash

from coordi.data.images import decode_image, image_hash, read_bytes
from coordi.data.rendering import Job, Rendered, render
from coordi.drawn.street_views.backdrops import Backdrops, Size
from coordi.drawn.street_views.cutout import cut_out
from coordi.drawn.street_views.view import paste_view
from coordi.errors import ImageError
from coordi.types import Box, Image, ImageRef, Origin, Photo, Problem

_FORMAT = 1  # raise it whenever views come out otherwise
_JITTER = 0.05  # a detector's error at each edge of the box, as a share of its size


def render_views(
    photos: Sequence[Photo],
    views: Mapping[str, int],
    backdrops: Mapping[str, Backdrops],
    sides: Sequence[str],
    cache: Path,
    *,
    seed: int = 0,
    size: Size = (240, 320),
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Photo], dict[str, Problem]]:
    """Make street views of packshots → the views as photos, and why some could not be made, by id.

    A packshot that is missing, unreadable or cannot be cut out has its views too, without a
    picture: how many are asked about does not depend on how many could be made.

    `sides` gives the side of each photo, `views` how many views a photo of that side has and
    `backdrops` what they stand before. A view depends on the packshot's bytes, its id, `seed`,
    the side's backdrops and the number of the view alone. Its box is the garment's, a little
    off, as a detector's would be. What `cache` has is not made again.
    """
    tags = {
        side: xxhash.xxh3_64_hexdigest(supply.name.encode()) for side, supply in backdrops.items()
    }
    jobs = [
        Job(
            f"{_FORMAT} {_content(photo)} {photo.id} {seed} {size} {views[side]} {tags[side]}",
            partial(_views, photo, views[side], backdrops[side], seed, size),
        )
        for photo, side in zip(photos, sides, strict=True)
    ]
    outcomes = render(jobs, cache / "pseudo-street", on_progress)
    made: list[Photo] = []
    failed: dict[str, Problem] = {}
    for photo, side, outcome in zip(photos, sides, outcomes, strict=True):
        shown = street_photos(photo, outcome)
        if outcome.reason:
            shown = [_not_made(photo, number) for number in range(views[side])]
            origin = Origin(str(photo.image.path or photo.id))
            reason = f"no street view: {outcome.reason}"
            failed |= {view.id: Problem(origin, reason, id=view.id) for view in shown}
        made += shown
    return made, failed


def _not_made(photo: Photo, number: int) -> Photo:
    return replace(photo, id=f"{photo.id}#{number}", image=ImageRef(data=b""), street=True)


def street_photos(photo: Photo, outcome: Rendered) -> list[Photo]:
    """The pictures made of a packshot, as street photos of the same garment."""
    return [
        replace(photo, id=f"{photo.id}#{number}", image=ImageRef(file), street=True, box=box)
        for number, (file, box) in enumerate(zip(outcome.files, outcome.boxes, strict=True))
    ]


def _content(photo: Photo) -> str:
    try:
        return image_hash(read_bytes(photo.image))
    except ImageError:
        return "unreadable"


def _views(
    photo: Photo, count: int, backdrops: Backdrops, seed: int, size: Size
) -> list[tuple[Image, Box | None]]:
    cutout = cut_out(decode_image(read_bytes(photo.image)))
    made: list[tuple[Image, Box | None]] = []
    for number in range(count):
        rng = np.random.default_rng([seed, xxhash.xxh3_64_intdigest(photo.id.encode()), number])
        view, box = paste_view(cutout, backdrops.draw(rng, size), rng)
        made.append((view, jittered(box, rng)))
    return made


def jittered(box: Box, rng: np.random.Generator) -> Box:
    """A box as a detector would give it: every edge a little off, within the picture."""
    width, height = box[2] - box[0], box[3] - box[1]
    off = rng.normal(0, _JITTER / 2, 4).clip(-_JITTER, _JITTER)
    moved = np.array(box) + off * np.array([width, height, width, height])
    left, top, right, bottom = (round(float(edge), 4) for edge in moved.clip(0, 1))
    return left, top, right, bottom
