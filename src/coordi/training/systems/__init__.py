"""One training step of each retrieval system: features and labels in, weighted losses out."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from coordi.training.batches import PhotoBatch
from coordi.training.systems import (
    cross_domain,
    csn,
    darn,
    ddan,
    mtct,
    single_tower,
    studio2shop,
    wtbi,
)

Step = Callable[[Any, Tensor, PhotoBatch, float], dict[str, Tensor]]
"""(model, features (B, D), batch, progress in [0, 1)) → weighted parts; their sum is minimised.

`progress` is the share of the recipe's steps that is done, for curricula.
"""

STEPS: dict[str, Step] = {
    "cross-triplet": cross_domain.losses,
    "csn": csn.losses,
    "darn": darn.losses,
    "ddan": ddan.losses,
    "head": single_tower.losses,
    "mtct": mtct.losses,
    "robust-contrastive": cross_domain.losses,
    "single-tower": single_tower.losses,
    "studio2shop": studio2shop.losses,
    "wtbi": wtbi.losses,
}
"""System name → its step."""
