"""Two towers, pictures and words, in one space: the system of coordi-mini.

Zhai et al., "Sigmoid Loss for Language Image Pre-Training", ICCV 2023: every image-text pair of a
batch is one yes-or-no question (section 3.2). Ours differs: labels say which other captions of a
batch are true of a picture too; prefixes of the embedding are trained as well (Kusupati et al.
2022, "Matryoshka Representation Learning", equation 1 with equal weights); and labels pull pictures
together (Khosla et al. 2020, "Supervised Contrastive Learning", L_out), as does the item that two
of them show.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

import torch
from pydantic import Field, model_validator
from pytorch_metric_learning.losses import SupConLoss
from torch import Tensor, nn
from torch.nn import functional

from coordi.models.batches import CaptionBatch, VocabularySize
from coordi.models.encoders.backbone import Backbone
from coordi.models.encoders.mini import ImageTower, TextTower
from coordi.models.system import EmbeddingSystem, SystemSettings

NOTIONS = ("category", "label", "color", "variant", "item")
"""What pictures are drawn together by, in the order of `CaptionBatch.alike`."""


class DualSettings(SystemSettings):
    """Fields of `model` in a recipe."""

    dim: int = Field(256, ge=8)
    """Columns of the embedding."""
    matryoshka_dims: tuple[int, ...] = (64, 128, 256)
    """Prefixes that shall serve on their own; the last is `dim`."""
    temperature: float = Field(0.1, gt=0)
    """Temperature of supervised contrastion."""
    item_temperature: float = Field(0.07, gt=0)
    """The same where pictures are drawn together by item."""

    @model_validator(mode="after")
    def _dims_fit(self) -> Self:
        if list(self.matryoshka_dims) != sorted(self.matryoshka_dims) or not self.matryoshka_dims:
            raise ValueError("matryoshka_dims must rise")
        if self.matryoshka_dims[-1] != self.dim:
            raise ValueError(f"the last of matryoshka_dims must be dim ({self.dim})")
        return self


class Dual(EmbeddingSystem):
    """Features of a picture, or tokens of a sentence → one linear layer each → one space."""

    eats = CaptionBatch
    Sizes: ClassVar[type] = VocabularySize
    Settings: ClassVar[type[SystemSettings]] = DualSettings
    answers = ("embed", "embed_text")
    mixed = True

    def __init__(self, feature_dim: int, sizes: VocabularySize, settings: DualSettings) -> None:
        super().__init__(feature_dim, sizes, settings)
        self.head = nn.Linear(feature_dim, settings.dim)
        self.text = TextTower(sizes.pieces, settings.dim)
        self.objective = SigmoidLoss()
        self.contrasts = [
            SupConLoss(
                temperature=settings.item_temperature if n == "item" else settings.temperature
            )
            for n in NOTIONS
        ]

    def embed(self, features: Tensor, street: Tensor) -> Tensor:  # noqa: ARG002
        """Features (B, feature_dim) → unit rows (B, dim), the same for street and shop."""
        return functional.normalize(self.head(features), dim=1)

    def embed_text(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token ids and mask (B, L) → unit rows (B, dim)."""
        return functional.normalize(self.text(input_ids, attention_mask), dim=1)

    def losses(self, features: Tensor, batch: CaptionBatch, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """The sigmoid loss, and contrastion by each notion; each over all Matryoshka prefixes."""
        images = self.head(features).float()
        texts = self.text(batch.input_ids, batch.attention_mask).float()
        with torch.autocast(images.device.type, enabled=False):
            dims = self.settings.matryoshka_dims
            contrasts = {
                name: weight * self._contrast(loss, images, labels)
                for name, loss, labels, weight in zip(
                    NOTIONS, self.contrasts, batch.alike, batch.weights, strict=True
                )
            }
            sigmoid = matryoshka(
                lambda i, t: self.objective(i, t, batch.truth), dims, images, texts
            )
        return {"sigmoid": sigmoid, **contrasts}

    def save(self, folder: Path, backbone: nn.Module | None) -> None:
        """Write both towers in float16, as torch and ONNX Runtime read them."""
        from coordi.models.encoders.onnx_export import export_towers

        assert isinstance(backbone, Backbone)
        image = ImageTower(self.dim, backbone.tower, self.head)
        export_towers(image, self.text, folder, image_size=backbone.config.image_size)

    @classmethod
    def stored(cls, weights: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
        """As `System`; the file names the towers, "image" and "text"."""
        if part == "backbone":
            named = {"image.backbone.": "tower."}
        else:
            named = {"image.head.": "head.", "text.": "text."}
        return {
            new + name.removeprefix(old): value
            for old, new in named.items()
            for name, value in weights.items()
            if name.startswith(old)
        }

    def _contrast(self, loss: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        known = labels >= 0
        return matryoshka(
            lambda rows: loss(rows, labels[known]), self.settings.matryoshka_dims, images[known]
        )


class SigmoidLoss(nn.Module):
    """Every image-text pair of a batch is one yes-or-no question.

    −mean over images of Σ_j log σ(z_ij · (κ s_ij + b)), with κ = exp(`log_scale`), both κ and b
    learnable, κ starting at 10 and b at −10 (section 3.2 of the paper). Unlike the paper, z may
    be 0 where nobody knows whether a text is true of an image: such pairs take no part, and
    an image may have several true texts.
    """

    def __init__(self, scale: float = 10.0, bias: float = -10.0) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.bias = nn.Parameter(torch.tensor(bias))

    def forward(self, images: Tensor, texts: Tensor, truth: Tensor | None = None) -> Tensor:
        """Loss of unit rows (N, D) and (M, D), with `truth` (N, M) in {1, 0, −1}.

        Without `truth`, row i of both belongs together and nothing else does.
        """
        if truth is None:
            truth = 2 * torch.eye(len(images), len(texts), device=images.device) - 1
        truth = truth.to(images.dtype)
        logits = self.log_scale.exp() * images @ texts.T + self.bias  # (N, M)
        terms = functional.logsigmoid(truth * logits) * (truth != 0)
        return -terms.sum() / len(images)


def matryoshka(loss: Callable[..., Tensor], dims: Sequence[int], *embeddings: Tensor) -> Tensor:
    """Mean of `loss` over the prefixes of `embeddings` (each (N, D)), rescaled to unit rows."""
    total = sum(
        loss(*(functional.normalize(rows[:, :dim], dim=1) for rows in embeddings)) for dim in dims
    )
    return total / len(dims)  # type: ignore[return-value]
