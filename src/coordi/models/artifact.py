"""A trained system as a folder: config.json and model.safetensors, and back again.

One format for all families. Two older ones still open: "coordi-retrieval", of systems on features,
and "coordi-dual-onnx", of the two towers of coordi-mini.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from coordi.artifacts import read_json
from coordi.errors import CoordiError, EncoderError, UnknownNameError
from coordi.models.encoders.backbone import Backbone, BackboneConfig, build_backbone
from coordi.models.encoders.onnx import DUAL_FORMAT, FORMAT
from coordi.models.system import WEIGHTS, System
from coordi.models.systems import SYSTEMS


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


class ArtifactConfig(_Stored):
    """config.json of the folder."""

    format: Literal["coordi-system-1"] = "coordi-system-1"
    family: str
    """What kind of system it is."""
    system: str
    """A name of `SYSTEMS`."""
    name: str
    version: str = "0.1.0"
    settings: dict[str, Any]
    """The system's settings."""
    sizes: dict[str, Any]
    """What it had to know of the training data."""
    feature_dim: int
    """Columns of the features that it takes."""
    answers: tuple[str, ...]
    """What it can be asked."""
    dim: int | None = None
    """Columns of its embedding; None where it has none."""
    conditions: tuple[str, ...] = ()
    """What else it can compare by: `open_encoder("FOLDER@condition")`."""
    encoder: BaseEncoder | None = None
    """Whose features it takes; None where the folder has a backbone of its own."""
    backbone: BackboneConfig | None = None
    """The image tower that was trained along (end to end)."""


def describe(
    name: str,
    system: System,
    sizes: Any,
    feature_dim: int,
    *,
    title: str,
    version: str = "0.1.0",
    encoder: BaseEncoder | None = None,
    backbone: BackboneConfig | None = None,
) -> ArtifactConfig:
    """The configuration of a system that `SYSTEMS` calls `name`, built with `sizes`."""
    return ArtifactConfig(
        family=system.family,
        system=name,
        name=title,
        version=version,
        settings=system.settings.model_dump(mode="json"),
        sizes=_plain(sizes),
        feature_dim=feature_dim,
        answers=system.answers,
        dim=getattr(system, "dim", None),
        conditions=tuple(getattr(system, "conditions", ())),
        encoder=encoder,
        backbone=backbone,
    )


def _plain(sizes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(sizes._asdict()))
    return plain


def save_system(
    folder: Path, system: System, config: ArtifactConfig, backbone: Backbone | None = None
) -> None:
    """Write config.json and the weights into `folder`, which is there."""
    system.save(folder, backbone)
    text = json.dumps(config.model_dump(mode="json"), indent=2)
    (folder / "config.json").write_text(text + "\n", "utf-8")


def read_config(folder: Path) -> ArtifactConfig:
    """config.json of a trained system; `EncoderError` where it is not one."""
    content = read_json(folder / "config.json")
    if content.get("format") in _BEFORE:
        content = _BEFORE[content["format"]](content)
    if content.get("format") != FORMAT:
        raise EncoderError(f"{folder} holds no trained system; give a run's artifact")
    try:
        return ArtifactConfig.model_validate(content)
    except ValidationError as error:
        raise EncoderError(
            f"{folder / 'config.json'} is not readable: {_first(error)}; fetch the folder again, "
            "or train again"
        ) from error


def _first(error: Exception) -> str:
    """What is wrong, in one line; of several fields the first."""
    if not isinstance(error, ValidationError):
        return str(error)
    problem = error.errors()[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"


def _from_retrieval(content: dict[str, Any]) -> dict[str, Any]:
    """What is now said of a system on features that was trained before 0.3."""
    sizes = {key: content.get(key) for key in ("items", "categories", "attributes")}
    rest = {key: value for key, value in content.items() if key not in sizes}
    answers = ("score_pairs",) if content.get("dim") is None else ("embed",)
    return {**rest, "format": FORMAT, "family": "retrieval", "sizes": sizes, "answers": answers}


def _from_dual(content: dict[str, Any]) -> dict[str, Any]:
    """The same of two towers; they were MobileNetV2 and a text tower then."""
    dim, size = content.get("dim"), content.get("image_size")
    backbone = {"kind": "mobilenet_v2", "origin": content.get("name"), "dim": 1280}
    return {
        "format": FORMAT,
        "family": "retrieval",
        "system": "dual",
        "name": content.get("name"),
        "version": content.get("version", "0.1.0"),
        "settings": {"dim": dim, "matryoshka_dims": content.get("matryoshka_dims")},
        "sizes": {"pieces": content.get("vocabulary")},
        "feature_dim": 1280,
        "answers": ("embed", "embed_text"),
        "dim": dim,
        "backbone": {**backbone, "image_size": size, "unit_rows": False},
    }


_BEFORE = {"coordi-retrieval": _from_retrieval, DUAL_FORMAT: _from_dual}


def load_system(folder: Path) -> tuple[System, ArtifactConfig]:
    """The system of a folder, in evaluation mode and without its losses, and its configuration.

    Raises `EncoderError` for files that do not fit together, `UnknownNameError` for a system
    that this version of coordi does not have.
    """
    config = read_config(folder)
    if config.system not in SYSTEMS:
        raise UnknownNameError("system", config.system, SYSTEMS)
    kind = SYSTEMS[config.system]
    with _described(folder):
        system = kind(
            config.feature_dim,
            TypeAdapter(kind.Sizes).validate_python(config.sizes),
            kind.Settings.model_validate(config.settings),
        )
    if hasattr(system, "objective"):
        del system.objective
    _fill(system, kind.stored(_weights(folder), "system"), folder)
    backbone_dim = config.feature_dim if config.backbone is None else config.backbone.dim
    if (getattr(system, "dim", None), backbone_dim) != (config.dim, config.feature_dim):
        raise EncoderError(f"{folder / 'config.json'}: its widths contradict each other")
    return system.eval().requires_grad_(False), config


def load_backbone(folder: Path) -> Backbone:
    """The backbone of a folder that was trained end to end, in evaluation mode."""
    config = read_config(folder)
    if config.backbone is None:
        raise EncoderError(f"{folder} was trained on cached features: it has no backbone")
    weights = SYSTEMS[config.system].stored(_weights(folder), "backbone")
    with _described(folder):
        described = build_backbone(config.backbone)
    _require_same(described, weights, folder)
    backbone = build_backbone(config.backbone)
    backbone.load_state_dict(weights)
    return backbone.requires_grad_(False)


def _weights(folder: Path) -> dict[str, Tensor]:
    try:
        weights: dict[str, Tensor] = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise EncoderError(
            f"{folder / WEIGHTS} cannot be read ({error}); fetch it again"
        ) from error
    return weights


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
            f"{folder / 'config.json'} describes a model that cannot be built ({_first(error)}); "
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
