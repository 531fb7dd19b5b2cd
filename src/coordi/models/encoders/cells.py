"""A picture as cells: what the lower half of EfficientNet-Lite0 sees, textures, and colours.

The lower blocks stay as ImageNet taught them, so what they see of a picture can be kept and
learned from again and again. A cell is 16 × 16 pixels. Of each are kept: the map of the last lower
block; mean and deviation of two early maps (second-order statistics of texture, after Gatys et al.
2015, "Texture Synthesis Using Convolutional Neural Networks", section 2, of single channels); and
how much of each of some colours it shows.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from torch import Tensor, nn
from torch.nn import functional

from coordi.models.encoders.efficientnet_lite import EfficientNetLite
from coordi.models.encoders.mini import fold_batch_norm

LOWER = 11
"""Blocks of EfficientNet-Lite0 that stay as they are."""

CELL = 16
"""Pixels a side."""

SEEN, TEXTURE, COLORS = 112, 2 * (24 + 40), 96
"""Columns of each kind, in the order in which they stand."""

CHANNELS = SEEN + TEXTURE + COLORS

_TEXTURED = {2: 4, 4: 2}
"""Blocks whose maps are summed up, and how many of their places make a cell's side."""

_BREADTH = 9.0
"""How far a colour reaches, in units of CIE L*a*b*: neighbours among the 96 are about as far."""

_COARSE = 6
"""Side in L*a*b* of the boxes in which colours are counted before they are thinned out."""


class Cells(nn.Module):
    """Pixels (B, 3, H, W) in [−1, 1], sides multiples of 32 → (B, CHANNELS, H / 16, W / 16)."""

    anchors: Tensor

    def __init__(self) -> None:
        super().__init__()
        whole = fold_batch_norm(EfficientNetLite(0))
        self.stem, self.blocks = whole.stem, whole.blocks[:LOWER]
        self.register_buffer("anchors", torch.zeros(COLORS, 3))
        self.requires_grad_(False)

    def forward(self, pixels: Tensor) -> Tensor:
        """See a batch; nothing here learns."""
        hidden, textures = self.stem(pixels), []
        for number, block in enumerate(self.blocks):
            hidden = block(hidden)
            if number in _TEXTURED:
                textures += _spread(hidden.float(), _TEXTURED[number])
        with torch.autocast(pixels.device.type, enabled=False):
            colors = self._colors(pixels.float())
        return torch.cat([hidden.float(), *textures, colors], 1)

    def _colors(self, pixels: Tensor) -> Tensor:
        """Shares of the anchors: soft, by distance in L*a*b*, at a quarter of the size."""
        lab = lab_of(functional.avg_pool2d(pixels.clamp(-1, 1), CELL // 4))
        anchors = self.anchors[:, :, None, None]
        far = (lab * lab).sum(1, keepdim=True) - 2 * functional.conv2d(lab, anchors)
        far = far + (anchors * anchors).sum(1)[None]  # squared distances (B, COLORS, h, w)
        return functional.avg_pool2d((-far / (2 * _BREADTH**2)).softmax(1), 4)

    def start_from(self, published: EfficientNetLite, anchors: NDArray[np.float64]) -> None:
        """Take over the lower half of a network whose batch normalisation is there, or folded."""
        whole = fold_batch_norm(published)
        self.stem.load_state_dict(whole.stem.state_dict())
        self.blocks.load_state_dict(whole.blocks[:LOWER].state_dict())
        self.anchors.copy_(torch.from_numpy(anchors))


def _spread(maps: Tensor, side: int) -> list[Tensor]:
    """Mean and standard deviation over squares of `side` places."""
    mean = functional.avg_pool2d(maps, side)
    variance = functional.relu(functional.avg_pool2d(maps * maps, side) - mean * mean)
    return [mean, (variance + 1e-4).sqrt()]  # of a flat square the root would have no slope


_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = np.array([0.9505, 1.0, 1.089])


def lab_of(pixels: Tensor) -> Tensor:
    """sRGB in [−1, 1], (B, 3, H, W), to CIE L*a*b* (D65)."""
    unit = (pixels + 1) / 2
    linear = torch.where(
        unit > 0.04045, ((unit.clamp(min=0.04) + 0.055) / 1.055) ** 2.4, unit / 12.92
    )
    matrix = torch.as_tensor(_XYZ / _WHITE[:, None], dtype=pixels.dtype, device=pixels.device)
    xyz = functional.conv2d(linear, matrix[:, :, None, None])
    root = torch.where(xyz > 0.008856, xyz.clamp(min=1e-4) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = root.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def choose_anchors(pictures: Sequence[NDArray[np.uint8]], seed: int) -> NDArray[np.float64]:
    """Colours (COLORS, 3) in L*a*b* that fashion photos are made of: k-means over their pixels.

    Common colours (white grounds, skin, black) are thinned out by the root of their number, or
    they would take most of the anchors.
    """
    rng = np.random.default_rng(seed)
    bytes_ = np.concatenate([picture[::12, ::12].reshape(-1, 3) for picture in pictures])
    pixels = torch.from_numpy(bytes_.T.astype(np.float64) / 127.5 - 1)[None, :, :, None]
    lab = lab_of(pixels)[0, :, :, 0].T.numpy()
    boxes = np.floor(lab / _COARSE).astype(int)
    _, box, count = np.unique(boxes, axis=0, return_inverse=True, return_counts=True)
    weight = 1 / np.sqrt(count[box.ravel()])
    rows = rng.choice(len(lab), min(len(lab), 40_000), p=weight / weight.sum())
    seen = np.unique(lab[rows], axis=0)
    if len(seen) <= COLORS:  # of a few flat drawings; what repeats shares what is seen
        return np.resize(seen, (COLORS, 3))
    found, _ = kmeans2(lab[rows], COLORS, minit="++", rng=rng)
    return np.asarray(found)
