"""From a name to an encoder: built in, a folder, a TFLite file, or a hub repository."""

from pathlib import Path

from coordi.artifacts import fetch, read_json
from coordi.errors import EncoderError, NotFoundError, UnknownNameError
from coordi.models.encoders.names import MINI, list_encoders, mini_folder
from coordi.models.encoders.onnx import FORMAT, has_towers, open_onnx
from coordi.types import Encoder


def open_encoder(name: str, *, dim: int | None = None) -> Encoder:
    """Open the encoder `name`: "coordi-mini", a folder, a .tflite file, or "org/name" on the hub.

    `dim` keeps the first columns only, for encoders trained that way (Matryoshka). Raises
    `UnknownNameError`, `NotFoundError`, or `EncoderError` saying what to do.
    """
    if name == MINI:
        return open_folder(mini_folder(), MINI, dim=dim)
    path = Path(name).expanduser()
    if path.suffix == ".tflite":
        from coordi.models.encoders.pretrained import open_tflite

        return open_tflite(path, dim=dim)
    if path.is_dir():
        return open_folder(path, name, dim=dim)
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise NotFoundError(f"there is no folder {name}")
    if "/" not in name:
        raise UnknownNameError("encoder", name, (info.name for info in list_encoders()))
    return open_folder(fetch(name), name, dim=dim)


def open_folder(folder: Path, name: str, *, dim: int | None = None) -> Encoder:
    """Open a model folder by what lies in it: ONNX towers, else a model of `transformers`."""
    config = read_json(folder / "config.json")
    if config.get("format") == FORMAT:
        name = str(config.get("name", name))
    if has_towers(folder):
        return open_onnx(folder, name, dim=dim)
    if "model_type" in config:
        from coordi.models.encoders.pretrained import open_transformers

        return open_transformers(folder, name, dim=dim)
    raise EncoderError(
        f"{folder} holds no encoder: expected config.json with a model_type of transformers, or "
        "vision_model.onnx and text_model.onnx (there or under onnx/)"
    )
