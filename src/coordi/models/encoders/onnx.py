"""Towers in ONNX, run by ONNX Runtime: coordi-mini, and hub repositories that carry such towers.

Layout of a folder: `vision_model.onnx` and/or `text_model.onnx`, in it or under `onnx/`, with
`preprocessor_config.json` and `tokenizer.json`. Needs neither torch nor transformers.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordi.artifacts import fingerprint, read_json
from coordi.errors import EncoderError
from coordi.models.encoders.preprocessing import Preprocessing, read_preprocessing
from coordi.models.encoders.tokenization import open_limit, open_tokenizer, open_vocabulary
from coordi.models.encoders.tower import ImageRun, TextRun, TowerEncoder, chosen_dim

FORMAT = "coordi-system-1"
"""The "format" of a config.json of a system that was trained here."""

DUAL_FORMAT = "coordi-dual-onnx"
"""The same of two towers, before 0.3."""

_OUTPUTS = ("image_embeds", "text_embeds", "embeddings", "sentence_embedding", "pooler_output")
"""Names of the output to take, best first: projected embeddings before pooled states."""


def tower_file(folder: Path, tower: str) -> Path | None:
    """Path of the "vision" or "text" tower in either place, or None."""
    places = (folder / f"{tower}_model.onnx", folder / "onnx" / f"{tower}_model.onnx")
    return next((place for place in places if place.is_file()), None)


def has_towers(folder: Path) -> bool:
    """Whether a folder carries an ONNX tower."""
    return any(tower_file(folder, tower) for tower in ("vision", "text"))


def open_onnx(folder: Path, name: str, *, dim: int | None = None) -> TowerEncoder:
    """Open a folder with ONNX towers as an encoder.

    Raises `EncoderError` for a folder whose files cannot be used, saying which.
    """
    config = read_json(folder / "config.json")
    vision, text = tower_file(folder, "vision"), tower_file(folder, "text")
    image = None if vision is None else _image_tower(vision, folder)
    # Waking a second thread costs more than it takes off the half millisecond of our own towers.
    threads = 1 if _is_ours(config) else None
    words = None if text is None else _text_tower(text, folder, threads)
    full = _width(config, image, words, name)
    prefixes = config.get("settings", config).get("matryoshka_dims", ())
    kept = chosen_dim(name, full, prefixes, dim)
    unknown = None if words is None else open_vocabulary(folder)
    beyond = None if words is None else open_limit(folder)
    return TowerEncoder(name, fingerprint(folder, kept), kept, image, words, unknown, beyond)


def _is_ours(config: Mapping[str, Any]) -> bool:
    return config.get("format") in {FORMAT, DUAL_FORMAT}


def _image_tower(path: Path, folder: Path) -> tuple[Preprocessing, ImageRun]:
    settings = read_json(folder / "preprocessor_config.json")
    if not settings:
        raise EncoderError(f"{folder} has an image tower but no preprocessor_config.json")
    session = open_session(path)
    feed, output = session.get_inputs()[0].name, _output(session, path)

    def run(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(session.run([output], {feed: pixels})[0], np.float32)

    return read_preprocessing(settings, str(folder)), run


def _text_tower(path: Path, folder: Path, threads: int | None) -> TextRun:
    session = open_session(path, threads)
    inputs, output = {node.name for node in session.get_inputs()}, _output(session, path)
    unknown = inputs - {"input_ids", "attention_mask", "token_type_ids"}
    if unknown or "input_ids" not in inputs:
        raise EncoderError(f"{path} takes {sorted(inputs)}; coordi feeds input_ids and a mask only")
    tokenize = open_tokenizer(folder, fixed_length="attention_mask" not in inputs)

    def run(texts: Sequence[str]) -> NDArray[np.float32]:
        ids, mask = tokenize(texts)
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        given = {key: value for key, value in feeds.items() if key in inputs}
        return np.asarray(session.run([output], given)[0], np.float32)

    return run


def open_session(path: Path, threads: int | None = None) -> Any:
    """Open an ONNX Runtime session on the CPU with `threads`, by default one per core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or os.cpu_count() or 1
    options.log_severity_level = 3
    # Idle workers sleep instead of spinning, so that decoding threads get the cores between runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exception classes are private
        raise EncoderError(f"{path} cannot be opened by ONNX Runtime: {error}") from error


def _output(session: Any, path: Path) -> str:
    """Name of the output that holds one row per input."""
    names = [node.name for node in session.get_outputs()]
    for known in _OUTPUTS:
        if known in names:
            return known
    raise EncoderError(f"{path} has the outputs {names}; one must be of {list(_OUTPUTS)}")


def _width(
    config: Mapping[str, Any],
    image: tuple[Preprocessing, ImageRun] | None,
    text: TextRun | None,
    name: str,
) -> int:
    """Columns of the towers, as each makes them for a trial input.

    Of our own format a text is trial enough: the configuration says the width too.
    """
    stated = config.get("dim") if _is_ours(config) else None
    widths = set() if stated is None else {stated}
    if image is not None and (stated is None or text is None):
        black = np.zeros((image[0].side, image[0].side, 3), np.uint8)
        widths.add(image[1](image[0].normalise(image[0].prepare(black)[None])).shape[1])
    if text is not None:
        widths.add(text([""]).shape[1])
    if len(widths) != 1:
        raise EncoderError(f"{name}: towers and config.json have different widths: {widths}")
    return int(widths.pop())
