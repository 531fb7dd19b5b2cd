"""The fields of a recipe that trains a retrieval system."""

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, create_model, model_validator

from coordi.data.samplers import check_sampler
from coordi.data.specs import CollectionSpec, load_spec
from coordi.models.system import SystemSettings
from coordi.training.recipe import Recipe, changed


def _form(value: object) -> str:
    return "name" if isinstance(value, str) else "fields"


Described = Annotated[
    Annotated[str, Tag("name")] | Annotated[CollectionSpec, Tag("fields")], Discriminator(_form)
]
"""A collection by name or by its fields; errors are then about the form that was meant."""


class RetrievalRecipe(Recipe):
    """A system of `coordi.models.retrieval`, trained on a collection of photos."""

    collection: Described
    """Name of a packaged collection, a YAML file of one, or the fields of one."""
    cache: str | None = None
    """Folder of rendered views and features; by default "cache" beside the run's folder."""
    match: str = ""
    """What photos that belong together share: "item", "category" or an attribute; "" takes what
    the collection's trials ask for."""
    encoder: str = "coordi-mini"
    """Encoder whose features are the input; end to end, the one whose image tower learns along."""
    features: Literal["cached", "end-to-end"] = "cached"
    """Whether features are computed once by the frozen encoder, or the encoder learns along."""
    image_size: int = Field(128, ge=32, le=512)
    """End to end: side of the pictures in pixels."""
    augment: bool = True
    """End to end: whether pictures are cropped, turned and lit at random."""
    sampler: str = "m-per-class"
    """How a batch is drawn: a name of `coordi.data.samplers.SAMPLERS`."""
    sampler_settings: dict[str, Any] = Field(default_factory=dict)
    """Its settings."""
    batch: int = Field(128, ge=2)
    """Photos in a batch, on each device."""
    steps: int = Field(1000, ge=1)
    """Optimiser steps."""
    accumulate: int = Field(1, ge=1)
    """Batches whose gradients are averaged for one optimiser step."""
    grad_cache_chunk: int = Field(0, ge=0)
    """End to end: photos that pass the backbone at once while the loss still sees the whole
    batch (GradCache, Gao et al. 2021); 0 passes the batch whole."""
    workers: int = Field(0, ge=0)
    """Processes that make batches; 0 makes them in between steps."""
    lr: float = Field(1e-3, gt=0)
    """Peak learning rate (AdamW; linear warm-up, then a cosine to a tenth)."""
    backbone_lr: float = Field(1e-4, ge=0)
    """End to end: peak learning rate of the backbone."""
    warmup: int = Field(50, ge=0)
    """Steps until the peak."""
    weight_decay: float = Field(0.02, ge=0)
    """Decay of the weights, as a share of the learning rate (AdamW)."""
    clip: float = Field(1.0, ge=0)
    """Largest norm of the gradient; 0 does not clip."""
    validate_every: int = Field(100, ge=0)
    """Steps between looks at R@1 of the collection's val trial; the best weights are kept.
    0 never looks, and keeps the last."""
    patience: int = Field(5, ge=0)
    """Looks without a new best after which training stops; 0 never stops early."""
    checkpoint_every: int = Field(200, ge=1)
    model: SystemSettings
    """Settings of the system."""

    @property
    def spec(self) -> CollectionSpec:
        """The collection's fields."""
        if isinstance(self.collection, str):
            return load_spec(self.collection)
        return self.collection

    @model_validator(mode="after")
    def _names_a_collection(self) -> Self:
        _ = self.spec  # raises for one that nobody knows
        return self

    @model_validator(mode="after")
    def _sampler_is_known(self) -> Self:
        check_sampler(self.sampler, self.sampler_settings, self.batch)
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.features == "cached" and (unused := changed(self, _END_TO_END)):
            raise ValueError(f"{unused[0]} is for features: end-to-end only; leave it out")
        if self.grad_cache_chunk >= self.batch:
            raise ValueError("grad_cache_chunk must be smaller than batch; leave it out otherwise")
        if self.features == "end-to-end" and _cached_only(self.system):
            raise ValueError(f"{self.system} keeps its features frozen: set features to cached")
        return self


_END_TO_END = ("grad_cache_chunk", "image_size", "augment", "backbone_lr")


def recipe_type(system: str) -> type[RetrievalRecipe]:
    """The recipe whose `model` are the settings of one system."""
    from coordi.models.retrieval import SYSTEMS

    settings = SYSTEMS[system].Settings
    made: Any = create_model  # its overloads know no field whose type is a value
    return made(  # type: ignore[no-any-return]
        "RetrievalRecipe", __base__=RetrievalRecipe, model=(settings, Field(default=settings()))
    )


def _cached_only(system: str) -> bool:
    from coordi.models.retrieval import SYSTEMS

    return system in SYSTEMS and SYSTEMS[system].cached_only
