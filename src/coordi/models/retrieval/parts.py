"""Two towers whose pictures are seen in three parts: the system of coordi-mini 1.0.

A composition of published parts, and as a whole our own. Pictures and words: Zhai et al. 2023 (see
`dual.py`). Items and labels: supervised contrastion (Khosla et al. 2020, L_out), which for pairs is
InfoNCE. Labels also by normalised softmax over learned proxies (Zhai and Wu 2019, "Classification
is a Strong Baseline for Deep Metric Learning", equation 3), each source among its own labels
only. Prefixes learn too (Kusupati et al. 2022). Where masks are known, one map of attention learns
them by cross-entropy.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

import torch
from pydantic import Field, model_validator
from pytorch_metric_learning.losses import SupConLoss
from torch import Tensor, nn
from torch.nn import functional

from coordi.models.batches import CellBatch, CellSizes
from coordi.models.encoders.mini import TextTower
from coordi.models.encoders.parts import Parts, PartsTower
from coordi.models.retrieval.dual import SigmoidLoss, matryoshka
from coordi.models.system import EmbeddingSystem, SystemSettings

NOTIONS = ("category", "label", "color", "pattern", "variant", "item")
"""What pictures are drawn together by, in the order of `CellBatch.alike`."""

LABELS = ("category", "label", "color", "pattern")
"""Those of which there are few enough for a proxy each."""

_OWN = {"label": 0, "color": 1, "pattern": 2}
"""Which part learns a notion on its own too: kind, colour, texture."""


class PartsSettings(SystemSettings):
    """Fields of `model` in a recipe."""

    dim: int = Field(256, ge=64, multiple_of=64)
    """Columns of the embedding."""
    matryoshka_dims: tuple[int, ...] = (64, 128, 256)
    """Prefixes that shall serve on their own; the last is `dim`."""
    temperature: float = Field(0.1, gt=0)
    """Temperature of contrastion by labels, and of their proxies."""
    item_temperature: float = Field(0.06, gt=0)
    """The same where pictures are drawn together by item."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """In the layers that are not inherited."""
    words: float = Field(1.0, ge=0)
    """Weight of the pictures' captions."""
    attention: float = Field(0.5, ge=0)
    """Weight of the map of attention that is taught masks."""

    @model_validator(mode="after")
    def _dims_fit(self) -> Self:
        dims = self.matryoshka_dims
        if not dims or list(dims) != sorted(dims) or dims[-1] != self.dim:
            raise ValueError(f"matryoshka_dims must rise, and end with dim ({self.dim})")
        return self


class PartsSystem(EmbeddingSystem):
    """Cells of a picture → three parts, joined; tokens of a sentence → the same space."""

    eats = CellBatch
    Sizes: ClassVar[type] = CellSizes
    Settings: ClassVar[type[SystemSettings]] = PartsSettings
    answers = ("embed", "embed_text")
    mixed = True

    def __init__(self, feature_dim: int, sizes: CellSizes, settings: PartsSettings) -> None:
        super().__init__(feature_dim, sizes, settings)
        self.image = PartsTower(settings.dim, settings.dropout)
        self.text = TextTower(sizes.pieces, settings.dim)
        self.objective = _Objective(sizes, settings, self.image.dims)

    def inherited(self) -> list[nn.Module]:
        """The upper half of the ImageNet network."""
        return [*self.image.blocks, self.image.last]

    def embed(self, features: Tensor, street: Tensor) -> Tensor:  # noqa: ARG002
        """Cells (B, C, h, w) → unit rows (B, dim), the same for street and shop."""
        return self.image.joined(self.image.see(features, products=True)).float()

    def embed_text(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token ids and mask (B, L) → unit rows (B, dim)."""
        return functional.normalize(self.text(input_ids, attention_mask), dim=1)

    def losses(self, features: Tensor, batch: CellBatch, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """Words, each notion over all prefixes, labels on the parts' own, and the mask."""
        parts = Parts(*(part.float() for part in self.image.see(features, products=True)))
        texts = self.text(batch.input_ids, batch.attention_mask).float()
        with torch.autocast(features.device.type, enabled=False):
            out: dict[str, Tensor] = self.objective(self.image.joined(parts), texts, parts, batch)
        return out

    def save(self, folder: Path, backbone: nn.Module | None) -> None:  # noqa: ARG002
        """Write both towers in float16, as torch and ONNX Runtime read them."""
        from coordi.models.encoders.onnx_export import export_towers

        export_towers(self.image, self.text, folder, image_size=self.image.size)

    @classmethod
    def stored(cls, weights: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
        """As `System`; the file has the towers' weights by their own names."""
        return dict(weights) if part == "system" else {}


class _Objective(nn.Module):
    """All that is minimised; its proxies are of no use once training is over."""

    def __init__(self, sizes: CellSizes, settings: PartsSettings, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.settings = settings
        self.sigmoid = SigmoidLoss()
        self.contrasts = nn.ModuleDict(
            {
                name: SupConLoss(
                    temperature=settings.item_temperature
                    if name == "item"
                    else settings.temperature
                )
                for name in NOTIONS
            }
        )
        self.proxies, self.own = nn.ModuleDict(), nn.ModuleDict()
        for name in LABELS:
            self.proxies[name] = Proxies(sizes.classes[name], settings.dim, settings.temperature)
        for name, part in _OWN.items():
            self.own[name] = Proxies(sizes.classes[name], dims[part], settings.temperature)

    def forward(
        self, images: Tensor, texts: Tensor, parts: Parts, batch: CellBatch
    ) -> dict[str, Tensor]:
        """Unit rows (B, dim), texts (B, dim) of any length, and the parts → weighted losses.

        What no picture of the batch is known to be or to share has no part in it.
        """
        dims = self.settings.matryoshka_dims
        words = matryoshka(lambda i, t: self.sigmoid(i, t, batch.truth), dims, images, texts)
        losses = {"sigmoid": self.settings.words * words}
        for name, labels, weight in zip(NOTIONS, batch.alike, batch.weights, strict=True):
            if not (labels >= 0).any():
                continue
            losses[name] = weight * self._notion(name, images, labels)
            if name in _OWN:
                losses[f"{name} alone"] = weight * self.own[name](parts[_OWN[name]], labels)
        if (known := batch.garments >= 0).any():
            loss = functional.binary_cross_entropy_with_logits(
                parts.attention[:, 0][known], batch.garments[known].clamp(max=1)
            )
            losses["attention"] = self.settings.attention * loss
        return losses

    def _notion(self, name: str, images: Tensor, labels: Tensor) -> Tensor:
        known, dims, contrast = labels >= 0, self.settings.matryoshka_dims, self.contrasts[name]
        loss = matryoshka(lambda rows: contrast(rows, labels[known]), dims, images[known])
        if name in LABELS:
            loss = loss + self.proxies[name](images, labels)
        return loss


class Proxies(nn.Module):
    """Normalised softmax over a learned unit row per label (Zhai and Wu 2019, equation 3).

    −log of exp(cos(x, p_y) / τ) over the sum of the same for all labels that exclude y.
    """

    groups: Tensor

    def __init__(self, groups: tuple[int, ...], dim: int, temperature: float) -> None:
        """`groups` (K,): labels of one number exclude each other."""
        super().__init__()
        self.temperature = temperature
        self.rows = nn.Parameter(torch.randn(len(groups), dim) / dim**0.5)
        self.register_buffer("groups", torch.tensor(groups, dtype=torch.long))

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Unit rows (B, dim) and labels (B,), −1 unknown → the mean over those that are known, of
        which there is one at least.
        """
        known = labels >= 0
        labels = labels[known]
        logits = images[known] @ functional.normalize(self.rows, dim=1).T / self.temperature
        foreign = self.groups[labels][:, None] != self.groups
        return functional.cross_entropy(logits.masked_fill(foreign, -torch.inf), labels)
