"""Pictures → a tower's input, as a `preprocessor_config.json` says; Pillow and numpy only.

The steps and their order are those of the Pillow image processors of `transformers`: resize,
center crop, rescale, normalise. The geometry happens on bytes (`prepare`, in the threads that
decode) and the arithmetic on whole batches (`normalise`), which keeps waiting pictures small.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from coordi.errors import EncoderError
from coordi.types import Image

_LONGEST = 8
"""Sides of a picture beyond 1:8 are cropped before the resize: the crop would drop them anyway."""

_WARP_FROM = 384
"""ConvNeXt's processor squashes from this size on, and crops below it."""

_LARGEST = 4096
"""Pixels a side that a configuration may ask for; no tower takes more than a fraction of it."""

Size = tuple[int, int]
"""(height, width) in pixels."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What happens to a picture before the tower."""

    resize: int | Size | None
    """Length of the shorter side, or height and width to squash to."""
    crop: Size | None
    resample: int = Pillow.Resampling.BICUBIC
    scale: float = 1 / 255
    """Factor from byte values to the range that `mean` and `std` are in."""
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    @property
    def side(self) -> int:
        """Shorter side, in pixels, below which a picture is enlarged.

        Of a size to squash to, the longer one: a wide picture's short side becomes it too.
        """
        if self.resize is None:
            return min(self.crop or (0, 0))
        return self.resize if isinstance(self.resize, int) else max(self.resize)

    def prepare(self, image: Image) -> NDArray[np.uint8]:
        """Resize and crop one picture (H, W, 3) → (3, h, w), still in bytes."""
        if image.ndim == 2:
            image = np.repeat(image[:, :, None], 3, axis=2)
        pixels = self._resized(image)
        if self.crop is not None:
            pixels = center_crop(pixels, self.crop)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def normalise(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Rescale and normalise prepared pictures (B, 3, h, w)."""
        std = np.asarray(self.std, np.float64)[:, None, None]
        mean = np.asarray(self.mean, np.float64)[:, None, None]
        pixels = batch * (self.scale / std).astype(np.float32)
        pixels -= (mean / std).astype(np.float32)
        return np.asarray(pixels, np.float32)

    def _resized(self, image: Image) -> Image:
        if self.resize is None:
            return image
        if isinstance(self.resize, int):
            image = _shortened(image)
            height, width = image.shape[:2]
            short, long = self.resize, int(self.resize * max(height, width) / min(height, width))
            target = (long, short) if width <= height else (short, long)
        else:
            target = self.resize
        if image.shape[:2] == target:
            return image
        picture = Pillow.fromarray(np.ascontiguousarray(image))
        return np.asarray(picture.resize(target[::-1], Pillow.Resampling(self.resample)))


def center_crop(image: Image, size: Size) -> Image:
    """Cut the middle out of (H, W, 3); a picture that is too small gets a black margin."""
    height, width = image.shape[:2]
    if height < size[0] or width < size[1]:
        up, left = -(-max(size[0] - height, 0) // 2), -(-max(size[1] - width, 0) // 2)
        down, right = max(size[0] - height, 0) - up, max(size[1] - width, 0) - left
        image = np.pad(image, ((up, down), (left, right), (0, 0)))
        height, width = image.shape[:2]
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return image[top : top + size[0], left : left + size[1]]


def _shortened(image: Image) -> Image:
    """Keep the middle of a picture whose sides differ more than 1:8, to bound the resize."""
    height, width = image.shape[:2]
    limit = _LONGEST * min(height, width)
    return (
        image
        if max(height, width) <= limit
        else center_crop(image, (min(height, limit), min(width, limit)))
    )


def read_preprocessing(config: Mapping[str, Any], where: str) -> Preprocessing:
    """Read the content of a `preprocessor_config.json`, in its old and its new spellings.

    A size by shortest edge without a crop gets a square crop, so that pictures batch.
    Raises `EncoderError` naming `where` for steps that coordi does not know.
    """
    config = config.get("image_processor", config)
    kind = str(config.get("image_processor_type") or config.get("feature_extractor_type") or "")
    resize, crop = _geometry(config, kind, where)
    for side in (*_sides(resize), *_sides(crop)):
        if not 1 <= side <= _LARGEST:
            raise EncoderError(f"{where}: a side of {side} pixels; coordi takes 1 to {_LARGEST}")
    normal = config.get("do_normalize", True)
    return Preprocessing(
        resize=resize,
        crop=crop,
        resample=int(config.get("resample", _resample_default(kind))),
        scale=float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 1,
        mean=_channels(config.get("image_mean", 0.5)) if normal else (0.0, 0.0, 0.0),
        std=_channels(config.get("image_std", 0.5)) if normal else (1.0, 1.0, 1.0),
    )


def _sides(size: int | Size | None) -> Size:
    if size is None:
        return (1, 1)
    return (size, size) if isinstance(size, int) else size


def _geometry(
    config: Mapping[str, Any], kind: str, where: str
) -> tuple[int | Size | None, Size | None]:
    """(resize, crop) of a configuration."""
    resize = _size(config.get("size"), kind, where) if config.get("do_resize", True) else None
    crop = config.get("do_center_crop", kind.startswith(("CLIP", "Bit", "MobileNet")))
    cut = _size(config.get("crop_size"), "", where) if crop else None
    if isinstance(cut, int):
        cut = (cut, cut)
    if kind.startswith("ConvNext") and isinstance(resize, int):
        if resize >= _WARP_FROM:
            return (resize, resize), cut
        return int(resize / config.get("crop_pct", 224 / 256)), (resize, resize)
    if cut is None and isinstance(resize, int):
        cut = (resize, resize)
    return resize, cut


def _size(size: Any, kind: str, where: str) -> int | Size | None:
    """A size in any spelling: 224, [224, 224], {"shortest_edge"} or {"height", "width"}."""
    if size is None:
        return None
    if isinstance(size, int):
        return (size, size) if kind.startswith(("ViT", "Siglip", "DeiT", "DINO")) else size
    if isinstance(size, list) and len(size) == 2:
        return int(size[0]), int(size[1])
    if isinstance(size, dict) and "height" in size and "width" in size:
        return int(size["height"]), int(size["width"])
    if isinstance(size, dict) and set(size) == {"shortest_edge"}:
        return int(size["shortest_edge"])
    raise EncoderError(
        f"{where}: size {size!r} is not understood; coordi knows a number, height and width, "
        "and shortest_edge"
    )


def _resample_default(kind: str) -> int:
    """The processors' own default where a configuration leaves the filter out."""
    bicubic = kind.startswith(("CLIP", "Siglip", "Bit", "ConvNext"))
    return Pillow.Resampling.BICUBIC if bicubic or not kind else Pillow.Resampling.BILINEAR


def _channels(value: Any) -> tuple[float, ...]:
    """One number for all three channels, or three numbers."""
    return (float(value),) * 3 if isinstance(value, int | float) else tuple(map(float, value))
