"""A garment finder: what every pixel of a photo is, learned from masks, parse maps and packshots.

Long, Shelhamer and Darrell 2015, "Fully Convolutional Networks for Semantic Segmentation": a
softmax at every pixel. Ours differs: sources name garments more or less finely ("upper clothes",
"blouse", only a list of what is worn), so a pixel is marked with the set of classes that it can be
of, and −log of the sum of their probabilities is minimised (Cour, Sapp and Taskar 2011, "Learning
from Partial Labels"). Of a set of one it is the cross-entropy, of the set of all it is nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from coordi.models.batches import MaskBatch, MaskSizes
from coordi.models.finder.net import ParsingNet, doubled
from coordi.models.finder.opening import GRAPH, STRIDE
from coordi.models.system import WEIGHTS, System, SystemSettings


class FinderSettings(SystemSettings):
    """Fields of `model` in a recipe."""

    width: int = Field(96, ge=8)
    """Channels of the decoder."""


class Finder(System):
    """Pixels → the probability of every class at every second pixel."""

    family = "finder"
    answers = ("classes_of",)
    eats = MaskBatch
    Sizes: ClassVar[type] = MaskSizes
    Settings: ClassVar[type[SystemSettings]] = FinderSettings

    def __init__(self, feature_dim: int, sizes: MaskSizes, settings: FinderSettings) -> None:
        super().__init__(feature_dim, sizes, settings)
        self.classes = sizes.classes
        self.net = ParsingNet(len(sizes.classes), settings.width)
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def inherited(self) -> list[nn.Module]:
        """The stem and blocks that come from ImageNet."""
        return self.net.trunk()

    def classes_of(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, H, W) in [−1, 1], sides multiples of 32 → shares (B, C, H / 2, W / 2)."""
        shares: Tensor = Serving(self.net)(pixels)
        return shares

    def losses(self, features: Tensor, batch: MaskBatch, progress: float) -> dict[str, Tensor]:  # noqa: ARG002
        """Weighted mean over the pixels of −log of the probability of what each can be."""
        logits = doubled(self.net(features.contiguous(memory_format=torch.channels_last)))
        counts = batch.weights[batch.marks]
        missing = partial_entropy(logits, batch.marks, batch.allowed)
        return {"pixels": (missing * counts).sum() / counts.sum().clamp(min=1e-6)}

    def save(self, folder: Path, backbone: nn.Module | None) -> None:  # noqa: ARG002
        """Write weights in float16 and the graph, as torch and ONNX Runtime read them."""
        from coordi.models.encoders.onnx_export import export_net

        pixels = torch.zeros(1, 3, 3 * STRIDE, 2 * STRIDE)
        export_net(
            Serving(self.net),
            folder,
            GRAPH,
            {"pixel_values": pixels},
            "shares",
            free={0: "batch", 2: "height", 3: "width"},
        )
        (folder / WEIGHTS).chmod(0o644)

    @classmethod
    def stored(cls, weights: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
        """As `System`; the file holds the one network."""
        prefix = "net.net."
        if part != "system":
            return {}
        return {
            "net." + name.removeprefix(prefix): value.float()
            for name, value in weights.items()
            if name.startswith(prefix)
        }


class Serving(nn.Module):
    """The network with what makes shares of its logits, as it is exported."""

    def __init__(self, net: ParsingNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, H, W) → shares (B, C, H / 2, W / 2) that add up to 1."""
        return doubled(self.net(pixels)).softmax(1)


def partial_entropy(logits: Tensor, marks: Tensor, allowed: Tensor) -> Tensor:
    """−log Σ_{c allowed} p_c at every pixel (B, h, w), of logits (B, C, h, w).

    `marks` (B, h, w) are rows of `allowed` (S, C), of which each allows one class or more.
    """
    rows = allowed[marks].permute(0, 3, 1, 2)
    within = logits.masked_fill(~rows, float("-inf"))
    return logits.logsumexp(1) - within.logsumexp(1)
