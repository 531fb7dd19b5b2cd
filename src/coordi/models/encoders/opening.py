"""From a name to an encoder: built in, a folder, a TFLite file, or a hub repository."""

from pathlib import Path
from typing import Literal

from coordi.artifacts import fetch, read_json
from coordi.errors import CoordiError, EncoderError, NotFoundError, UnknownNameError
from coordi.models.encoders.controls import CONTROLS
from coordi.models.encoders.names import MINI, list_encoders, mini_folder
from coordi.models.encoders.onnx import FORMAT, has_towers, open_onnx
from coordi.types import Encoder

TRAINED = "coordi-retrieval"
"""The "format" of a config.json of a retrieval system that `coordi train` wrote."""


def open_encoder(
    name: str, *, dim: int | None = None, side: Literal["shop", "street"] = "shop"
) -> Encoder:
    """Open the encoder `name`: "coordi-mini", a folder, a .tflite file, or "org/name" on the hub.

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
    from coordi.models.encoders.trained import query_side

    return query_side(encoder)


def _open(name: str, dim: int | None) -> Encoder:
    if name == MINI:
        return open_folder(mini_folder(), MINI, dim=dim)
    if name in CONTROLS:
        return CONTROLS[name](dim)
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
    from coordi.models.encoders.trained import open_trained

    path = Path(name).expanduser()
    return open_trained(path if path.is_dir() else fetch(name), name, dim=dim, condition=condition)


def open_folder(folder: Path, name: str, *, dim: int | None = None) -> Encoder:
    """Open a model folder: a system trained here, ONNX towers, or a model of `transformers`."""
    config = read_json(folder / "config.json")
    if config.get("format") == TRAINED:
        from coordi.models.encoders.trained import open_trained

        return open_trained(folder, name, dim=dim)
    if config.get("format") == FORMAT:
        name = str(config.get("name", name))
    if has_towers(folder):
        return open_onnx(folder, name, dim=dim)
    if "model_type" in config:
        from coordi.models.encoders.pretrained import open_transformers

        return open_transformers(folder, name, dim=dim)
    raise EncoderError(
        f"{folder} holds no encoder: expected config.json with a model_type of transformers, or "
        "vision_model.onnx and text_model.onnx (there or under onnx/), or an artifact of "
        "`coordi train`"
    )
