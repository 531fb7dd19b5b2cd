"""Recipes: YAML files whose every field is checked before anything runs."""

from collections.abc import Sequence
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from coordi.errors import RecipeError, UnknownNameError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Source(_Strict):
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
    count: int = Field(600, ge=10)
    """Drawn wardrobe only: garments."""
    seed: int = 0
    """Drawn wardrobe only."""


class Stage(_Strict):
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


class DualRecipe(_Strict):
    """An image tower and a text tower in one space."""

    recipe: Literal["dual"] = "dual"
    name: str = "dual"
    """Name of the artefact."""
    version: str = "0.1.0"
    """Version of the artefact."""
    data: str = "."
    """Folder that the sources' paths start from."""
    sources: tuple[Source, ...] = Field(min_length=1)
    """What to learn from."""
    init: str | None = None
    """TFLite file of a MobileNetV2 to start the image tower from; from scratch without it."""
    seed: int = 0
    """Seed of weights, sampling, captions and augmentation."""
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
    precision: Literal["bf16-mixed", "32-true"] = "bf16-mixed"
    """Arithmetic of the towers; losses are always float32."""
    checkpoint_every: int = Field(50, ge=1)
    """Steps between checkpoints, from which a killed run resumes."""

    @model_validator(mode="after")
    def _dims_fit(self) -> "DualRecipe":
        if list(self.matryoshka_dims) != sorted(self.matryoshka_dims) or not self.matryoshka_dims:
            raise ValueError("matryoshka_dims must rise")
        if self.matryoshka_dims[-1] != self.dim:
            raise ValueError(f"the last of matryoshka_dims must be dim ({self.dim})")
        return self


RECIPES: dict[str, type[DualRecipe]] = {"dual": DualRecipe}
"""Recipe name → its fields."""


def load_recipe(name: str, overrides: Sequence[str] = ()) -> DualRecipe:
    """A recipe of the package by name, or of a YAML file, with `field=value` overrides.

    A dotted field reaches inside ("stages.0.steps=10"); values are read as YAML. Raises
    `RecipeError` that names the field, and the nearest known one where it does not exist.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml"}:
        if not path.is_file():
            raise RecipeError(f"there is no recipe file {path}")
        text = path.read_text("utf-8")
    elif name in RECIPES:
        text = resources.files("coordi.training").joinpath(f"{name}.yaml").read_text("utf-8")
    else:
        raise UnknownNameError("recipe", name, RECIPES)
    values = yaml.safe_load(text)
    for override in overrides:
        _override(values, override)
    return _validate(values, name)


def _override(values: Any, override: str) -> None:
    field, equals, value = override.partition("=")
    if not equals:
        raise RecipeError(f"{override!r} is not field=value")
    *path, last = field.split(".")
    try:
        for step in path:
            values = values[int(step) if isinstance(values, list) else step]
        values[int(last) if isinstance(values, list) else last] = yaml.safe_load(value)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise RecipeError(f"the recipe has no field {field!r}") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"the value of {override!r} is not YAML: {error}") from error


def _validate(values: Any, name: str) -> DualRecipe:
    kind = values.get("recipe", "dual") if isinstance(values, dict) else None
    if kind not in RECIPES:
        raise UnknownNameError("recipe", str(kind), RECIPES)
    try:
        return RECIPES[kind].model_validate(values)
    except ValidationError as error:
        lines = [_explain(problem, RECIPES[kind]) for problem in error.errors()]
        raise RecipeError(f"recipe {name}: " + "; ".join(lines)) from error


def _explain(problem: Any, model: type[BaseModel]) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"{where or 'recipe'}: {problem['msg']}"
    known = {*model.model_fields, *Source.model_fields, *Stage.model_fields}
    near = get_close_matches(str(problem["loc"][-1]), known, n=1)
    return f"unknown field {where}" + (f" (did you mean {near[0]!r}?)" if near else "")
