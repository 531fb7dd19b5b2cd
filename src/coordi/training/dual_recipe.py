"""The fields of the dual recipe: an image tower and a text tower in one space."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from coordi.training.recipe import Recipe, Strict, changed

ContrastName = Literal["category", "label", "color", "variant", "item"]
"""What pictures are drawn together by."""


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


class Stage(Strict):
    """A stretch of training at one picture size and learning rate."""

    steps: int = Field(ge=1)
    """Optimiser steps."""
    size: int = Field(ge=32, le=384)
    """Side of the pictures in pixels."""
    lr: float = Field(gt=0)
    """Peak learning rate of the heads and the text tower (AdamW, cosine to a tenth)."""
    backbone_lr: float = Field(ge=0)
    """Peak learning rate of the image backbone; 0 freezes it."""
    frozen_blocks: int = Field(0, ge=0, le=17)
    """Blocks of the backbone, from the input, that stay as they are."""
    shares: dict[str, float] = Field(default_factory=dict)
    """Shares of sources that differ in this stage, by their names."""
    weights: dict[ContrastName, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Weights of contrastion that differ in this stage."""


class DualRecipe(Recipe):
    """An image tower and a text tower in one space."""

    system: Literal["dual"] = "dual"
    name: str = "dual"
    sources: tuple[Source, ...] = Field(min_length=1)
    """What to learn from."""
    cache: str | None = None
    """Folder of rendered views; by default "cache" beside the run's folder."""
    init: str | None = None
    """TFLite file of a MobileNetV2 to start the image tower from; from scratch without it."""
    dim: int = Field(256, ge=8)
    """Columns of the embedding."""
    matryoshka_dims: tuple[int, ...] = (64, 128, 256)
    """Prefixes that shall serve on their own; the last is `dim`."""
    vocabulary: int = Field(6000, ge=64)
    """Entries of the tokenizer that is trained on the captions."""
    batch: int = Field(192, ge=2)
    """Pictures in a step."""
    image_size: int = Field(128, ge=32)
    """Side of the pictures that the finished encoder takes."""
    stages: tuple[Stage, ...] = Field(min_length=1)
    """Run one after the other."""
    category_weight: float = Field(0.3, ge=0)
    """Weight of supervised contrastion by canonical category, across all sources."""
    label_weight: float = Field(0.8, ge=0)
    """Weight of supervised contrastion by each source's own label."""
    color_weight: float = Field(0.4, ge=0)
    """Weight of supervised contrastion by colour."""
    variant_weight: float = Field(0.5, ge=0)
    """Weight of supervised contrastion by category and colour together."""
    item_weight: float = Field(1.0, ge=0)
    """Weight of contrastion by item, over the sources whose pictures come in pairs."""
    item_temperature: float = Field(0.07, gt=0)
    """Its temperature."""
    precision: Literal["bf16-mixed", "32-true"] = "bf16-mixed"

    @model_validator(mode="after")
    def _dims_fit(self) -> "DualRecipe":
        if list(self.matryoshka_dims) != sorted(self.matryoshka_dims) or not self.matryoshka_dims:
            raise ValueError("matryoshka_dims must rise")
        if self.matryoshka_dims[-1] != self.dim:
            raise ValueError(f"the last of matryoshka_dims must be dim ({self.dim})")
        return self

    @model_validator(mode="after")
    def _shares_are_of_sources(self) -> "DualRecipe":
        names = {source.name for source in self.sources}
        for stage in self.stages:
            if unknown := sorted(set(stage.shares) - names):
                raise ValueError(f"a stage has a share of {unknown[0]!r}, which is no source")
            if any(share <= 0 for share in stage.shares.values()):
                raise ValueError("shares of a stage must be above 0")
        return self

    def weight(self, name: ContrastName, stage: Stage) -> float:
        """The weight of a contrastion in a stage."""
        general: float = getattr(self, f"{name}_weight")
        return stage.weights.get(name, general)
