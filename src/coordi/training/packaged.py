"""The recipes of the package as they lie there; reading them imports nothing heavy."""

from dataclasses import dataclass
from importlib import resources

import yaml


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


def list_recipes() -> list[RecipeInfo]:
    """The recipes of the package, in alphabetical order."""
    found = {name: yaml.safe_load(text) for name, text in sorted(packaged().items())}
    return [
        RecipeInfo(
            name,
            **{k: str(v.get(k, "")) for k in ("task", "paper", "differs")},
            trains=str(v["recipe"]),
        )
        for name, v in found.items()
    ]
