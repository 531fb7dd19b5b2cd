"""From a name to an encoder: built in, a folder, a TFLite file, or a hub repository."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from coordi.artifacts import fetch, fingerprint, read_json
from coordi.errors import CoordiError, EncoderError, NotFoundError, UnknownNameError, require
from coordi.models.encoders.controls import CONTROLS
from coordi.models.encoders.names import MINI, list_encoders, lite_variant, mini_folder
from coordi.models.encoders.onnx import DUAL_FORMAT, FORMAT, has_towers, open_onnx
from coordi.models.encoders.tower import chosen_dim
from coordi.types import Encoder

if TYPE_CHECKING:
    from coordi.models.artifact import ArtifactConfig
    from coordi.models.system import System
    from coordi.models.trained import TrainedEncoder

_TRAINED = {FORMAT, DUAL_FORMAT, "coordi-retrieval"}
"""The "format" of a config.json that `coordi train` wrote, now and before 0.3."""


def open_system(folder: Path | str) -> "tuple[System, ArtifactConfig]":
    """Open the artefact of any system → the module, ready to answer, and its configuration.

    `EncoderError` for a folder that holds none, or whose files do not fit together.
    """
    require("train", "torch", "pytorch_metric_learning")
    from coordi.models.artifact import load_system

    return load_system(Path(folder))


def is_reranker(name: str) -> bool:
    """Whether a folder holds a system that reorders the results of another encoder."""
    config = read_json(Path(name).expanduser() / "config.json")
    if config.get("format") not in _TRAINED or config.get("dim") is not None:
        return False
    return "score_pairs" in config.get("answers", ("score_pairs",))  # not said before 0.3


def open_encoder(
    name: str, *, dim: int | None = None, side: Literal["shop", "street"] = "shop"
) -> Encoder:
    """Open the encoder `name`: one of `list_encoders`, a folder, a .tflite file, or "org/name" on
    the hub.

    `dim` keeps the first columns only, for encoders trained that way (Matryoshka). `side` chooses
    the tower of an encoder that embeds street photos differently; both make vectors of one space
    and bear one fingerprint. "NAME@condition" opens one embedding of a conditional system. Raises
    `UnknownNameError`, `NotFoundError`, or `EncoderError` saying what to do.
    """
    try:
        encoder = _open(name, dim)
    except CoordiError:
        raise
    except Exception as error:  # every format that can be opened has a library with its own
        raise EncoderError(
            f"{name} cannot be opened as an encoder ({type(error).__name__}: {error}); its files "
            "are damaged or do not belong together: fetch or train it again"
        ) from error
    if side == "shop":
        return encoder
    from coordi.models.trained import query_side

    return query_side(encoder)


def _open(name: str, dim: int | None) -> Encoder:
    if name == MINI:
        return open_folder(mini_folder(), MINI, dim=dim)
    if name in CONTROLS:
        return CONTROLS[name](dim)
    if (variant := lite_variant(name)) is not None:
        from coordi.models.encoders.pretrained import open_lite

        return open_lite(name, variant, dim=dim)
    path = Path(name).expanduser()
    if path.suffix == ".tflite":
        from coordi.models.encoders.pretrained import open_tflite

        return open_tflite(path, dim=dim)
    if path.is_dir():
        return open_folder(path, name, dim=dim)
    whole, at, condition = name.rpartition("@")
    if at and (Path(whole).expanduser().is_dir() or "/" in whole):
        return _open_condition(whole, condition, dim)
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise NotFoundError(f"there is no folder {name}")
    if "/" not in name:
        raise UnknownNameError("encoder", name, (info.name for info in list_encoders()))
    return open_folder(fetch(name), name, dim=dim)


def _open_condition(name: str, condition: str, dim: int | None) -> Encoder:
    """One of the embeddings of a conditional system."""
    path = Path(name).expanduser()
    return open_trained(path if path.is_dir() else fetch(name), name, dim=dim, condition=condition)


def open_folder(folder: Path, name: str, *, dim: int | None = None) -> Encoder:
    """Open a model folder: a system trained here, ONNX towers, or a model of `transformers`."""
    config = read_json(folder / "config.json")
    ours = config.get("format") in _TRAINED
    if has_towers(folder):
        return open_onnx(folder, str(config.get("name", name)) if ours else name, dim=dim)
    if ours:
        return open_trained(folder, name, dim=dim)
    if "model_type" in config:
        from coordi.models.encoders.pretrained import open_transformers

        return open_transformers(folder, name, dim=dim)
    raise EncoderError(
        f"{folder} holds no encoder: expected config.json with a model_type of transformers, or "
        "vision_model.onnx and text_model.onnx (there or under onnx/), or an artifact of "
        "`coordi train`"
    )


def open_trained(
    folder: Path, name: str, *, dim: int | None = None, condition: str = ""
) -> "TrainedEncoder":
    """Open the artefact of a retrieval system as an encoder of shop photos.

    `condition` asks for one of the system's conditional embeddings. Raises `EncoderError` for a
    re-ranker, or where the base encoder is missing or not the one trained on.
    """
    from coordi.models.trained import TrainedEncoder, backbone_encoder, projection

    system, config = open_system(folder)
    if config.dim is None or "embed" not in config.answers:
        raise EncoderError(
            f"{name} ({config.system}) reorders the results of another encoder and has no vectors "
            "of its own; open it with open_reranker"
        )
    if condition and condition not in config.conditions:
        raise UnknownNameError(f"condition of {name}", condition, config.conditions)
    base = backbone_encoder(folder, config) if config.backbone else _base_encoder(folder, config)
    return TrainedEncoder(
        name=f"{config.name}@{condition}" if condition else config.name,
        fingerprint=fingerprint(folder, base.fingerprint, condition),
        dim=chosen_dim(name, config.dim, (), dim),
        base=base,
        head=projection(system, condition),
        two_towers=bool(getattr(system, "two_towers", False)),
        takes_text=bool(getattr(system, "takes_text", False)) and config.backbone is None,
    )


def _base_encoder(folder: Path, config: "ArtifactConfig") -> Encoder:
    """The frozen encoder whose features a system takes; `EncoderError` where it is another."""
    assert config.encoder is not None
    wanted = config.encoder
    place = str(folder / wanted.inside) if wanted.inside else wanted.name
    try:
        base = open_encoder(place)
    except CoordiError as error:
        raise EncoderError(
            f"{folder} takes features of {wanted.name}, which cannot be opened here: {error}"
        ) from error
    if base.fingerprint != wanted.fingerprint:
        raise EncoderError(
            f"{folder} takes features of {wanted.name} with fingerprint {wanted.fingerprint}, but "
            f"here {wanted.name} has {base.fingerprint}: bring the version it was trained with, "
            "or train again on this one"
        )
    return base
