"""What a system is: a module that learns from batches of one kind and gives one kind of answer.

Everything that sets a system apart stands in its own file: its settings, its layers, its losses,
its answer. `EmbeddingSystem` answers with a vector per photo, which can be indexed;
`RerankingSystem` scores a query and an item together.
"""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from coordi.models.batches import LabelSizes, PhotoBatch


class SystemSettings(BaseModel):
    """Base of every system's settings: unknown fields are errors, docstrings are descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class System(nn.Module):
    """Base of all systems, built as `System(feature_dim, sizes, settings)`.

    Features (B, feature_dim) are unit rows of a frozen encoder, or of a backbone that learns
    along. Losses that have parameters live in the system as `objective` and are not part of the
    artefact.
    """

    eats: ClassVar[type] = PhotoBatch
    """The kind of batch that it learns from."""
    Settings: ClassVar[type[SystemSettings]] = SystemSettings
    """What a recipe may set under `model`."""
    cached_only: ClassVar[bool] = False
    """Whether the method itself freezes the features."""

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: Any) -> None:  # noqa: ARG002
        """`sizes` are of the training photos' labels."""
        super().__init__()
        self.settings = settings
        self.scale = feature_dim**0.5  # unit rows become entries of variance about one

    def fit_input(self, features: Tensor) -> None:
        """Called once with features of training photos (N, feature_dim), before the first step."""

    def alike(self, batch: Any) -> list[Tensor]:
        """What photos that belong together share, (B,) each, −1 unknown: one for each notion."""
        items: Tensor = batch.items
        return [items]

    def losses(self, features: Tensor, batch: Any, progress: float) -> dict[str, Tensor]:
        """Features of a batch's inputs (B, feature_dim) → weighted parts; their sum is minimised.

        `progress` in [0, 1) is the share of the recipe's steps that is done, for curricula.
        """
        raise NotImplementedError


class EmbeddingSystem(System):
    """A system with a vector per photo."""

    two_towers: ClassVar[bool] = False
    """Whether street and shop photos are embedded differently."""
    takes_text: ClassVar[bool] = False
    """Whether texts of the base encoder may pass `embed` too."""
    conditions: tuple[str, ...] = ()
    """What else it can compare by, for searches that are similar in one respect only."""

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: Any) -> None:
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

    def score(self, queries: Tensor, items: Tensor) -> Tensor:
        """Features of B queries and of B items, (B, feature_dim) each → logits (B,)."""
        raise NotImplementedError
