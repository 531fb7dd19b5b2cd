"""Pictures of which is known what their pixels show, and how finely: what a finder learns from.

Sources differ in what they know. Masks and parse maps name every pixel, in their own words; of a
packshot the garment is told from its plain ground; a list of what is worn says of every pixel only
what it is not. All of it becomes the same: a mark per pixel, and for each mark the set of classes
that such a pixel can be of.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from pydantic import Field

from coordi.artifacts import atomic_file
from coordi.data.catalog import open_catalog
from coordi.data.images import decode_image, image_hash, read_bytes
from coordi.data.segments import LabelMap, read_mask
from coordi.data.sources import open_tables
from coordi.data.splits import Split, split_of
from coordi.data.vocabulary import CATEGORIES, canonical
from coordi.drawn.street_views.cutout import garment_mask
from coordi.errors import ImageError, RecipeError
from coordi.models.finder.classes import CLASSES, GROUND, numbers
from coordi.training.recipe import Strict
from coordi.types import Image, ImageRef, Item, Origin, Problem, Say

_LABELS = 256
"""Values that a mask can have."""


class MaskSource(Strict):
    """One collection of pictures to learn from."""

    name: str
    """How logs call it."""
    kind: Literal["masks", "tags", "packshots", "drawn"]
    """Pictures with a mask file each; pictures with a list of what they show; a catalogue of
    things on a plain ground; or the drawn wardrobe."""
    path: str = "."
    """Table of pictures, or catalogue, relative to the recipe's `data`."""
    map: dict[str, str] = Field(default_factory=dict)
    """Role (id, image, mask, tags; of a catalogue as always) → column."""
    names: str = ""
    """Masks only: file of the labels' names, one a line, relative to `data`; "" where the mask's
    numbers are the names."""
    labels: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Label → the kinds or families that it can be; of packshots, before the vocabulary."""
    group: str = "{id}"
    """Packshots only: split key, from fields in braces."""
    collection: str = ""
    """Packaged collection whose split says what is learned from, by item, instead of the id's."""
    share: float = Field(1.0, gt=0)
    """Part of each batch, relative to the other sources."""
    most: int = Field(0, ge=0)
    """Use no more than this many of its pictures; 0 uses all."""
    count: int = Field(120, ge=10)
    """Drawn wardrobe only: garments."""


class Marked(NamedTuple):
    """A picture and the marks of its pixels."""

    picture: Image
    marks: LabelMap
    """(height, width) of the picture: places in the example's palette."""


@dataclass(frozen=True, slots=True)
class MaskExample:
    """One picture to learn from."""

    id: str
    palette: NDArray[np.int64]
    """Mark → row of `MaskSet.allowed`; the first is what lies around the picture."""
    read: Callable[[], Marked]
    """Reads both; `ImageError` where that fails."""
    alone: bool = False
    """Whether it shows one thing on a plain ground, which may be laid on other pictures."""


class Sets:
    """Sets of classes by number, each once; number 0 is background."""

    def __init__(self) -> None:
        self._numbers: dict[frozenset[int], int] = {numbers("background"): 0}

    def number(self, allowed: frozenset[int]) -> int:
        """The number of a set, a new one where it is new."""
        return self._numbers.setdefault(allowed, len(self._numbers))

    def table(self) -> NDArray[np.bool_]:
        """(S, C): row s holds the classes of set s."""
        table = np.zeros((len(self._numbers), len(CLASSES)), bool)
        for allowed, row in self._numbers.items():
            table[row, list(allowed)] = True
        return table


ANYTHING = frozenset(range(len(CLASSES)))


@dataclass(frozen=True, slots=True)
class MaskSet:
    """The examples of one source."""

    source: MaskSource
    examples: tuple[MaskExample, ...]
    problems: tuple[Problem, ...] = ()


def load_masks(
    source: MaskSource, root: Path, split: Split, sets: Sets, cache: Path, say: Say
) -> MaskSet:
    """Read one side of a source; new sets of classes go into `sets`.

    Raises `RecipeError` for a source that yields nothing.
    """
    readers = {"masks": _masked, "tags": _tagged, "packshots": _packshots, "drawn": _drawn}
    examples: list[MaskExample] = []
    problems: list[Problem] = []
    wanted = _wanted(source, root, split, cache, say)
    for found in readers[source.kind](source, root, sets, cache, wanted):
        if isinstance(found, Problem):
            problems.append(found)
        else:
            examples.append(found)
        if source.most and len(examples) == source.most:
            break
    if not examples:
        raise RecipeError(
            f"source {source.name!r} ({root / source.path}) holds no usable picture to {split} on"
        )
    return MaskSet(source, tuple(examples), tuple(problems))


def _wanted(
    source: MaskSource, root: Path, split: Split, cache: Path, say: Say
) -> Callable[[str, str], bool]:
    """Whether a picture of some id and split key is on a side."""
    if not source.collection:
        return lambda _, key: split_of(key) == split
    from coordi.data.specs import load_spec
    from coordi.drawn.collections import load_collection

    collection = load_collection(load_spec(source.collection), root, cache=cache, say=say)
    if split == "train":
        rows = collection.train
    else:
        trial = collection.val if split == "val" else collection.test
        rows = trial.query if trial is not None else collection.train[:0]
    items = {collection.photos[row].item for row in rows}
    return lambda id, _: id in items


Wanted = Callable[[str, str], bool]
Found = Iterator[MaskExample | Problem]


def _rows(source: MaskSource, file: Path) -> Iterator[tuple[Origin, dict[str, str]] | Problem]:
    """Rows of a table by role."""
    _, tables = open_tables(str(file))
    for table in tables:
        for record in table.records():
            if isinstance(record, Problem):
                yield record
                continue
            values = {key: str(value or "").strip() for key, value in record.values.items()}
            roles = {role: values.get(column, "") for role, column in source.map.items()}
            yield record.origin, {**values, **roles}


def _masked(source: MaskSource, root: Path, sets: Sets, __: Path, wanted: Wanted) -> Found:
    file = root / source.path
    names = (root / source.names).read_text("utf-8").splitlines() if source.names else None
    labels = [str(number) for number in range(_LABELS)] if names is None else names
    palette = np.array([0, *(sets.number(_allowed(source, label)) for label in labels)])
    for row in _rows(source, file):
        if isinstance(row, Problem):
            yield row
            continue
        _, values = row
        if values["mask"] and wanted(values["id"], values["id"]):
            places = file.parent / values["image"], file.parent / values["mask"]
            yield MaskExample(values["id"], palette, partial(_read_masked, *places, len(labels)))


def _read_masked(photo: Path, mask: Path, labels: int) -> Marked:
    picture = decode_image(read_bytes(ImageRef(photo)))
    marks = Pillow.fromarray(read_mask(mask, min(labels, _LABELS - 1)) + 1)
    size = picture.shape[1], picture.shape[0]
    return Marked(picture, np.asarray(marks.resize(size, Pillow.Resampling.NEAREST)))


def _allowed(source: MaskSource, label: str) -> frozenset[int]:
    """What a label can be; anything where the source does not say."""
    return numbers(*source.labels[label]) if label in source.labels else ANYTHING


def _tagged(source: MaskSource, root: Path, sets: Sets, __: Path, wanted: Wanted) -> Found:
    """Pictures of which is known what they show and what not, but not where."""
    file = root / source.path
    for row in _rows(source, file):
        if isinstance(row, Problem):
            yield row
            continue
        _, values = row
        tags = [tag for tag in values["tags"].split(";") if tag]
        if values.get("mask") or not tags or not wanted(values["id"], values["id"]):
            continue
        allowed = numbers(*GROUND).union(*(_allowed(source, tag) for tag in tags))
        palette = np.array([sets.number(allowed)])
        yield MaskExample(
            values["id"], palette, partial(_read_plain, file.parent / values["image"])
        )


def _read_plain(photo: Path) -> Marked:
    picture = decode_image(read_bytes(ImageRef(photo)))
    return Marked(picture, np.zeros(picture.shape[:2], np.uint8))


def _packshots(source: MaskSource, root: Path, sets: Sets, cache: Path, wanted: Wanted) -> Found:
    """Things on a plain ground, whose category says what they are."""
    for item in open_catalog(root / source.path, mapping=source.map).rows():
        if not isinstance(item, Item) or item.image is None:
            continue
        fields = {**item.fields, "id": item.id}
        label = str(fields.get("category") or "")
        allowed = source.labels.get(label) or kinds_of(label)
        if not allowed or not wanted(item.id, source.group.format(**fields)):
            continue
        read = partial(_read_packshot, item.image, cache / "garment-masks")
        yield from _alone(source, item.id, numbers(*allowed), sets, read)


def _drawn(source: MaskSource, _: Path, sets: Sets, __: Path, wanted: Wanted) -> Found:
    from coordi.drawn import draw_garment, draw_wardrobe

    for garment in draw_wardrobe(count=source.count, seed=0).garments:
        allowed = kinds_of(garment.kind)
        if allowed and wanted(garment.id, garment.id):
            read = partial(_masked_packshot, draw_garment(garment, 192))
            yield from _alone(source, garment.id, numbers(*allowed), sets, read)


def _alone(
    source: MaskSource, id: str, allowed: frozenset[int], sets: Sets, read: Callable[[], Marked]
) -> Found:
    """A packshot, once it is known that the thing on it can be told from its ground."""
    try:
        read()
    except ImageError as error:
        yield Problem(Origin(source.name), str(error), id, "image")
        return
    yield MaskExample(id, np.array([0, sets.number(allowed)]), read, alone=True)


def _read_packshot(image: ImageRef, kept: Path) -> Marked:
    """A packshot and its mask, which is kept in a folder: telling it apart takes a while."""
    data = read_bytes(image)
    picture = decode_image(data)
    file = kept / f"{image_hash(data)}.png"
    if file.exists():
        with Pillow.open(file) as mask:
            return Marked(picture, np.asarray(mask.convert("L")) // 255)
    marked = _masked_packshot(picture)
    kept.mkdir(parents=True, exist_ok=True)
    with atomic_file(file) as draft:
        Pillow.fromarray(marked.marks * 255).convert("1").save(draft, "PNG")
    return marked


def _masked_packshot(picture: Image) -> Marked:
    mask = Pillow.fromarray(garment_mask(picture))
    size = picture.shape[1], picture.shape[0]
    return Marked(picture, np.asarray(mask.resize(size, Pillow.Resampling.NEAREST), np.uint8))


CONCEPTS: Mapping[str, tuple[str, ...]] = {
    "top": ("top", "t-shirt", "blouse", "shirt"), "t-shirt": ("t-shirt",),
    "long-sleeve top": ("t-shirt", "top", "sweater", "sweatshirt"), "shirt": ("shirt",),
    "blouse": ("blouse",), "polo": ("t-shirt", "shirt"), "tank top": ("top", "t-shirt"),
    "bodysuit": ("bodysuit", "top"), "tunic": ("top", "blouse", "dress"),
    "knitwear": ("sweater", "cardigan"), "sweater": ("sweater",), "cardigan": ("cardigan",),
    "sweater vest": ("vest", "sweater"), "sweatshirt": ("sweatshirt",), "hoodie": ("sweatshirt",),
    "outerwear": ("jacket", "coat", "blazer"), "jacket": ("jacket",), "blazer": ("blazer",),
    "coat": ("coat", "cape"), "trench coat": ("coat",), "puffer coat": ("coat", "jacket"),
    "waistcoat": ("vest",), "overshirt": ("shirt", "jacket"), "dress": ("dress",),
    "jumpsuit": ("jumpsuit",), "skirt": ("skirt",), "trousers": ("trousers",), "jeans": ("jeans",),
    "joggers": ("trousers",), "leggings": ("leggings",), "shorts": ("shorts",),
    "shoes": ("shoes",), "trainers": ("shoes",), "formal shoes": ("shoes",), "heels": ("heels",),
    "sandals": ("sandals",), "flip flops": ("sandals",), "boots": ("boots",),
    "bag": ("bag", "purse"), "handbag": ("bag", "purse"), "shoulder bag": ("bag", "purse"),
    "crossbody bag": ("bag", "purse"), "tote bag": ("bag",), "backpack": ("bag",),
    "clutch": ("purse",), "wallet": ("purse",), "hat": ("hat",), "cap": ("hat",),
    "beanie": ("hat",), "scarf": ("scarf",), "gloves": ("gloves",), "belt": ("belt",),
    "tie": ("tie",), "sunglasses": ("sunglasses", "glasses"), "watch": ("watch",),
    "jewellery": ("jewellery",), "earrings": ("jewellery",), "necklace": ("jewellery",),
    "ring": ("jewellery",), "bracelet": ("jewellery",), "socks": ("socks",),
    "tights": ("tights",), "bra": ("swimwear",), "briefs": ("swimwear",),
    "swimwear": ("swimwear",),
}  # fmt: skip
"""Concept of the vocabulary → what such a thing can be; others say too little of a shape."""


def kinds_of(label: str) -> tuple[str, ...]:
    """What a thing of a catalogue's category can be, by the vocabulary; () where it says not."""
    return CONCEPTS.get(canonical(label, CATEGORIES) or "", ())


def class_shares(examples: Sequence[MaskExample], table: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of each class (C,) among all pixels whose class is known."""
    counts = np.zeros(table.shape[0], np.int64)
    for example in examples:
        local = np.bincount(example.read().marks.ravel(), minlength=len(example.palette))
        np.add.at(counts, example.palette, local[: len(example.palette)])
    single = table.sum(1) == 1
    shares = np.zeros(table.shape[1])
    np.add.at(shares, table[single].argmax(1), counts[single])
    return np.asarray(shares / max(1, shares.sum()))
