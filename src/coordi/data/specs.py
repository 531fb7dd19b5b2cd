"""Collections by name: which photos, what belongs together, who is asked about.

A collection is a YAML file whose fields are those of `CollectionSpec`; some are packaged
(`COLLECTIONS`). See docs/collections.md.
"""

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Formatter
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from coordi.errors import InputError, UnknownNameError, one_line

COLLECTIONS = (
    "closet-label",
    "drawn-street",
    "kaggle-color",
    "kaggle-type",
    "mango-street",
    "mango-street-sku",
    "worn",
    "worn-white",
)
"""Names of the packaged collections."""


MOST_SEED = 2**32 - 1
"""Largest seed; the smallest is 0."""

_FIELD = re.compile(r"[^.\[\]!:{}]+")
"""A field's name within the braces of a pattern."""

_MOST_BYTES = 1 << 20
"""Largest file of a collection; a hundred lines are many."""


class _Fields(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class PseudoStreet(_Fields):
    """How street views are made from packshots."""

    views: int = Field(default=2, ge=0, le=100)
    """Views of each training photo."""
    asked: int = Field(default=2, ge=1, le=100)
    """Views of each photo that is held out: these are the queries."""
    size: int = Field(default=320, ge=32, le=2048)
    """Height of a view in pixels; the width is three quarters of it."""
    seed: int = Field(default=0, ge=0, le=MOST_SEED)
    """Another seed gives other views."""
    backgrounds: str = ""
    """Folder of street photos with masks (photos.csv, labels.txt) before which garments stand;
    "" draws the background."""


class CollectionSpec(_Fields):
    """Where photos come from, what belongs together, and how they are split."""

    name: str = "collection"
    """What reports call it; of a packaged or a YAML file, the file's name."""
    description: str = ""
    """One line for lists of collections."""
    kind: str = "catalog"
    """"catalog", "pairs", "drawn", or a benchmark: a name of `coordi.data.benchmarks.READERS`."""
    path: str = ""
    """The catalogue's file or folder, or the benchmark's, relative to the data root."""
    map: dict[str, str] = Field(default_factory=dict)
    """Role → column of the catalogue, where the columns' names do not say it."""
    item: str = "{id}"
    """Which garment a photo shows: a pattern over fields, as "{model}"."""
    group: str = ""
    """Split key, a pattern over fields and {bare_title}, the title without colour words; ""
    takes the item."""
    attributes: tuple[str, ...] = ()
    """Fields that photos keep as attributes."""
    match: str = "item"
    """What query and hit must share: "item", "category" or an attribute."""
    apart: Literal["photo", "group"] = "photo"
    """What a query never meets: itself, or all of its group."""
    within: Literal["all", "category"] = "all"
    """Whether a query searches everything or its own category."""
    ignore_labels: tuple[str, ...] = ()
    """Categories and attribute values, in lower case, that say nothing: as if unknown."""
    val: float = Field(default=0.1, ge=0, le=0.5)
    """Share of the groups to choose by."""
    test: float = Field(default=0.1, ge=0, le=0.5)
    """Share of the groups to report by."""
    pairs: str = ""
    """Pairs only: file of street photos of the catalogue's items, relative to the data root."""
    pairs_map: dict[str, str] = Field(default_factory=dict)
    """Pairs only: what that file's columns are called, where not `image` and `item`; and its column
    of `mask`s, pictures that number what photos show, 0 for background, which then is white."""
    pseudo_street: PseudoStreet | None = None
    """Makes the queries: views of held-out photos, looked for among all packshots."""
    count: int = Field(default=600, ge=1, le=100_000)
    """Drawn only: garments."""
    seed: int = Field(default=0, ge=0, le=MOST_SEED)
    """Drawn only: another seed gives another wardrobe."""
    size: int = Field(default=192, ge=32, le=1024)
    """Drawn only: side of a packshot in pixels."""

    @field_validator("item", "group")
    @classmethod
    def _plain_pattern(cls, pattern: str) -> str:
        """Fields in braces and nothing else: no attribute, conversion or width of theirs."""
        for _, name, width, conversion in Formatter().parse(pattern):
            if width or conversion or (name is not None and not _FIELD.fullmatch(name)):
                raise ValueError(f"{pattern!r} may hold fields in braces and nothing else in them")
        return pattern

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.kind == "catalog" and not self.path:
            raise ValueError("path is missing: a catalogue needs its file or folder")
        if odd := sorted(self.pairs_map.keys() - {"image", "item", "mask"}):
            raise ValueError(f"pairs_map knows image, item and mask, not {odd[0]}")
        if self.pairs_map and not self.pairs:
            raise ValueError("pairs_map is for kind pairs; leave it out")
        if (self.kind == "pairs") != bool(self.pairs):
            raise ValueError("kind pairs and the field pairs (the street photos) go together")
        own = self.model_fields_set - {"name", "description", "kind", "path"}
        if self.kind not in {"catalog", "pairs", "drawn"} and own:
            raise ValueError(f"{min(own)} does not go with {self.kind}, which has its own split")
        if self.pseudo_street and self.match != "item":
            raise ValueError("pseudo_street asks for the item: leave match at item")
        return self


def load_spec(name: str | Path) -> CollectionSpec:
    """The packaged collection of that name, or the one that a YAML file describes.

    Raises `UnknownNameError` for a name that is not packaged, `InputError` for a file that is
    missing, is not YAML, or whose fields do not fit.
    """
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        if str(name) not in COLLECTIONS:
            raise UnknownNameError("collection", str(name), COLLECTIONS)
        packaged = resources.files("coordi.data").joinpath("collections", f"{name}.yaml")
        return _spec(packaged.read_text("utf-8"), str(name), str(name))
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise InputError(f"{path} is larger than {_MOST_BYTES >> 20} MiB: it is no collection")
        return _spec(data.decode("utf-8"), path.stem, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the collection {path}: {error}") from error


def _spec(text: str, name: str, where: str) -> CollectionSpec:
    try:
        values: Any = yaml.safe_load(text)
    # ValueError: dates and numbers that are none; RecursionError: nested without end
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{where} is not YAML: {one_line(error)[:300]}") from error
    if not isinstance(values, Mapping):
        raise InputError(f"{where} holds no fields; see docs/collections.md")
    odd = [key for key in values if not isinstance(key, str)]
    if odd:
        raise InputError(f"{where}: the field {odd[0]!r} is no word; see docs/collections.md")
    try:
        return CollectionSpec.model_validate({"name": name, **values})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "the collection"
        known = ", ".join(CollectionSpec.model_fields)
        hint = f" Known: {known}." if first["type"] == "extra_forbidden" else ""
        raise InputError(f"{where}: {field}: {first['msg']}.{hint}") from error
