"""Image towers that learn: the torch side of an encoder, for training end to end.

A backbone stays in evaluation mode while it learns: batch normalisation keeps the statistics
that it came with (with small batches of few garments, new ones do harm) and nothing is dropped.
"""

import json
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from coordi.artifacts import fetch, read_json
from coordi.errors import EncoderError
from coordi.models.encoders.names import MINI, lite_variant, mini_folder
from coordi.models.encoders.onnx import DUAL_FORMAT

Triple = tuple[float, float, float]


class BackboneConfig(BaseModel):
    """What is needed to build a backbone again, before its weights are filled in."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kind: Literal["mobilenet_v2", "coordi-mini", "parts", "efficientnet-lite", "transformers"]
    """"coordi-mini" is that of 0.2.0 and before, "parts" that of 1.0."""
    origin: str
    """Where its first weights came from."""
    dim: int
    """Columns of its features."""
    image_size: int = Field(ge=1, le=4096)
    """Side in pixels of the pictures that it learns on and is served with."""
    mean: Triple = (0.5, 0.5, 0.5)
    """Subtracted from pixels in [0, 1], per channel."""
    std: Triple = (0.5, 0.5, 0.5)
    """What pixels are divided by after that."""
    architecture: dict[str, Any] = {}
    """config.json of a `transformers` model; {"variant": n} of an EfficientNet-Lite."""
    unit_rows: bool = True
    """Whether features are scaled to length one."""


class Backbone(nn.Module):
    """Pixels (B, 3, S, S) in [−1, 1] → rows (B, dim), of length one unless the config says not."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: BackboneConfig, tower: nn.Module) -> None:
        super().__init__()
        self.config, self.tower = config, tower
        self._as_it_is = config.mean == config.std == (0.5, 0.5, 0.5)
        self.register_buffer("mean", _column(config.mean), persistent=False)
        self.register_buffer("std", _column(config.std), persistent=False)
        # Convolutions are a third faster on a CPU with the channels last.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode a batch."""
        rows = self.features(pixels).float()
        return functional.normalize(rows, dim=1) if self.config.unit_rows else rows

    def blocks(self) -> list[nn.Module]:
        """Its stages from the input on, for a recipe that keeps the first ones as they are."""
        if self.config.kind == "transformers":
            return []
        tower: Any = self.tower
        if self.config.kind in {"efficientnet-lite", "parts"}:
            stages: list[nn.Module] = tower.stages()
            return stages
        network = tower.backbone if self.config.kind == "coordi-mini" else tower
        return [network.conv_stem, *network.layer]

    def features(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, S, S) in [−1, 1] → rows (B, dim) that are not yet of length one."""
        scaled = pixels if self._as_it_is else ((pixels + 1) / 2 - self.mean) / self.std
        scaled = scaled.contiguous(memory_format=torch.channels_last)
        rows: Tensor
        if self.config.kind in {"coordi-mini", "parts", "efficientnet-lite"}:
            rows = self.tower(scaled)
        else:
            out = self.tower(pixel_values=scaled)
            pooled = getattr(out, "pooler_output", None)
            rows = out.last_hidden_state[:, 0] if pooled is None else pooled.flatten(1)
        return rows

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002
        """Stay in evaluation mode; see the module's docstring."""
        return super().train(False)


def _column(values: Triple) -> Tensor:
    return torch.tensor(values).reshape(1, 3, 1, 1)


def open_backbone(name: str, image_size: int) -> Backbone:
    """The image tower of an encoder, ready to go on learning at `image_size` pixels a side.

    `name` is "coordi-mini", the folder of such an artefact, "efficientnet-lite0" to 2, the TFLite
    file of a MobileNetV2, or the folder or hub name of an image model of `transformers`. Raises
    `EncoderError` for others.
    """
    if (variant := lite_variant(name)) is not None:
        return _lite(variant, name, image_size)
    path = mini_folder() if name == MINI else Path(name).expanduser()
    if path.suffix == ".tflite":
        return _mobilenet(path, image_size)
    folder = path if path.is_dir() else fetch(name)
    config = read_json(folder / "config.json")
    if config.get("system") == "parts":
        return _parts(folder, name, image_size)
    if config.get("format") == DUAL_FORMAT or config.get("system") == "dual":
        return _mini(folder, name, image_size)
    if "model_type" in config:
        return _transformers(folder, name, image_size, str(config["model_type"]))
    raise EncoderError(
        f"{name} cannot be trained end to end: its image tower is not known in torch. "
        "Give coordi-mini, efficientnet-lite0, a MobileNetV2 .tflite file or an image model of "
        "transformers, or set features=cached"
    )


def _mobilenet(path: Path, image_size: int) -> Backbone:
    from coordi.models.encoders.mini import fold_batch_norm
    from coordi.models.encoders.mobilenet_tflite import load_mobilenet_v2

    config = BackboneConfig(kind="mobilenet_v2", origin=path.stem, dim=1280, image_size=image_size)
    return Backbone(config, fold_batch_norm(load_mobilenet_v2(path)))


def _lite(variant: int, name: str, image_size: int) -> Backbone:
    from coordi.models.encoders.efficientnet_lite import HEAD, load_pooled

    _require_halves(name, image_size)
    config = BackboneConfig(
        kind="efficientnet-lite",
        origin=name,
        dim=2 * HEAD,
        image_size=image_size,
        architecture={"variant": variant},
    )
    return Backbone(config, load_pooled(variant))


def _require_halves(name: str, image_size: int) -> None:
    if image_size % 32:
        near = max(1, round(image_size / 32)) * 32
        raise EncoderError(
            f"{name} halves its pictures five times: a side of {image_size} pixels is no multiple "
            f"of 32; set image_size={near}"
        )


def _parts(folder: Path, name: str, image_size: int) -> Backbone:
    from coordi.models.encoders.parts import load_parts_tower

    _require_halves(name, image_size)
    tower = load_parts_tower(folder)
    config = BackboneConfig(kind="parts", origin=name, dim=sum(tower.dims), image_size=image_size)
    return Backbone(config, tower)


def _mini(folder: Path, name: str, image_size: int) -> Backbone:
    from coordi.models.encoders.mini import load_image_tower

    tower = load_image_tower(folder)
    config = BackboneConfig(
        kind="coordi-mini", origin=name, dim=tower.head.out_features, image_size=image_size
    )
    return Backbone(config, tower)


def _transformers(folder: Path, name: str, image_size: int, kind: str) -> Backbone:
    from coordi.models.encoders.preprocessing import read_preprocessing
    from coordi.models.encoders.pretrained import CLASS_TOKEN, POOLED, load_model

    if kind not in POOLED | CLASS_TOKEN:
        known = ", ".join(sorted(POOLED | CLASS_TOKEN))
        raise EncoderError(
            f"{name} is a {kind!r} model, which cannot be trained end to end; set features=cached "
            f"or take one of {known}"
        )
    model = load_model(folder, name)
    settings = read_json(folder / "preprocessor_config.json")
    pixels = read_preprocessing(settings, str(folder)) if settings else None
    plain = BackboneConfig(
        kind="transformers",
        origin=name,
        dim=1,
        image_size=image_size,
        mean=_triple(pixels.mean) if pixels else (0.5, 0.5, 0.5),
        std=_triple(pixels.std) if pixels else (0.5, 0.5, 0.5),
        architecture=json.loads(model.config.to_json_string(use_diff=False)),
    )
    with torch.no_grad():
        width = Backbone(plain, model).features(torch.zeros(1, 3, image_size, image_size)).shape[1]
    return Backbone(plain.model_copy(update={"dim": width}), model)


def _triple(values: tuple[float, ...]) -> Triple:
    red, green, blue = values
    return red, green, blue


def build_backbone(config: BackboneConfig) -> Backbone:
    """A backbone of a stored configuration, its weights still to be filled in."""
    if config.kind == "coordi-mini":
        from coordi.models.encoders.mini import ImageTower

        return Backbone(config, ImageTower(config.dim))
    if config.kind == "parts":
        from coordi.models.encoders.parts import PartsTower

        return Backbone(config, PartsTower(config.dim, dropout=0.0))
    if config.kind == "mobilenet_v2":
        from transformers import MobileNetV2Config, MobileNetV2Model

        from coordi.models.encoders.mini import fold_batch_norm

        return Backbone(config, fold_batch_norm(MobileNetV2Model(MobileNetV2Config())))
    if config.kind == "efficientnet-lite":
        from coordi.models.encoders.efficientnet_lite import EfficientNetLite, PooledLite

        return Backbone(config, PooledLite(EfficientNetLite(config.architecture["variant"])))
    from coordi.models.encoders.pretrained import build_model

    return Backbone(config, build_model(config.architecture))
