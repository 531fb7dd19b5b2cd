"""The finder that serves: an ONNX graph, and how a picture is laid out for it. Needs no torch."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from coordi.artifacts import fingerprint, read_json
from coordi.errors import EncoderError
from coordi.models.encoders.onnx import open_session
from coordi.models.finder.regions import Rules, Shares, garments_of
from coordi.types import Garment, Image

NAME = "coordi-finder"

GRAPH = "parsing_model.onnx"
"""The graph that serves, beside the weights that it reads."""

STRIDE = 32
"""Sides of what the graph takes are multiples of this."""

AREA = 288 * 192
"""Pixels that a picture is brought to, whatever its aspect."""

_GREY = 127
"""What lies around a picture whose sides are no multiples, as in training."""

_LONGEST = 32
"""Times the shorter side that the longer may be; what is more is looked at squeezed."""


@dataclass(frozen=True, slots=True)
class Finder:
    """A photo → the garments in it. Safe to use from several threads."""

    name: str
    fingerprint: str
    """16 hex digits that change when the weights change."""
    classes: tuple[str, ...]
    run: Callable[[NDArray[np.float32]], Shares]
    """Pixels (1, 3, H, W) in [−1, 1], sides multiples of 32 → shares (C, H / 2, W / 2)."""
    area: int = AREA
    rules: Rules = field(default_factory=Rules)

    def find(self, image: Image) -> tuple[Garment, ...]:
        """The garments of a picture (H, W, 3) of any size, the largest first."""
        return garments_of(self.shares(image), self.classes, self.rules)

    def shares(self, image: Image) -> Shares:
        """The probability of each class (C, h, w) over the picture, at about half the size that
        it is looked at: the mean of what the picture and its mirror image say."""
        size = _size(image.shape[1], image.shape[0], self.area)
        small = np.asarray(Pillow.fromarray(image).resize(size, Pillow.Resampling.BILINEAR))
        (width, height), stride = size, STRIDE
        canvas = np.full(
            (-(-height // stride) * stride, -(-width // stride) * stride, 3), _GREY, np.uint8
        )
        # Even offsets: what comes out has half the size.
        top, left = ((canvas.shape[0] - height) // 4 * 2, (canvas.shape[1] - width) // 4 * 2)
        canvas[top : top + height, left : left + width] = small
        pixels = canvas.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1
        mirrored = self.run(np.ascontiguousarray(pixels[..., ::-1]))[..., ::-1]
        out: Shares = (self.run(pixels) + mirrored) / np.float32(2)
        return out[:, top // 2 : (top + height) // 2, left // 2 : (left + width) // 2]


def _size(width: int, height: int, area: int) -> tuple[int, int]:
    """Even width and height of about `area` pixels, in a picture's own aspect."""
    aspect = min(max(width / height, 1 / _LONGEST), _LONGEST)
    high = (area / aspect) ** 0.5
    return max(2, round(high * aspect / 2) * 2), max(2, round(high / 2) * 2)


def finder_folder() -> Path:
    """Folder of the finder that ships inside the package."""
    return Path(__file__).parents[2] / "weights" / NAME


def open_finder(folder: Path | str | None = None, *, threads: int | None = None) -> Finder:
    """Open the packaged finder, or the artefact of `coordi train` with a finder's recipe.

    Raises `EncoderError` for a folder that holds none, or whose files cannot be used.
    """
    place = finder_folder() if folder is None else Path(folder).expanduser()
    config = read_json(place / "config.json")
    classes = config.get("sizes", {}).get("classes") if config.get("family") == "finder" else None
    if not classes or not (place / GRAPH).is_file():
        raise EncoderError(f"{place} holds no garment finder; give the artifact of a run of one")
    session = open_session(place / GRAPH, threads)
    name = session.get_inputs()[0].name

    def run(pixels: NDArray[np.float32]) -> Shares:
        shares: Shares = session.run(None, {name: pixels})[0][0]
        return shares

    if len(classes) != run(np.zeros((1, 3, STRIDE, STRIDE), np.float32)).shape[0]:
        raise EncoderError(f"{place}: config.json names other classes than the graph tells apart")
    return Finder(str(config.get("name", NAME)), fingerprint(place), tuple(classes), run)
