"""What all recipes share: everything but the data that a system learns from."""

import json
import math
from collections.abc import Iterable
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from coordi.models.system import System, SystemSettings
from coordi.models.systems import SYSTEMS


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


class Stage(Strict):
    """A stretch of training: the rates climb to their peak, then fall to a tenth along a cosine."""

    steps: int = Field(ge=1)
    """Optimiser steps."""
    lr: float = Field(gt=0)
    """Peak learning rate (AdamW)."""
    backbone_lr: float = Field(ge=0)
    """Peak learning rate of the backbone, where one learns along; 0 freezes it."""
    warmup: int | None = Field(None, ge=0)
    """Steps until the peak; by default 50, or a quarter of the stage where that is less."""
    frozen_blocks: int = Field(0, ge=0)
    """Blocks of the backbone, from the input, that stay as they are."""

    def rate(self, step: int) -> float:
        """Share of the peak at a step of the stage, counted from 0."""
        climb = min(50, self.steps // 4) if self.warmup is None else self.warmup
        warm = min(1.0, (step + 1) / max(1, climb))
        return warm * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * step / self.steps)))


class Recipe(Strict):
    """One training, wholly described."""

    system: str
    """What is trained: a name of `coordi.models.systems.SYSTEMS`."""
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
    cache: str | None = None
    """Folder of rendered views and features; by default "cache" beside the run's folder."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of weights, sampling, captions and augmentation."""
    precision: Literal["bf16-mixed", "32-true"] = "32-true"
    """Arithmetic of the towers; losses, and heads on cached features, are always float32."""
    batch: int = Field(128, ge=2)
    """Pictures in a batch, on each device."""
    accumulate: int = Field(1, ge=1)
    """Batches whose gradients are averaged for one optimiser step."""
    grad_cache_chunk: int = Field(0, ge=0)
    """End to end: pictures that pass the backbone at once while the loss still sees the whole
    batch (GradCache, Gao et al. 2021); 0 passes the batch whole."""
    workers: int = Field(0, ge=0)
    """Processes that make batches; 0 makes them in between steps."""
    weight_decay: float = Field(0.02, ge=0)
    """Decay of the weights, as a share of the learning rate (AdamW)."""
    decay_vectors: bool = False
    """Whether biases, scales and temperatures decay as well."""
    clip: float = Field(1.0, ge=0)
    """Largest norm of the gradient; 0 does not clip."""
    validate_every: int = Field(100, ge=0)
    """Steps between looks at the number that chooses the weights; the best ones are kept.
    0 never looks, and keeps the last."""
    patience: int = Field(5, ge=0)
    """Looks without a new best after which training stops; 0 never stops early."""
    checkpoint_every: int = Field(200, ge=1)
    """Steps between checkpoints, from which a killed run resumes."""
    model: SystemSettings
    """Settings of the system."""

    @property
    def schedule(self) -> tuple[Stage, ...]:
        """The stages that the run goes through."""
        raise NotImplementedError

    @property
    def total_steps(self) -> int:
        """Optimiser steps of all stages."""
        return sum(stage.steps for stage in self.schedule)

    @property
    def system_type(self) -> type[System]:
        """The class of `system`."""
        return SYSTEMS[self.system]

    def stage_at(self, step: int) -> tuple[Any, int]:
        """The stage that a step (from 0) belongs to, the last one's behind it; its first step."""
        start = 0
        for stage in self.schedule[:-1]:
            if step < start + stage.steps:
                return stage, start
            start += stage.steps
        return self.schedule[-1], start

    def to_yaml(self) -> str:
        """The recipe with all its fields, as a file that `load_recipe` reads."""
        return yaml.safe_dump(json.loads(self.model_dump_json()), sort_keys=False)

    @model_validator(mode="after")
    def _chunks_are_parts(self) -> Self:
        if self.grad_cache_chunk >= self.batch:
            raise ValueError("grad_cache_chunk must be smaller than batch; leave it out otherwise")
        return self
