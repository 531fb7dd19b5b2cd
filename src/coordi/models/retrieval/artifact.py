"""A trained retrieval system as a folder: config.json and model.safetensors, and back again."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from coordi.artifacts import read_json
from coordi.errors import CoordiError, EncoderError, UnknownNameError
from coordi.models.batches import LabelSizes
from coordi.models.encoders.backbone import Backbone, BackboneConfig, build_backbone
from coordi.models.encoders.opening import TRAINED

WEIGHTS = "model.safetensors"

_OBJECTIVE = "system.objective."
"""Parameters of losses (proxies, class centres): of no use once training is over."""


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class BaseEncoder(_Stored):
    """The frozen encoder whose features a system takes."""

    name: str
    """What `open_encoder` opens: a built-in name or a hub repository."""
    fingerprint: str
    inside: str = ""
    """Where a copy lies, relative to the artefact's folder, for encoders that have no public
    name; "" where there is none."""


class RetrievalConfig(_Stored):
    """config.json of the folder."""

    format: Literal["coordi-retrieval"] = "coordi-retrieval"
    name: str
    version: str = "0.1.0"
    system: str
    """A name of `SYSTEMS`."""
    settings: dict[str, Any]
    """Its settings."""
    feature_dim: int
    """Columns of the features that it takes."""
    dim: int | None
    """Columns of its embedding; None for a re-ranker, which has none."""
    conditions: tuple[str, ...] = ()
    """What else it can compare by: `open_encoder("FOLDER@condition")`."""
    items: int
    """Garments trained on."""
    categories: int
    """Categories trained on."""
    attributes: dict[str, int]
    """Attribute → values trained on."""
    encoder: BaseEncoder | None = None
    """Whose features it takes; None where the folder has a backbone of its own."""
    backbone: BackboneConfig | None = None
    """The image tower that was trained along (end to end)."""

    @property
    def sizes(self) -> LabelSizes:
        """The label sizes with which the system was built."""
        return LabelSizes(self.items, self.categories, self.attributes)


def save_system(
    folder: Path, system: nn.Module, config: RetrievalConfig, backbone: Backbone | None = None
) -> None:
    """Write config.json and model.safetensors into `folder`, which is there."""
    weights = {f"system.{k}": v for k, v in system.state_dict().items()}
    if backbone is not None:
        weights |= {f"backbone.{k}": v for k, v in backbone.state_dict().items()}
    kept = {
        name: value.detach().cpu().contiguous().clone()
        for name, value in weights.items()
        if not name.startswith(_OBJECTIVE)
    }
    save_file(kept, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)
    text = json.dumps(config.model_dump(mode="json"), indent=2)
    (folder / "config.json").write_text(text + "\n", "utf-8")


def read_config(folder: Path) -> RetrievalConfig:
    """config.json of a trained system; `EncoderError` where it is not one."""
    content = read_json(folder / "config.json")
    if content.get("format") != TRAINED:
        raise EncoderError(f"{folder} holds no trained retrieval system; give a run's artifact")
    try:
        return RetrievalConfig.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise EncoderError(
            f"{folder / 'config.json'} is not readable: {field}: {first['msg']}; fetch the folder "
            "again, or train again"
        ) from error


def load_system(folder: Path) -> tuple[nn.Module, RetrievalConfig]:
    """The system of a folder, in evaluation mode and without its losses, and its configuration.

    Raises `EncoderError` for files that do not fit together, `UnknownNameError` for a system
    that this version of coordi does not have.
    """
    from coordi.models.retrieval import SYSTEMS

    config = read_config(folder)
    if config.system not in SYSTEMS:
        raise UnknownNameError("retrieval system", config.system, SYSTEMS)
    kind: Any = SYSTEMS[config.system]
    with _described(folder):
        system: nn.Module = kind(
            config.feature_dim, config.sizes, kind.Settings.model_validate(config.settings)
        )
    if hasattr(system, "objective"):
        del system.objective
    _fill(system, _part(folder, "system."), folder)
    backbone_dim = config.feature_dim if config.backbone is None else config.backbone.dim
    if (getattr(system, "dim", None), backbone_dim) != (config.dim, config.feature_dim):
        raise EncoderError(f"{folder / 'config.json'}: its widths contradict each other")
    return system.eval().requires_grad_(False), config


def load_backbone(folder: Path) -> Backbone:
    """The backbone of a folder that was trained end to end, in evaluation mode."""
    config = read_config(folder)
    if config.backbone is None:
        raise EncoderError(f"{folder} was trained on cached features: it has no backbone")
    weights = _part(folder, "backbone.")
    with _described(folder):
        described = build_backbone(config.backbone)
    _require_same(described, weights, folder)
    backbone = build_backbone(config.backbone)
    backbone.load_state_dict(weights)
    return backbone.requires_grad_(False)


def _part(folder: Path, prefix: str) -> dict[str, Tensor]:
    """The weights whose names start with `prefix`, without it."""
    try:
        weights = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise EncoderError(
            f"{folder / WEIGHTS} cannot be read ({error}); fetch it again"
        ) from error
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


@contextmanager
def _described(folder: Path) -> Iterator[None]:
    """Build modules without memory: the sizes that a config.json states may be any number."""
    try:
        with torch.device("meta"):
            yield
    except CoordiError as error:
        raise EncoderError(f"{folder / 'config.json'} is not usable: {error}") from error
    except Exception as error:  # torch has many words for a size that cannot be
        raise EncoderError(
            f"{folder / 'config.json'} describes a model that cannot be built ({error}); "
            "fetch the folder again, or train again"
        ) from error


def _fill(module: nn.Module, weights: dict[str, Tensor], folder: Path) -> None:
    """Give a module that was only described its weights."""
    _require_same(module, weights, folder)
    kinds = {name: value.dtype for name, value in module.state_dict().items()}
    module.load_state_dict({n: w.to(kinds[n]) for n, w in weights.items()}, assign=True)


def _require_same(module: nn.Module, weights: dict[str, Tensor], folder: Path) -> None:
    """`EncoderError` unless weights have the names and shapes that a module has."""
    wanted = {name: value.shape for name, value in module.state_dict().items()}
    found = {name: value.shape for name, value in weights.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            a, b = _shape(wanted.get(name)), _shape(found.get(name))
            raise EncoderError(
                f"the weights of {folder} do not fit its config.json: {name} should be {a} and is "
                f"{b}; fetch the folder again, or train again"
            )


def _shape(shape: torch.Size | None) -> str:
    return "absent" if shape is None else str(tuple(shape))
