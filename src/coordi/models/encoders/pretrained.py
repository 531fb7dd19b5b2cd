"""Encoders that torch runs: models of `transformers` from a folder, and the TFLite control.

Which output is the embedding: CLIP and SigLIP families, the features their own contrastive loss
compares (CLIP's projections, SigLIP's pooling heads); convolutional nets, the pooled map; ViT and
DINO, the class token after the last norm; BERT family, the mean of the tokens under the mask.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coordi.artifacts import fingerprint, read_json
from coordi.errors import EncoderError, require
from coordi.models.encoders.preprocessing import Preprocessing, read_preprocessing
from coordi.models.encoders.tokenization import text_cleaner, unknown_parts
from coordi.models.encoders.tower import ImageRun, TextRun, TowerEncoder, Unknown, chosen_dim

if TYPE_CHECKING:
    from torch import Tensor

DUAL = frozenset({"clip", "siglip", "chinese_clip", "altclip", "align", "metaclip_2"})
POOLED = frozenset(
    {"convnext", "convnextv2", "dinov3_convnext", "efficientnet", "mobilenet_v1", "mobilenet_v2"}
    | {"regnet", "resnet", "swin", "swinv2"}
)
CLASS_TOKEN = frozenset({"deit", "dinov2", "dinov2_with_registers", "dinov3_vit", "vit", "vit_msn"})
MEAN_TOKEN = frozenset(
    {"albert", "bert", "camembert", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet"}
    | {"roberta", "xlm-roberta"}
)
"""Model types of `transformers` by how their embedding is taken."""

_SIGLIP_LENGTH = 64


def open_transformers(folder: Path, name: str, *, dim: int | None = None) -> TowerEncoder:
    """Open a folder that `save_pretrained` wrote, or a hub snapshot, as an encoder.

    Raises `EncoderError` for a model type that coordi does not know, or files it cannot use.
    """
    config = read_json(folder / "config.json")
    kind = str(config["model_type"])
    if kind not in DUAL | POOLED | CLASS_TOKEN | MEAN_TOKEN:
        if kind == "siglip2":
            raise EncoderError(
                f"{name} takes pictures of varying size (NaFlex), which coordi does not; "
                "use a fixed-size one such as google/siglip2-base-patch16-224"
            )
        known = ", ".join(sorted(DUAL | POOLED | CLASS_TOKEN | MEAN_TOKEN))
        raise EncoderError(
            f"{name} is a {kind!r} model, which coordi does not open. Known: {known}"
        )
    require("transformers", "torch", "transformers")
    model = load_model(folder, name)
    image = None if kind in MEAN_TOKEN else (_preprocessing(folder), _image_run(model, kind))
    text = _text_run(model, folder, kind) if kind in DUAL | MEAN_TOKEN else None
    unknown = _vocabulary(folder, kind) if text is not None else None
    return _encoder(name, folder, image, text, config.get("matryoshka_dims", ()), dim, unknown)


def open_tflite(path: Path, *, dim: int | None = None) -> TowerEncoder:
    """Open the ImageNet MobileNetV2 of a TFLite file as an image encoder.

    Pictures are squashed to 224 × 224, so that the whole garment is seen.
    """
    from PIL.Image import Resampling

    from coordi.models.encoders.mobilenet_tflite import load_mobilenet_v2

    model = load_mobilenet_v2(path)
    from coordi.models.encoders.mini import fold_batch_norm

    preprocessing = Preprocessing(
        (224, 224), None, Resampling.BILINEAR, 1 / 255, mean=(0.5,) * 3, std=(0.5,) * 3
    )
    image = (preprocessing, _image_run(fold_batch_norm(model), "mobilenet_v2"))
    return _encoder(path.stem, path, image, None, (), dim)


def open_lite(name: str, variant: int, *, dim: int | None = None) -> TowerEncoder:
    """Open an EfficientNet-Lite with its published ImageNet weights as an image encoder.

    Pictures are squashed to 160 × 160, so that the whole garment is seen. `EncoderError` where the
    package of the weights is not installed.
    """
    require("train", "torch")
    import torch
    from PIL.Image import Resampling

    from coordi.models.encoders.efficientnet_lite import SIDE, load_pooled, published_weights

    tower = load_pooled(variant).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    preprocessing = Preprocessing(
        (SIDE, SIDE), None, Resampling.BICUBIC, 1 / 255, mean=(0.5,) * 3, std=(0.5,) * 3
    )

    def run(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        batch = torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            return _array(tower(batch))

    return _encoder(name, published_weights(variant), (preprocessing, run), None, (), dim)


def _encoder(
    name: str,
    source: Path,
    image: tuple[Preprocessing, ImageRun] | None,
    text: TextRun | None,
    allowed: Sequence[int],
    dim: int | None,
    unknown: Unknown | None = None,
) -> TowerEncoder:
    """Find the width by a trial input and put the parts together."""
    if text is not None:
        full = text([""]).shape[1]
    else:
        assert image is not None
        side = image[0].side
        black = np.zeros((side, side, 3), np.uint8)
        full = image[1](image[0].normalise(image[0].prepare(black)[None])).shape[1]
    kept = chosen_dim(name, full, allowed, dim)
    return TowerEncoder(name, fingerprint(source, kept), kept, image, text, unknown)


def load_model(folder: Path, name: str) -> Any:
    """Load the model in float32, without the pooling heads that a checkpoint lacks.

    Code that lies in the folder is never run: a pickle of weights is read as tensors only, and a
    model or tokenizer that brings a class of its own is refused.
    """
    from transformers import AutoConfig, AutoModel

    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        options = _options(config) | {"trust_remote_code": False, "weights_only": True}
        return AutoModel.from_pretrained(folder, dtype="float32", **options).eval()
    except Exception as error:  # of files, of JSON, of safetensors, of pickle, of its own
        raise EncoderError(f"cannot load the model {name}: {error}") from error


def build_model(architecture: Mapping[str, Any]) -> Any:
    """The model that a config.json describes, with random weights."""
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    config = AutoConfig.for_model(**architecture)
    return MODEL_MAPPING[type(config)](config, **_options(config)).eval()


def _options(config: Any) -> dict[str, bool]:
    """Arguments that leave out the pooling heads, of the models that have such."""
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    takes = inspect.signature(MODEL_MAPPING[type(config)].__init__).parameters
    unused = {} if config.model_type in POOLED | DUAL else {"add_pooling_layer": False}
    return {key: value for key, value in unused.items() if key in takes}


def _preprocessing(folder: Path) -> Preprocessing:
    for file in ("preprocessor_config.json", "processor_config.json"):
        if settings := read_json(folder / file):
            return read_preprocessing(settings, str(folder / file))
    raise EncoderError(
        f"{folder} has no preprocessor_config.json; save its image processor there as well"
    )


def _image_run(model: Any, kind: str) -> ImageRun:
    import torch

    convolutional = kind in POOLED
    if convolutional:
        model = model.to(memory_format=torch.channels_last)
    forward = model.get_image_features if kind in DUAL else model

    def run(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        batch = torch.from_numpy(pixels)
        if convolutional:
            batch = batch.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), nullcontext() if convolutional else _reduced():
            out = forward(pixel_values=batch)
            rows = out.last_hidden_state[:, 0] if kind in CLASS_TOKEN else out.pooler_output
        return _array(rows.flatten(1))

    return run


def _text_run(model: Any, folder: Path, kind: str) -> TextRun:
    import torch

    tokenize = _tokenize(model, folder, kind)

    def run(texts: Sequence[str]) -> NDArray[np.float32]:
        tokens = tokenize(texts)
        with torch.inference_mode(), _reduced():
            if kind in DUAL:
                return _array(model.get_text_features(**tokens).pooler_output)
            hidden = model(**tokens).last_hidden_state.float()  # (B, L, width)
        weights = tokens["attention_mask"].unsqueeze(-1).float()
        return _array((hidden * weights).sum(1) / weights.sum(1).clamp(min=1.0))

    return run


def _tokenize(
    model: Any, folder: Path, kind: str
) -> Callable[[Sequence[str]], dict[str, "Tensor"]]:
    """Tokenizer as the family was trained: SigLIP at full length without a mask."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # as in load_model
        raise EncoderError(f"cannot load the tokenizer of {folder}: {error}") from error
    siglip = kind == "siglip"
    text_config = getattr(model.config, "text_config", None) or model.config
    positions = getattr(text_config, "max_position_embeddings", _SIGLIP_LENGTH)
    if getattr(text_config, "model_type", "") in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        positions -= 2  # their positions start behind the padding id
    length = min(positions, tokenizer.model_max_length)
    clean = text_cleaner(kind, type(tokenizer).__name__)

    def tokenize(texts: Sequence[str]) -> dict[str, "Tensor"]:
        tokens = tokenizer(
            [clean(text) for text in texts],
            padding="max_length" if siglip else True,
            truncation=True,
            max_length=length,
            return_tensors="pt",
        )
        if siglip:
            return {"input_ids": tokens["input_ids"]}
        return {key: tokens[key] for key in ("input_ids", "attention_mask") if key in tokens}

    return tokenize


def _vocabulary(folder: Path, kind: str) -> Unknown | None:
    """What finds the parts of a sentence that the tokenizer lacks; None where it cannot tell."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    # A mark of the unknown that is also that of the end (CLIP) is never used for a word.
    if not tokenizer.is_fast or tokenizer.unk_token_id in (None, tokenizer.eos_token_id):
        return None
    clean = text_cleaner(kind, type(tokenizer).__name__)

    def find(text: str) -> tuple[str, ...]:
        cleaned = clean(text)
        row = tokenizer(cleaned, add_special_tokens=False, return_offsets_mapping=True)
        return unknown_parts(
            cleaned, row["input_ids"], row["offset_mapping"], tokenizer.unk_token_id
        )

    return find


def _reduced() -> AbstractContextManager[Any]:
    """bfloat16 arithmetic where the CPU has instructions for it, float32 elsewhere.

    For transformers only: MobileNetV2 in bfloat16 keeps a cosine of only 0.96 to its float32 self
    on some photos, for a quarter more speed.
    """
    import torch

    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return torch.autocast("cpu", torch.bfloat16)
    return nullcontext()


def _array(rows: "Tensor") -> NDArray[np.float32]:
    array: NDArray[np.float32] = rows.float().numpy()
    return array
