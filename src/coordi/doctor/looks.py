"""One pass over the pictures: what the checks need of each is measured, the pixels are dropped."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import xxhash
from numpy.typing import NDArray
from PIL import Image as Pillow

from coordi.data.colors import lab
from coordi.data.duplicates import CUTOUT, cutout, frame
from coordi.data.images import decode_image, read_bytes
from coordi.data.threads import worked
from coordi.errors import ImageError
from coordi.types import Encoder, Image, ImageRef, Vectors

SIDE = 64
"""Pixels of the square on which colours are measured."""

LOOK = np.dtype(
    [
        ("ok", "?"),  # whether the picture could be read
        ("width", "<i4"),  # pixels
        ("height", "<i4"),
        ("bytes", "<i8"),  # size of the file
        ("content", "<u8", (2,)),  # XXH3-128 of the decoded pixels
        ("ground", "<f4", (3,)),  # CIE L*a*b* median of the frame around the picture
        ("unrest", "<f4"),  # mean distance of the frame's pixels to `ground`
        ("color", "<f4", (3,)),  # CIE L*a*b* median of what stands before the background
        ("filled", "<f4"),  # share of the picture that is not background
        *CUTOUT.descr,  # what stands before the background, cut out
    ]
)
"""What is kept of each picture, half a kilobyte."""

_APART = 12.0  # CIE76 distance to the background from which on a pixel is taken for the garment
_BATCH = 64
_AHEAD = 192


@dataclass(frozen=True, slots=True)
class Survey:
    """All pictures of a dataset, measured, in its order."""

    looks: NDArray[np.void]  # (n,) of LOOK
    errors: tuple[tuple[int, ImageError], ...]
    """Rows whose picture cannot be used, and why."""
    vectors: Vectors | None
    """(n, dim) unit rows, zero where there is no picture; None without an encoder."""


def survey(
    pictures: Iterable[ImageRef | None],
    encoder: Encoder | None = None,
    *,
    on_progress: Callable[[int], None] | None = None,
    workers: int = 3,
) -> Survey:
    """Measure pictures in the order given, None for rows without one, and encode them.

    Holds at most a few hundred pictures at a time, so that a Parquet file larger than memory
    can be examined.
    """
    looks: list[NDArray[np.void]] = []
    errors: list[tuple[int, ImageError]] = []
    encoded = _Encoded(encoder)
    measure = partial(_look, encoder)
    outcomes = worked(measure, pictures, workers=workers, ahead=_AHEAD, name="doctor")
    for row, outcome in enumerate(outcomes):
        look, prepared = (np.zeros((), LOOK), None)
        if isinstance(outcome, ImageError):
            errors.append((row, outcome))
        elif outcome is not None:
            look, prepared = outcome
        looks.append(look)
        encoded.add(prepared)
        if on_progress and (row + 1) % _BATCH == 0:
            on_progress(row + 1)
    if on_progress:
        on_progress(len(looks))
    stacked = np.stack(looks) if looks else np.zeros(0, LOOK)
    return Survey(stacked, tuple(errors), encoded.rows())


Outcome = tuple[NDArray[np.void], NDArray[np.generic] | None] | ImageError | None


class _Encoded:
    """Collects prepared pictures into batches, and the rows that the encoder makes of them."""

    def __init__(self, encoder: Encoder | None) -> None:
        self._encoder = encoder
        self._waiting: list[NDArray[np.generic]] = []
        self._at: list[int] = []
        self._parts: list[Vectors] = []
        self._count = 0

    def add(self, prepared: NDArray[np.generic] | None) -> None:
        if prepared is not None:
            self._at.append(self._count)
            self._waiting.append(prepared)
        self._count += 1
        if len(self._waiting) == _BATCH:
            self._flush()

    def rows(self) -> Vectors | None:
        if self._encoder is None:
            return None
        self._flush()
        vectors = np.zeros((self._count, self._encoder.dim), np.float32)
        if self._parts:
            vectors[self._at] = np.concatenate(self._parts)
        return vectors

    def _flush(self) -> None:
        if self._waiting and self._encoder is not None:
            self._parts.append(self._encoder.encode_prepared(np.stack(self._waiting)))
        self._waiting.clear()


def _look(encoder: Encoder | None, ref: ImageRef | None) -> Outcome:
    if ref is None:
        return None
    try:
        data = read_bytes(ref)
        image = decode_image(data, target=max(SIDE, encoder.image_size if encoder else 0))
    except ImageError as error:
        return error
    return look(image, data), encoder.prepare(image) if encoder else None


def look(image: Image, data: bytes) -> NDArray[np.void]:
    """Measure one picture → a scalar of `LOOK`; `data` is its file."""
    out = np.zeros((), LOOK)
    out["ok"] = True
    with Pillow.open(io.BytesIO(data)) as header:
        out["width"], out["height"] = header.size
    out["bytes"] = len(data)
    out["content"] = _content(image)
    whole = Pillow.fromarray(image)
    square = np.asarray(whole.resize((SIDE, SIDE), Pillow.Resampling.BOX))
    _measure_colors(out, square)
    cut = cutout(image)
    for name in CUTOUT.names or ():
        out[name] = cut[name]
    return out


def _content(image: Image) -> tuple[int, int]:
    digest = xxhash.xxh3_128_intdigest(
        np.ascontiguousarray(image).tobytes() + str(image.shape).encode()
    )
    return digest >> 64, digest & (2**64 - 1)


def _measure_colors(out: NDArray[np.void], square: Image) -> None:
    pixels = lab(square.reshape(-1, 3)).reshape(SIDE, SIDE, 3)
    edge = frame(pixels)
    ground = np.median(edge, axis=0)
    out["ground"] = ground
    out["unrest"] = np.linalg.norm(edge - ground, axis=1).mean()
    garment: NDArray[np.bool_] = np.linalg.norm(pixels - ground, axis=2) > _APART
    out["filled"] = garment.mean()
    # A white shirt on white paper leaves a contour at most; then the middle is the garment.
    middle = pixels[SIDE // 4 : -SIDE // 4, SIDE // 4 : -SIDE // 4].reshape(-1, 3)
    out["color"] = np.median(pixels[garment] if garment.mean() > 0.05 else middle, axis=0)
