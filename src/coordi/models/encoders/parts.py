"""The image tower of coordi-mini 1.0: a garment seen in three parts, joined to one row.

What it is (the upper half of EfficientNet-Lite0, mean and largest value of each channel), which
colours it has, and which textures: the last two summed up from cells (`coordi.models.encoders.
cells`) under a few maps of attention, so that the ground behind a garment, and the rest of the
person in it, count little. Each part is a unit row; they are joined with learned weights. Columns
are ordered so that the first k hold the same share of every part.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from coordi.models.encoders.cells import COLORS, LOWER, SEEN, TEXTURE, Cells
from coordi.models.encoders.efficientnet_lite import HEAD, EfficientNetLite
from coordi.models.encoders.mini import fill_image_tower, fold_batch_norm
from coordi.models.encoders.products import as_products

MAPS = 4
"""Maps of attention; the first is taught where the garment is."""

_NARROW = 8
"""The parts' columns are multiples of an eighth of the whole."""


class Parts(NamedTuple):
    """What is seen of B pictures."""

    kind: Tensor
    """(B, k) unit rows: what the garment is."""
    color: Tensor
    """(B, c) unit rows."""
    texture: Tensor
    """(B, t) unit rows."""
    attention: Tensor
    """(B, MAPS, h, w) logits."""


class PartsTower(nn.Module):
    """Pixels (B, 3, H, W) in [−1, 1], sides multiples of 32 → unit rows (B, dim)."""

    order: Tensor

    def __init__(self, dim: int = 256, dropout: float = 0.2) -> None:
        """`dim` is a multiple of 8; the parts take 5/8, 2/8 and 1/8 of it."""
        super().__init__()
        self.size = (192, 160)
        """Height and width of the pictures that the finished encoder takes; who trains sets it."""
        if dim % _NARROW:
            raise ValueError(f"dim must be a multiple of {_NARROW}, not {dim}")
        kind, color, texture = self.dims = (dim * 5 // 8, dim * 2 // 8, dim // 8)
        self.cells = Cells()
        whole = fold_batch_norm(EfficientNetLite(0))
        self.blocks, self.last = whole.blocks[LOWER:], whole.head
        self.attention = nn.Sequential(nn.Conv2d(SEEN, 64, 1), nn.GELU(), nn.Conv2d(64, MAPS, 1))
        self.kind = _head(2 * HEAD, 768, kind, dropout)
        self.color = _head(COLORS * MAPS, 384, color, dropout / 2)
        self.texture = _head(TEXTURE * MAPS, 384, texture, dropout / 2)
        self.weights = nn.Parameter(torch.tensor([1.5, 1.1, 0.9]))
        """How much each part counts, before softplus."""
        self.register_buffer("order", _interleaved(self.dims))

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode a batch."""
        return self.joined(self.see(self.cells(pixels)))

    def see(self, cells: Tensor, *, products: bool = False) -> Parts:
        """Cells (B, CHANNELS, h, w) → parts; `products` is for learning, see `as_products`."""
        seen, texture, colors = torch.split(cells, [SEEN, TEXTURE, COLORS], 1)
        attention = self.attention(seen)
        share = attention.sigmoid()
        share = share / (share.sum((2, 3), keepdim=True) + 1e-4)
        features = self._kind(seen, products=products)
        # Roots: small shares of a colour count, as in Hellinger's distance of histograms.
        pooled = (_pooled(share, colors) + 1e-5).sqrt()
        return Parts(
            functional.normalize(self.kind(features), dim=1),
            functional.normalize(self.color(pooled.flatten(1)), dim=1),
            functional.normalize(self.texture(_pooled(share, texture).flatten(1)), dim=1),
            attention,
        )

    def joined(self, parts: Parts) -> Tensor:
        """Parts → unit rows (B, dim)."""
        weights = functional.softplus(self.weights)
        weights = weights / (weights * weights).sum().sqrt()
        rows = torch.cat([w * part for w, part in zip(weights, parts[:3], strict=True)], 1)
        return rows[:, self.order]

    def _kind(self, seen: Tensor, *, products: bool) -> Tensor:
        if products:
            tokens = as_products(list(self.blocks), self.last, seen)
            return torch.cat([tokens.float().mean(1), tokens.amax(1).float()], 1)
        for block in self.blocks:
            seen = block(seen)
        maps = self.last(seen)
        return torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1)

    def stages(self) -> list[nn.Module]:
        """What is inherited, from the input on."""
        return [self.cells.stem, *self.cells.blocks, *self.blocks, self.last]

    def start_from(self, published: EfficientNetLite) -> None:
        """Take over the upper half of a network; the lower one is `Cells`' own to start."""
        whole = fold_batch_norm(published)
        self.blocks.load_state_dict(whole.blocks[LOWER:].state_dict())
        self.last.load_state_dict(whole.head.state_dict())


def _head(inside: int, hidden: int, outside: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(inside), nn.Dropout(dropout), nn.Linear(inside, hidden), nn.GELU(),
        nn.Dropout(dropout), nn.Linear(hidden, outside),
    )  # fmt: skip


def _pooled(share: Tensor, cells: Tensor) -> Tensor:
    """Maps of attention (B, MAPS, h, w), each of sum one, and cells (B, C, h, w) → (B, MAPS, C)."""
    with torch.autocast(share.device.type, enabled=False):  # it would round shares of colours
        return share.float().flatten(2) @ cells.float().flatten(2).transpose(1, 2)


def _interleaved(dims: tuple[int, ...]) -> Tensor:
    """The order in which every prefix holds of each part what its length is of the whole."""
    places = [(at / dim, part, at) for part, dim in enumerate(dims) for at in range(dim)]
    starts = [sum(dims[:part]) for part in range(len(dims))]
    return torch.tensor([starts[part] + at for _, part, at in sorted(places)])


def load_parts_tower(folder: Path) -> PartsTower:
    """The image tower of an artefact of `parts`, in float32, ready to go on training."""
    return fill_image_tower(folder, lambda dim: PartsTower(dim, dropout=0.0))
