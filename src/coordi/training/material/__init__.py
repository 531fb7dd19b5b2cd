"""What systems learn from: one module for each kind of batch, and what the frame asks of each.

A module has a `Recipe`, whose fields describe the data, and `gather`, which makes a `Material` of
one. `KINDS` finds it by the kind of batch that a system eats.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from torch import Tensor

from coordi.models.batches import CaptionBatch, CellBatch, MaskBatch, PhotoBatch
from coordi.models.encoders.backbone import Backbone
from coordi.models.system import System
from coordi.training.material import captions, cells, masks, photos
from coordi.training.net import Net
from coordi.types import Encoder, Problem

KINDS: dict[type, ModuleType] = {
    CaptionBatch: captions,
    CellBatch: cells,
    MaskBatch: masks,
    PhotoBatch: photos,
}
"""Kind of batch → the module that makes its material."""


class Material(Protocol):
    """All that a training needs but the weights."""

    @property
    def feature_dim(self) -> int:
        """Columns of the features that the system is given."""

    @property
    def sizes(self) -> Any:
        """What the system has to know of the labels, its `Sizes`."""

    @property
    def problems(self) -> Sequence[Problem]:
        """What could not be used, and why."""

    @property
    def measure(self) -> str:
        """What `judge` measures, "R@1 on val"; "" where nothing chooses among weights."""

    def backbone(self) -> Backbone | None:
        """The image tower that learns along, called once, after seeding; None on features."""

    def require(self, system: System) -> None:
        """Raise `RecipeError` where there is nothing that `system` could learn."""

    def acquaint(self, net: Net) -> None:
        """Let the net's system `meet` all that is learned from, where it wants to."""

    def batch(self, number: int, step: int) -> Any:
        """The batch of that number, over all devices, for optimiser step `step`.

        A function of the recipe's seed and the two, so that a resumed run sees what an
        undisturbed one sees.
        """

    def first_look(self, net: Net) -> Tensor:
        """Features of training pictures (n, feature_dim) for `System.fit_input`."""

    def probe(self, net: Net) -> Tensor | None:
        """Embeddings (n, dim) of some training pictures as they are; None where there are none."""

    def judge(self, net: Net) -> float:
        """How good the weights are, the higher the better."""

    def say(self) -> str:
        """The size of the data in a few words."""

    def facts(self) -> Mapping[str, str]:
        """What the card says of the data: name → value."""

    def frozen(self) -> Encoder | None:
        """Whose features these are, which the recipe's `encoder` names; None of pixels."""

    def keep(self, folder: Path) -> None:
        """Write what serving needs beside the weights into the artefact."""
