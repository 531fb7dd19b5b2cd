"""Training examples in memory: small squared pictures, what is known of each, and its captions."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from pydantic import Field, model_validator

from coordi.data.catalog import open_catalog
from coordi.data.colors import nearest_color
from coordi.data.images import decode_crop, read_bytes
from coordi.data.segments import Segment, read_segments
from coordi.data.splits import Split, split_of
from coordi.data.vocabulary import CATEGORIES, COLORS, canonical, without_colors
from coordi.errors import ImageError, RecipeError
from coordi.training.recipe import Strict, changed
from coordi.types import Box, Image, ImageRef, Item, Origin, Problem


class Source(Strict):
    """One collection of pictures to learn from."""

    name: str
    """How logs and split keys call it."""
    kind: Literal["catalog", "segments", "drawn"] = "catalog"
    """A catalogue, street photos with garment masks, or the drawn wardrobe."""
    path: str = "."
    """File or folder, relative to the recipe's `data`."""
    map: dict[str, str] = Field(default_factory=dict)
    """Role → column, where the guess would be wrong."""
    group: str = "{id}"
    """Split key, from fields in braces; `{bare_title}` is the title without its colour words."""
    use_titles: bool = True
    """Whether titles serve as captions."""
    extras: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Column → value → words for captions; the value "*" stands for all others, with `{value}`."""
    ignore_labels: tuple[str, ...] = ()
    """Category labels, in lower case, that say nothing: their pictures are left out."""
    clean: bool = False
    """Whether its pictures stand before white, so that backgrounds may be put behind them."""
    size: int = Field(144, ge=32, le=512)
    """Side in pixels of the pictures kept in memory."""
    share: float = Field(1.0, gt=0)
    """Part of each batch, relative to the other sources."""
    pairs: bool = False
    """Whether its pictures come two by two, of one item, which `item_weight` draws together: with
    one of its street views where there is any, else the same picture changed twice."""
    views: str | None = None
    """Catalogue only: packaged collection, or YAML file of one, whose street views of the same
    items (by id) are seen as well."""
    count: int = Field(600, ge=10)
    """Drawn wardrobe only: garments."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Drawn wardrobe only."""

    @model_validator(mode="after")
    def _fields_are_of_the_kind(self) -> "Source":
        foreign = {f for kind, fields in _FIELDS.items() if kind != self.kind for f in fields}
        if unused := changed(self, sorted(foreign - _FIELDS[self.kind])):
            raise ValueError(f"{unused[0]} is not for kind: {self.kind}; leave it out")
        return self


_FIELDS: dict[str, set[str]] = {
    "catalog": {"path", "map", "group", "use_titles", "extras", "ignore_labels", "clean", "views"},
    "segments": {"path"},
    "drawn": {"count", "seed"},
}
"""Fields of a source that not every kind has."""


@dataclass(frozen=True, slots=True)
class Example:
    """What one picture shows, as far as its source says."""

    id: str
    source: str
    group: str
    """All examples of one group stand on the same side of a split."""
    category: str | None
    """Canonical category."""
    color: str | None
    """Canonical colour."""
    label: str = ""
    """Category as the source itself writes it."""
    color_label: str = ""
    """Colour as the source itself writes it."""
    title: str = ""
    extras: tuple[str, ...] = ()
    """Further words that are true of it ("women", "denim", "summer")."""
    clean: bool = False
    """Whether it stands before a plain white background."""
    item: str = ""
    """Key of the item where the source comes in pairs: one garment in one colour."""


@dataclass(frozen=True, slots=True)
class ExampleSet:
    """Examples of one source with their pictures."""

    name: str
    examples: tuple[Example, ...]
    pictures: NDArray[np.uint8]  # (N, S, S, 3)
    problems: tuple[Problem, ...] = ()
    """Pictures that could not be read; they are in no count."""
    views: tuple[tuple[int, ...], ...] = ()
    """Rows of the street views of each of the source's own pictures, which come first."""

    @property
    def own(self) -> int:
        """How many pictures are the source's own."""
        return len(self.views) or len(self.examples)


def load_source(source: Source, root: Path, split: Split, cache: Path | None = None) -> ExampleSet:
    """Read one side of a source of a recipe, with paths relative to `root`.

    With `cache`, street views (`views` of the source) come along. Sides are those of the packaged
    collections: what one of them keeps back, training here never sees. Raises `RecipeError` for
    a source that yields nothing, since training on less than the recipe says would give other
    weights in silence.
    """
    readers = {"catalog": _from_catalog, "segments": _from_segments, "drawn": _from_drawn}
    examples: list[Example] = []
    pictures: list[Image] = []
    problems: list[Problem] = []
    for example, read in readers[source.kind](source, root):
        if split_of(example.group.removeprefix(f"{source.name}/")) != split:
            continue
        try:
            picture = read()
        except ImageError as error:
            problems.append(_unread(example, error))
            continue
        if source.pairs:
            example = replace(example, item=f"{example.group} {example.color_label}")
        examples.append(example)
        pictures.append(squared(picture, source.size))
    if not examples:
        raise RecipeError(
            f"source {source.name!r} ({root / source.path}) holds no usable picture to {split} on"
        )
    views: tuple[tuple[int, ...], ...] = ()
    if source.views is not None and cache is not None:
        views, unread = _add_views(source, root, cache, examples, pictures)
        problems += unread
    return ExampleSet(source.name, tuple(examples), np.stack(pictures), tuple(problems), views)


def _unread(example: Example, error: ImageError) -> Problem:
    return Problem(Origin(example.source), str(error), example.id, "image")


def _add_views(
    source: Source, root: Path, cache: Path, examples: list[Example], pictures: list[Image]
) -> tuple[tuple[tuple[int, ...], ...], list[Problem]]:
    """Append the street views of a source's pictures → their rows, and what cannot be read."""
    from coordi.data.specs import load_spec
    from coordi.drawn.collections import load_collection

    collection = load_collection(load_spec(source.views or ""), root, cache=cache)
    rows = {example.id: row for row, example in enumerate(examples)}
    views: list[list[int]] = [[] for _ in examples]
    problems: list[Problem] = []
    for photo in collection.photos:
        row = rows.get(photo.item)
        if row is None or not photo.street:
            continue
        try:
            picture = _decoded(photo.image, source.size, photo.box)
        except ImageError as error:
            problems.append(_unread(examples[row], error))
            continue
        views[row].append(len(examples))
        examples.append(replace(examples[row], clean=False))
        pictures.append(squared(picture, source.size))
    if not any(views):
        raise RecipeError(
            f"collection {source.views!r} holds no street view of an item of {source.name!r}: "
            "photos there must carry the catalogue's ids as items"
        )
    return tuple(map(tuple, views)), problems


Readable = tuple[Example, Callable[[], Image]]
"""An example and how to read its picture, which raises `ImageError` where that fails."""


def squared(picture: Image, size: int) -> Image:
    """The picture squeezed to (size, size), as the encoder itself will see it."""
    return np.asarray(Pillow.fromarray(picture).resize((size, size), Pillow.Resampling.BICUBIC))


def _from_catalog(source: Source, root: Path) -> Iterator[Readable]:
    catalog = open_catalog(root / source.path, mapping=source.map)
    for row in catalog.rows():
        if not isinstance(row, Item) or row.image is None:
            continue
        example = _example(row, source)
        if example is None:
            continue
        yield example, partial(_decoded, row.image, source.size)


def _decoded(image: ImageRef, size: int, box: Box | None = None) -> Image:
    return decode_crop(read_bytes(image), box, size)


def _example(item: Item, source: Source) -> Example | None:
    fields = {**item.fields, "id": item.id, "title": item.title}
    label = _text(fields.get("category"))
    if label.lower() in source.ignore_labels:
        return None
    title = _text(item.title) if source.use_titles else ""
    group = source.group.format(**fields, bare_title=without_colors(_text(item.title)))
    return Example(
        id=item.id,
        source=source.name,
        group=f"{source.name}/{group}",
        category=canonical(label, CATEGORIES),
        color=canonical(_text(fields.get("color")), COLORS),
        label=label,
        color_label=_text(fields.get("color")),
        title=title,
        extras=tuple(_extras(source, fields)),
        clean=source.clean,
    )


def _extras(source: Source, fields: Mapping[str, object]) -> Iterable[str]:
    for column, words in source.extras.items():
        value = _text(fields.get(column))
        word = words.get(value, words.get("*", "").format(value=value.lower()))
        if value and word:
            yield word


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _from_segments(source: Source, root: Path) -> Iterator[Readable]:
    for segment in read_segments(root / source.path):
        if isinstance(segment, Problem):
            photo = segment.id or str(segment.origin)
            lost = Example(photo, source.name, f"{source.name}/{photo}", None, None)
            yield lost, partial(_refused, segment)
            continue
        category = canonical(segment.label, CATEGORIES)
        if category is not None:
            yield (
                Example(
                    f"{segment.photo}/{segment.label}",
                    source.name,
                    f"{source.name}/{segment.photo}",
                    category,
                    nearest_color(segment.color),
                    segment.label,
                ),
                partial(_cropped, segment),
            )


def _refused(problem: Problem) -> Image:
    raise ImageError(f"{problem.origin}: {problem.reason}")


def _cropped(segment: Segment) -> Image:
    return segment.crop


def _from_drawn(source: Source, root: Path) -> Iterator[Readable]:  # noqa: ARG001
    from coordi.drawn import draw_garment, draw_wardrobe

    for garment in draw_wardrobe(count=source.count, seed=source.seed).garments:
        yield (
            Example(
                garment.id,
                source.name,
                f"{source.name}/{garment.id}",
                canonical(garment.kind, CATEGORIES),
                canonical(garment.color, COLORS),
                garment.kind,
                garment.color,
                garment.title,
                clean=True,
            ),
            partial(draw_garment, garment, source.size),
        )
