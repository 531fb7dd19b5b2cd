"""What a system is: a module that learns from batches of one kind and gives one kind of answer.

Everything that sets a system apart stands in its own file: its settings, its layers, its losses,
its answer. `EmbeddingSystem` answers with a vector per photo, which can be indexed;
`RerankingSystem` scores a query and an item together.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict
from safetensors.torch import save_file
from torch import Tensor, nn

from coordi.models.batches import LabelSizes, PhotoBatch

WEIGHTS = "model.safetensors"


class SystemSettings(BaseModel):
    """Base of every system's settings: unknown fields are errors, docstrings are descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class System(nn.Module):
    """Base of all systems, built as `System(feature_dim, sizes, settings)`.

    Features (P, feature_dim) are of a frozen encoder, or of a backbone that learns along; unit
    rows unless the backbone says otherwise. Losses that have parameters live in the system as
    `objective` and are not part of the artefact.
    """

    family: ClassVar[str] = ""
    """What its artefact calls its kind."""
    answers: ClassVar[tuple[str, ...]] = ()
    """Its methods that serve, once it has learned."""
    eats: ClassVar[type] = PhotoBatch
    """The kind of batch that it learns from."""
    Sizes: ClassVar[type[Any]] = LabelSizes
    """What it has to know of the training data, a NamedTuple."""
    Settings: ClassVar[type[SystemSettings]] = SystemSettings
    """What a recipe may set under `model`."""
    cached_only: ClassVar[bool] = False
    """Whether the method itself freezes the features."""
    before_white: ClassVar[bool] = False
    """Whether it is meant for photos whose background was taken away, by masks that they name."""
    mixed: ClassVar[bool] = False
    """Whether its layers run in the recipe's precision too; its losses then are its own care."""

    def __init__(self, feature_dim: int, sizes: Any, settings: Any) -> None:  # noqa: ARG002
        """`sizes` are of the training data's labels, a `Sizes`."""
        super().__init__()
        self.settings = settings
        self.scale = feature_dim**0.5  # unit rows become entries of variance about one

    def inherited(self) -> list[nn.Module]:
        """Its own layers that come with weights of others, from the input on.

        They learn at a stage's `backbone_lr`, and the first `frozen_blocks` of them not at all.
        """
        return []

    def fit_input(self, features: Tensor) -> None:
        """Called once with features of training photos (N, feature_dim), before the first step."""

    def meet(self, everything: Any) -> None:
        """Called at the start of every run, resumed or not, with all that is learned from.

        It comes as one batch, whose `inputs` are features (N, feature_dim). What is kept of it is
        no weight, and is not part of the artefact.
        """

    def alike(self, batch: Any) -> list[Tensor]:
        """What photos that belong together share, (B,) each, −1 unknown: one for each notion."""
        items: Tensor = batch.items
        return [items]

    def losses(self, features: Tensor, batch: Any, progress: float) -> dict[str, Tensor]:
        """Features of a batch's inputs (P, feature_dim) → weighted parts; their sum is minimised.

        `progress` in [0, 1) is the share of the recipe's steps that is done, for curricula.
        """
        raise NotImplementedError

    def save(self, folder: Path, backbone: nn.Module | None) -> None:
        """Write the weights, and the backbone's where there is one, into `folder`.

        Losses (proxies, class centres) are left out: of no use once training is over.
        """
        parts = {"system": self} | ({} if backbone is None else {"backbone": backbone})
        weights = {
            f"{part}.{name}": value.detach().cpu().contiguous().clone()
            for part, module in parts.items()
            for name, value in module.state_dict().items()
            if not (part == "system" and name.startswith("objective."))
        }
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
        (folder / WEIGHTS).chmod(0o644)

    @classmethod
    def stored(cls, weights: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
        """Of weights as `save` wrote them, those of "system" or "backbone", by their own names."""
        return {
            name.removeprefix(f"{part}."): value
            for name, value in weights.items()
            if name.startswith(f"{part}.")
        }


class EmbeddingSystem(System):
    """A system with a vector per photo."""

    family = "retrieval"
    answers: ClassVar[tuple[str, ...]] = ("embed",)
    two_towers: ClassVar[bool] = False
    """Whether street and shop photos are embedded differently."""
    takes_text: ClassVar[bool] = False
    """Whether texts of the base encoder may pass `embed` too."""
    conditions: tuple[str, ...] = ()
    """What else it can compare by, for searches that are similar in one respect only."""

    def __init__(self, feature_dim: int, sizes: Any, settings: Any) -> None:
        """As `System`."""
        super().__init__(feature_dim, sizes, settings)
        self.dim: int = settings.dim
        """Columns of the embedding."""

    def embed(self, features: Tensor, street: Tensor) -> Tensor:
        """Features (B, feature_dim) and whether each is a street photo (B,) → unit rows (B, dim).

        Never depends on the other rows of the batch once the module is in evaluation mode.
        """
        raise NotImplementedError

    def embed_condition(self, features: Tensor, street: Tensor, condition: str) -> Tensor:
        """As `embed`, under one of `conditions`."""
        raise NotImplementedError


class RerankingSystem(System):
    """A system that sees query and item together: it reorders the top of another's ranking."""

    family = "retrieval"
    answers = ("score_pairs",)

    def score_pairs(self, queries: Tensor, items: Tensor) -> Tensor:
        """Features of B queries and of B items, (B, feature_dim) each → logits (B,)."""
        raise NotImplementedError
