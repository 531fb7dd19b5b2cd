"""The text of recipes and what it says, as far as that needs nothing heavy."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from coordi.errors import RecipeError, UnknownNameError

_LARGEST = 1_000_000
"""Characters of a recipe, far above what one needs."""

_DEEPEST = 32
"""Levels of its fields, likewise."""


@dataclass(frozen=True, slots=True)
class RecipeInfo:
    """What a person needs to choose a recipe of the package."""

    name: str
    """What `coordi train` takes."""
    trains: str
    """What is trained: "dual", or a retrieval system."""
    task: str
    paper: str
    """Where the method comes from."""
    differs: str
    """What the recipe does otherwise than the paper."""


def packaged() -> dict[str, str]:
    """The text of each recipe of the package, by the name of its file."""
    folder = resources.files("coordi.training").joinpath("yaml")
    return {
        entry.name.removesuffix(".yaml"): entry.read_text("utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    }


def recipe_text(name: str) -> str:
    """The text of a recipe of the package, or of a YAML file.

    `UnknownNameError` for a name that the package has not, `RecipeError` for a file that cannot
    be read.
    """
    path, texts = Path(name), packaged()
    if path.suffix not in {".yaml", ".yml"}:
        if name not in texts:
            raise UnknownNameError("recipe", name, texts)
        return texts[name]
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise RecipeError(f"there is no recipe file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read the recipe {path}: {error}") from error
    return text


def read_yaml(text: str, where: str) -> Any:
    """The value that YAML says; `RecipeError` where it says none, or could mean to harm.

    References (&a, *a) are refused: a few lines of them can stand for more than any memory holds.
    """
    if len(text) > _LARGEST:
        raise RecipeError(
            f"{where} has {len(text):,} characters; a recipe has {_LARGEST:,} at most"
        )
    try:
        _require_plain(text, where)
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, TypeError) as error:  # as of a date in no calendar
        raise RecipeError(f"{where} is not YAML: {error}") from error


def _require_plain(text: str, where: str) -> None:
    """Look at the parts of YAML one by one, before anything is built of them."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise RecipeError(f"{where} refers to a part of itself (*name); write the part out")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise RecipeError(f"{where} is nested too deeply; a recipe has a few levels")


def list_recipes() -> list[RecipeInfo]:
    """The recipes of the package, in alphabetical order."""
    found = {name: yaml.safe_load(text) for name, text in sorted(packaged().items())}
    return [
        RecipeInfo(
            name,
            **{k: str(v.get(k, "")) for k in ("task", "paper", "differs")},
            trains=str(v["system"]),
        )
        for name, v in found.items()
    ]
