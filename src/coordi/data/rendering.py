"""Pictures that a collection makes for itself, kept on disk: resumable, written whole or not."""

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xxhash

from coordi.artifacts import write_atomically
from coordi.data.images import encode_jpeg
from coordi.errors import ImageError
from coordi.types import Box, Image

QUALITY = 92
"""JPEG quality of what is kept; a camera's own loss is part of the picture already."""


@dataclass(frozen=True, slots=True)
class Job:
    """Some pictures that are made together."""

    name: str
    """Names the outcome: whatever the pictures depend on is in it."""
    make: Callable[[], list[tuple[Image, Box | None]]]
    """Makes the pictures, each with the garment's box; `ImageError` where that cannot be."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What came of a job: files and boxes, or why there are none."""

    files: tuple[Path, ...] = ()
    boxes: tuple[Box | None, ...] = ()
    reason: str = ""


def render(
    jobs: Sequence[Job], folder: Path, on_progress: Callable[[int, int], None] | None = None
) -> list[Rendered]:
    """Make the pictures of `jobs` that `folder` lacks → an outcome per job, in their order.

    The pictures of a job stand in files, and a note of them is written last, in one step: after
    a kill no half-made job is taken for a whole one, and a picture that was deleted is made
    again. Threads: what takes time here (scaling,
    filters, codecs) lets go of the interpreter.
    """
    outcomes: list[Rendered] = []
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="coordi-render") as pool:
        for begin in range(0, len(jobs), 256):
            some = jobs[begin : begin + 256]
            outcomes.extend(pool.map(lambda job: _outcome(job, folder), some))
            if on_progress is not None:
                on_progress(len(outcomes), len(jobs))
    return outcomes


def _outcome(job: Job, folder: Path) -> Rendered:
    key = xxhash.xxh3_128_hexdigest(job.name.encode())
    place = folder / key[:2]
    note = place / f"{key}.json"
    known = _read_note(note)
    if known is None or not all(file.is_file() for file in _files(place, key, known)):
        place.mkdir(parents=True, exist_ok=True)
        known = _make(job, place, key)
        if not known["reason"]:  # what failed may be mended: it is tried again
            write_atomically(note, json.dumps(known), lasting=False)
    boxes = [None if box is None else (box[0], box[1], box[2], box[3]) for box in known["boxes"]]
    return Rendered(_files(place, key, known), tuple(boxes), known["reason"])


def _files(place: Path, key: str, note: dict[str, Any]) -> tuple[Path, ...]:
    return tuple(place / f"{key}-{number}.jpg" for number in range(len(note["boxes"])))


def _make(job: Job, place: Path, key: str) -> dict[str, Any]:
    try:
        made = job.make()
    except ImageError as error:
        return {"boxes": [], "reason": str(error)}
    for number, (picture, _) in enumerate(made):
        file = place / f"{key}-{number}.jpg"
        write_atomically(file, encode_jpeg(picture, quality=QUALITY), lasting=False)
    return {"boxes": [box for _, box in made], "reason": ""}


def _read_note(note: Path) -> dict[str, Any] | None:
    try:
        known = json.loads(note.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(known, dict) or known.keys() != {"boxes", "reason"} or known["reason"]:
        return None
    return known
