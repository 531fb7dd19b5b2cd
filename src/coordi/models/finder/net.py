"""The finder's network: an ImageNet trunk, and a light decoder that names every pixel.

Trunk: EfficientNet-Lite0 (Tan & Le 2019) without its last blocks, its batch normalisation folded
into the convolutions. Decoder: a feature pyramid (Lin et al. 2017, "Feature Pyramid Networks",
section 3) over strides 32, 16, 8 and 4 whose convolutions are separable, and a gate by what the
picture shows as a whole, as in LR-ASPP (Howard et al. 2019, "Searching for MobileNetV3", section
6.4).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from coordi.models.encoders.efficientnet_lite import EfficientNetLite, InvertedResidual
from coordi.models.encoders.mini import fold_batch_norm

_BLOCKS = 14
"""Blocks of the trunk that are kept: the last two weigh as much as all others, and see no more."""

_TAPS = (2, 4, 10, 13)
"""Blocks after which the maps are taken, at strides 4, 8, 16 and 32."""

_KERNELS = (3, 5, 5, 5)
"""Sides of the decoder's depthwise convolutions at these."""


class ParsingNet(nn.Module):
    """Pixels (B, 3, H, W) in [−1, 1] → logits (B, classes, H / 4, W / 4)."""

    def __init__(self, classes: int, width: int = 96) -> None:
        super().__init__()
        whole = fold_batch_norm(EfficientNetLite(0))
        self.stem, self.blocks = whole.stem, whole.blocks[:_BLOCKS]
        channels = [_width(self.blocks[tap]) for tap in _TAPS]
        self.lateral = nn.ModuleList(nn.Conv2d(count, width, 1) for count in channels)
        self.mix = nn.ModuleList(Separable(width, kernel) for kernel in _KERNELS)
        self.gate = nn.Conv2d(channels[-1], width, 1)
        self.classify = nn.Conv2d(width, classes, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Name every pixel."""
        taps = self._taps(pixels)
        seen = torch.sigmoid(self.gate(taps[-1].mean((2, 3), keepdim=True)))
        hidden: Tensor | None = None
        for tap, lateral, mix in zip(
            reversed(taps), reversed(self.lateral), reversed(self.mix), strict=True
        ):
            maps = lateral(tap)
            maps = maps * seen if hidden is None else maps + doubled(hidden)
            hidden = mix(maps)
        logits: Tensor = self.classify(hidden)
        return logits

    def _taps(self, pixels: Tensor) -> list[Tensor]:
        hidden, taps = self.stem(pixels), []
        for number, block in enumerate(self.blocks):
            hidden = block(hidden)
            if number in _TAPS:
                taps.append(hidden)
        return taps

    def start_from(self, published: EfficientNetLite) -> None:
        """Take over the trunk of a network with its batch normalisation, which is folded in it."""
        whole = fold_batch_norm(published)
        self.stem.load_state_dict(whole.stem.state_dict())
        self.blocks.load_state_dict(whole.blocks[:_BLOCKS].state_dict())

    def trunk(self) -> list[nn.Module]:
        """Its stem and blocks, from the input on."""
        return [self.stem, *self.blocks]


class Separable(nn.Module):
    """A depthwise and a pointwise convolution, added to what came in."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)
        self.pointwise = nn.Conv2d(width, width, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, width, h, w) → the same."""
        mixed: Tensor = self.pointwise(functional.relu(self.depthwise(maps)))
        return functional.relu(maps + mixed)


def _width(block: nn.Module) -> int:
    assert isinstance(block, InvertedResidual)
    return block.project.convolution.out_channels


def doubled(maps: Tensor) -> Tensor:
    """Maps (B, C, h, w) at twice the size, bilinear."""
    return functional.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
