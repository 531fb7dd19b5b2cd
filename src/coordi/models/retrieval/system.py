"""What a retrieval system is: a module that turns features of photos into vectors or scores.

Every system is built as `System(feature_dim, sizes, settings)`. Features (B, feature_dim) are
unit rows of a frozen encoder, or of a backbone that learns along; a system that wants another
scale begins with what it needs. Losses that have parameters live in the system as `objective`
and are not part of the artefact.

A system may have, and the frame then uses:

- `conditions: tuple[str, ...]` and `embed_condition(features, street, condition)`, for searches
  that are similar in one respect only;
- `fit_input(features)`, called once with features of training photos (N, feature_dim) before the
  first step (a PCA, a standardisation);
- the class attribute `two_towers = True` where street and shop photos are embedded differently;
- the class attribute `cached_only = True` where the method itself freezes the features;
- the class attribute `takes_text = True` where texts of the base encoder may pass `embed` too.
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict
from torch import Tensor


class LabelSizes(NamedTuple):
    """How many different labels the training photos carry."""

    items: int
    categories: int
    attributes: Mapping[str, int]
    """Attribute → number of values, in the order of `PhotoBatch.attributes`' columns."""


class SystemSettings(BaseModel):
    """Base of every system's settings: unknown fields are errors, docstrings are descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


@runtime_checkable
class EmbeddingSystem(Protocol):
    """A system with a vector per photo, which can be indexed."""

    Settings: ClassVar[type[SystemSettings]]
    dim: int
    """Columns of the embedding."""

    def embed(self, features: Tensor, street: Tensor) -> Tensor:
        """Features (B, feature_dim) and whether each is a street photo (B,) → unit rows (B, dim).

        Never depends on the other rows of the batch once the module is in evaluation mode.
        """


@runtime_checkable
class RerankingSystem(Protocol):
    """A system that sees query and item together: it reorders the top of another's ranking."""

    Settings: ClassVar[type[SystemSettings]]

    def score(self, queries: Tensor, items: Tensor) -> Tensor:
        """Features of B queries and of B items, (B, feature_dim) each → logits (B,)."""
