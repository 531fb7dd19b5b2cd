"""What all recipes share."""

import json
from collections.abc import Iterable
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """Part of a recipe: an unknown field is an error, docstrings are descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def changed(part: Strict, fields: Iterable[str]) -> list[str]:
    """Those of some fields that are not at their default."""
    kinds = type(part).model_fields
    return [
        field
        for field in fields
        if getattr(part, field) != kinds[field].get_default(call_default_factory=True)
    ]


class Recipe(Strict):
    """One training, wholly described."""

    system: str
    """What is trained: "dual", or a retrieval system."""
    name: str
    """Name of the artefact."""
    version: str = "0.1.0"
    """Version of the artefact."""
    task: str = ""
    """What the result is for, in a few words."""
    paper: str = ""
    """Where the method comes from."""
    differs: str = ""
    """What this recipe does otherwise than the paper."""
    data: str = "."
    """Folder that relative paths of the data start from."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of weights, sampling, captions and augmentation."""
    precision: Literal["bf16-mixed", "32-true"] = "32-true"
    """Arithmetic of the towers; losses, and heads on cached features, are always float32."""
    checkpoint_every: int = Field(50, ge=1)
    """Steps between checkpoints, from which a killed run resumes."""

    def to_yaml(self) -> str:
        """The recipe with all its fields, as a file that `load_recipe` reads."""
        return yaml.safe_dump(json.loads(self.model_dump_json()), sort_keys=False)
