"""What all recipes share."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """Part of a recipe: an unknown field is an error, docstrings are descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Recipe(Strict):
    """One training, wholly described."""

    recipe: str
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
    seed: int = 0
    """Seed of weights, sampling, captions and augmentation."""
    precision: Literal["bf16-mixed", "32-true"] = "32-true"
    """Arithmetic of the towers; losses, and heads on cached features, are always float32."""
    checkpoint_every: int = Field(50, ge=1)
    """Steps between checkpoints, from which a killed run resumes."""
