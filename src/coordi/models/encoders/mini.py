"""coordi-mini: a MobileNetV2 image tower and a small transformer text tower in one space.

Image tower: MobileNetV2 (Sandler et al. 2018, width 1.0; batch normalisation folded into the
convolutions) up to its 1280 pooled features, then one linear layer. Text tower: token plus
position embeddings, pre-norm transformer layers, mean over the tokens, then one linear layer.
Both give rows that are not yet of length one.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from coordi.artifacts import read_json
from coordi.errors import EncoderError

_Model = TypeVar("_Model", bound=nn.Module)


class ImageTower(nn.Module):
    """Pixels (B, 3, S, S) in [−1, 1] → (B, dim)."""

    def __init__(
        self,
        dim: int = 256,
        backbone: nn.Module | None = None,
        head: nn.Linear | None = None,
    ) -> None:
        super().__init__()
        if backbone is None:
            from transformers import MobileNetV2Config, MobileNetV2Model  # slow, and few need it

            backbone = MobileNetV2Model(MobileNetV2Config())
        self.backbone = fold_batch_norm(backbone)
        self.head = nn.Linear(1280, dim) if head is None else head

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode a batch."""
        features: Tensor = self.backbone(pixels).pooler_output
        projected: Tensor = self.head(features)
        return projected


class TextTower(nn.Module):
    """Token ids and mask, both (B, L), → (B, dim)."""

    def __init__(
        self, vocabulary: int, dim: int = 256, width: int = 192, layers: int = 2, length: int = 32
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(length, width)
        self.layers = nn.ModuleList(_Layer(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, dim)
        for table in (self.tokens, self.positions):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode a batch; a row without any token gives the head's bias."""
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)
        hidden = self.tokens(input_ids) + self.positions(positions)  # (B, L, width)
        keep = attention_mask.to(hidden.dtype)
        for layer in self.layers:
            hidden = layer(hidden, keep)
        weights = keep.unsqueeze(-1)
        pooled = (self.norm(hidden) * weights).sum(1) / weights.sum(1).clamp(min=1.0)
        projected: Tensor = self.head(pooled)
        return projected


class _Layer(nn.Module):
    """A pre-norm transformer layer, written out so that it exports with any length."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, hidden: Tensor, keep: Tensor) -> Tensor:
        hidden = hidden + self.out(self._attend(self.norm_attention(hidden), keep))
        mixed: Tensor = hidden + self.mlp(self.norm_mlp(hidden))
        return mixed

    def _attend(self, hidden: Tensor, keep: Tensor) -> Tensor:
        batch, length, width = hidden.shape
        size = width // self.heads
        query, key, value = (
            part.reshape(batch, length, self.heads, size).transpose(1, 2)
            for part in self.qkv(hidden).chunk(3, dim=-1)
        )  # (B, heads, L, size) each
        scores = query @ key.transpose(2, 3) / size**0.5 + (keep - 1)[:, None, None, :] * 1e4
        mixed: Tensor = (scores.softmax(-1) @ value).transpose(1, 2)
        return mixed.reshape(batch, length, width)


def fold_batch_norm(model: _Model) -> _Model:
    """Fold every batch normalisation of `model` into the convolution before it, in place.

    With batches as mixed as ours the running statistics of another data set do harm when they
    move and cost a third of the time when they do not; without them the network is the same
    function.
    """
    for module in model.modules():
        norm = getattr(module, "normalization", None)
        conv = getattr(module, "convolution", None)
        if isinstance(norm, nn.BatchNorm2d) and isinstance(conv, nn.Conv2d):
            _fold(conv, norm)
            module.normalization = None  # type: ignore[assignment]
    return model


@torch.no_grad()
def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    before = torch.zeros_like(norm.bias) if conv.bias is None else conv.bias
    conv.weight.mul_(scale[:, None, None, None])
    conv.bias = nn.Parameter((before - norm.running_mean) * scale + norm.bias)


def load_image_tower(folder: Path) -> ImageTower:
    """The image tower of a coordi-mini artefact, in float32, ready to go on training."""
    return fill_image_tower(folder, ImageTower)


def fill_image_tower(folder: Path, build: Callable[[int], _Model]) -> _Model:
    """What `build` makes of an artefact's width, with the artefact's image tower in float32.

    `EncoderError` where the two do not fit together.
    """
    try:
        stored = load_file(folder / "model.safetensors")
        weights = {
            name.removeprefix("image."): value.float() if value.is_floating_point() else value
            for name, value in stored.items()
            if name.startswith("image.")
        }
        with torch.device("meta"):  # no memory is taken for sizes that the weights do not have
            tower = build(read_json(folder / "config.json")["dim"])
        tower.load_state_dict(weights, assign=True)
    except Exception as error:  # of safetensors, of a missing name, of sizes that do not fit
        raise EncoderError(
            f"the weights of {folder} cannot be used ({error}); fetch the folder again"
        ) from error
    return tower
