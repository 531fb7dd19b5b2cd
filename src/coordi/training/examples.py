"""Training examples in memory: small squared pictures, what is known of each, and its captions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
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
from coordi.data.images import crop, decode_crop, read_bytes
from coordi.data.masks import mask_numbers
from coordi.data.segments import Segment, read_segments
from coordi.data.splits import Split, split_of
from coordi.data.vocabulary import CATEGORIES, COLORS, canonical, without_colors
from coordi.errors import ImageError, RecipeError
from coordi.training.recipe import Strict, changed
from coordi.types import Box, Image, ImageRef, Item, Origin, Photo, Problem


class Source(Strict):
    """One collection of pictures to learn from."""

    name: str
    """How logs and split keys call it."""
    kind: Literal["catalog", "collection", "segments", "drawn"] = "catalog"
    """A catalogue, a collection of shop and street photos, street photos with garment masks, or
    the drawn wardrobe."""
    path: str = "."
    """File or folder, relative to the recipe's `data`; of a collection its packaged name."""
    pictures: str = ""
    """Catalogue only: where its pictures lie instead, relative to `data`, from fields in braces
    ("large/{id}.webp"); rows without such a picture are left out."""
    same_as: str = ""
    """Catalogue only: the source whose rows these are too, of which it has other pictures; they
    share items, labels and sides of the split."""
    category: str = ""
    """Catalogue only: canonical category of all its pictures, where no column says."""
    pattern: str = ""
    """Catalogue only: column of the pattern."""
    patterns: dict[str, str] = Field(default_factory=dict)
    """Catalogue only: pattern, in lower case → what words call it, "" where it says nothing."""
    garment: tuple[int, ...] = ()
    """Collection only: numbers of its masks that are the garment; where there are any, pictures
    come with what is garment in them."""
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
    "catalog": {
        "path", "map", "group", "use_titles", "extras", "ignore_labels", "clean", "views",
        "pictures", "same_as", "category", "pattern", "patterns",
    },
    "collection": {"path", "garment", "clean", "use_titles"},
    "segments": {"path"},
    "drawn": {"count", "seed"},
}  # fmt: skip
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
    pattern: str = ""
    """In lower case, as words call it; "" where it is not known."""


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
    garments: NDArray[np.uint8] | None = None  # (N, S, S)
    """How much of each pixel is garment, 255 all; None where the source does not say."""

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
    examples: list[Example] = []
    pictures: list[Image] = []
    problems: list[Problem] = []
    for example, read in _listed(source, root, split, cache):
        try:
            picture = read()
        except ImageError as error:
            problems.append(_unread(example, error))
            continue
        if source.pairs and not example.item:
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
    if source.kind == "collection":
        views = _views_of_items(examples)
    stacked, garments = np.stack(pictures), None
    if source.garment:
        stacked, garments = stacked[..., :3], stacked[..., 3]
    return ExampleSet(source.name, tuple(examples), stacked, tuple(problems), views, garments)


def some_pictures(
    source: Source, root: Path, split: Split, cache: Path | None, most: int
) -> list[Image]:
    """About `most` pictures from all over a side of a source, squared; unreadable ones missing."""
    listed = list(_listed(source, root, split, cache))
    found = []
    for _, read in listed[:: max(1, len(listed) // most)]:
        with suppress(ImageError):
            found.append(squared(read(), source.size)[..., :3])
    return found


def _listed(source: Source, root: Path, split: Split, cache: Path | None) -> Iterator["Readable"]:
    """The examples of one side of a source, their pictures still to be read."""
    if source.kind == "collection":
        yield from _from_collection(source, root, split, cache)
        return
    readers = {"catalog": _from_catalog, "segments": _from_segments, "drawn": _from_drawn}
    for example, read in readers[source.kind](source, root):
        if split_of(example.group.partition("/")[2]) == split:
            yield example, read


def _views_of_items(examples: Sequence[Example]) -> tuple[tuple[int, ...], ...]:
    """Of each shop photo, which come first, the rows of the street photos of its item."""
    own = next((row for row, e in enumerate(examples) if not e.clean), len(examples))
    street: dict[str, list[int]] = {}
    for row in range(own, len(examples)):
        street.setdefault(examples[row].item, []).append(row)
    return tuple(tuple(street.get(example.item, ())) for example in examples[:own])


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
    """The picture squeezed to (size, size), as the encoder itself will see it.

    A fourth channel, which is no alpha to Pillow, is squeezed on its own.
    """
    if picture.shape[2] == 4:
        parts = squared(picture[..., :3], size), squared(picture[..., [3, 3, 3]], size)
        return np.concatenate([parts[0], parts[1][..., :1]], axis=2)
    return np.asarray(Pillow.fromarray(picture).resize((size, size), Pillow.Resampling.BICUBIC))


def _from_collection(
    source: Source, root: Path, split: Split, cache: Path | None
) -> Iterator[Readable]:
    """Photos of the collection's own side: those of the shop, then those of the street."""
    from coordi.data.specs import load_spec
    from coordi.drawn.collections import load_collection

    if cache is None or split != "train":
        raise RecipeError(
            f"source {source.name!r}: a collection is learned from; it is measured by its trials"
        )
    collection = load_collection(load_spec(source.path), root, cache=cache)
    photos = [collection.photos[row] for row in collection.train]
    for photo in sorted(photos, key=lambda photo: photo.street):
        example = Example(
            id=photo.id,
            source=source.name,
            group=f"{source.name}/{photo.item}",
            category=canonical(_text(photo.category), CATEGORIES),
            color=None,
            label=_text(photo.category),
            clean=not photo.street,
            item=f"{source.name}/{photo.item}",
        )
        yield example, partial(_photo, photo, source)


_NEAR_WHITE = 238
"""From here on in all channels, a pixel of a packshot is taken for ground."""


def _photo(photo: Photo, source: Source) -> Image:
    """The picture of a photo; (H, W, 4) with what is garment in it where the source says so."""
    picture = _decoded(photo.image, source.size, photo.box)
    if not source.garment:
        return picture
    if photo.mask is None:
        garment = picture.min(-1) < _NEAR_WHITE
    else:
        numbers = mask_numbers(read_bytes(photo.mask))
        inside = np.isin(numbers, source.garment).astype(np.uint8)
        if photo.box is not None:
            inside = crop(inside, photo.box)
        size = picture.shape[1], picture.shape[0]
        nearest = Pillow.Resampling.NEAREST
        garment = np.asarray(Pillow.fromarray(inside).resize(size, nearest)) > 0
    return np.concatenate([picture, np.uint8(255) * garment[..., None].astype(np.uint8)], axis=2)


def _from_catalog(source: Source, root: Path) -> Iterator[Readable]:
    catalog = open_catalog(root / source.path, mapping=source.map)
    for row in catalog.rows():
        if not isinstance(row, Item):
            continue
        image, example = _image(row, source, root), _example(row, source)
        if image is not None and example is not None:
            yield example, partial(_decoded, image, source.size)


def _image(item: Item, source: Source, root: Path) -> ImageRef | None:
    """The picture of a row; None where there is none."""
    if not source.pictures:
        return item.image
    path = root / source.pictures.format(**{**item.fields, "id": item.id})
    return ImageRef(path) if path.is_file() else None


def _decoded(image: ImageRef, size: int, box: Box | None = None) -> Image:
    return decode_crop(read_bytes(image), box, size)


def _example(item: Item, source: Source) -> Example | None:
    fields = {**item.fields, "id": item.id, "title": item.title}
    label = _text(fields.get("category"))
    if label.lower() in source.ignore_labels:
        return None
    title = _text(item.title) if source.use_titles else ""
    group = source.group.format(**fields, bare_title=without_colors(_text(item.title)))
    pattern, known = _text(fields.get(source.pattern)).lower(), source.same_as or source.name
    return Example(
        id=item.id,
        source=known,
        group=f"{known}/{group}",
        category=canonical(label, CATEGORIES) or source.category or None,
        color=canonical(_text(fields.get("color")), COLORS),
        label=label,
        color_label=_text(fields.get("color")),
        title=title,
        extras=tuple(_extras(source, fields)),
        clean=source.clean,
        pattern=source.patterns.get(pattern, pattern),
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
                pattern=garment.pattern,
            ),
            partial(draw_garment, garment, source.size),
        )
