"""Picture bytes in, upright RGB arrays out; and the few ways back to bytes.

ICC profiles are not applied: values are taken as sRGB, as the encoders' training data was.
"""

import io
import math
import re
import threading
import warnings

import numpy as np
import xxhash
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import UnidentifiedImageError, features

from coordi.errors import ImageError
from coordi.types import Box, Image, ImageRef

MAX_PIXELS = 100_000_000
"""Largest picture that is decoded by default, in pixels: 300 MB as RGB."""

MAX_BYTES = 256 * 1024 * 1024
"""Largest picture file that is read."""

_ORIENTATION = 0x0112  # EXIF tag; values 2 to 8 say how the picture must be turned
_TURNS = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}

# What is decoded: pictures alone. Pillow also opens documents (EPS starts Ghostscript).
_FORMATS = frozenset(
    (
        *("JPEG", "MPO", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "BMP", "DIB", "TIFF", "PPM"),
        *("JPEG2000", "ICO", "TGA"),
    )
)

_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}

_MOST_DETAIL = 2048
"""Pixels a side that a crop may ask for, however small it is."""

_PILLOW_ONLY = re.compile(r"PIL\.")
_quieting = threading.Lock()


def read_bytes(ref: ImageRef) -> bytes:
    """Read the bytes of a picture; `ImageError` where the file is missing or unreadable."""
    if ref.path is None:
        return ref.data or b""
    try:
        size = ref.path.stat().st_size
        if size > MAX_BYTES:
            raise ImageError(
                f"{ref.path} is {size >> 20} MiB; pictures above {MAX_BYTES >> 20} MiB are not read"
            )
        return ref.path.read_bytes()
    except OSError as error:
        raise ImageError(f"cannot read {ref.path}: {error.strerror or error}") from error


def image_hash(data: bytes) -> str:
    """Name the content of a picture file: 32 hex digits (XXH3-128 of its bytes)."""
    return xxhash.xxh3_128_hexdigest(data)


def decode_image(data: bytes, *, target: int | None = None, max_pixels: int = MAX_PIXELS) -> Image:
    """Decode a picture file → (height, width, 3) RGB, upright, alpha on white, first frame.

    `target` is the shortest side, in pixels, that the caller needs: larger pictures may come
    back smaller than they are, but no side falls below it. The size is checked against
    `max_pixels` from the header, before any pixel is decoded. Safe to call from many threads.

    Raises `ImageError` for bytes that are no image, are damaged, or are too large.
    """
    _quiet_pillow()
    if not data:
        raise ImageError("the file is empty; fetch the picture again")
    with _open(data, max_pixels) as picture:
        _check(picture, max_pixels)
        # Damaged files make Pillow's plugins raise nearly anything (OSError, SyntaxError,
        # struct.error, ValueError …); each of them means the same to the caller.
        try:
            return _pixels(picture, target)
        except MemoryError as error:
            raise ImageError("the picture needs more memory than is free; scale it down") from error
        except Exception as error:
            raise ImageError(
                f"the {picture.format} file is damaged or cut off ({_one_line(error)}); "
                "fetch or export it again"
            ) from error


def crop(image: Image, box: Box) -> Image:
    """Cut `box`, given as shares of width and height, out of a picture; at least one pixel."""
    left, top, right, bottom = box
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ImageError(
            f"crop box {box} is not (left, top, right, bottom) with 0 <= left < right <= 1 "
            "and 0 <= top < bottom <= 1"
        )
    height, width = image.shape[:2]
    rows = slice(math.floor(top * height), math.ceil(bottom * height))
    columns = slice(math.floor(left * width), math.ceil(right * width))
    return np.ascontiguousarray(image[rows, columns])


def decode_crop(data: bytes, box: Box | None, side: int) -> Image:
    """Decode what lies in `box` of a picture file, its shortest side no smaller than `side` if the
    file has the pixels; a tiny box does not ask for pictures of any size.
    """
    if box is None:
        return decode_image(data, target=side)
    share = max(min(box[2] - box[0], box[3] - box[1]), 1e-3)
    return crop(decode_image(data, target=min(math.ceil(side / share), _MOST_DETAIL)), box)


def encode_jpeg(image: Image, *, quality: int = 90) -> bytes:
    """Write a picture (height, width, 3) as a JPEG file."""
    out = io.BytesIO()
    Pillow.fromarray(image).save(out, "JPEG", quality=quality)
    return out.getvalue()


def thumbnail(image: Image, side: int) -> bytes:
    """Write a picture as a JPEG file no wider or higher than `side` pixels; never enlarges."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    if scale == 1.0:
        return encode_jpeg(image, quality=85)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = Pillow.fromarray(image).resize(size, Pillow.Resampling.LANCZOS, reducing_gap=3.0)
    return encode_jpeg(np.asarray(small), quality=85)


def _quiet_pillow() -> None:
    """Silence the warnings that Pillow's own modules issue about odd files.

    `warnings.catch_warnings` swaps process-wide state and is not safe among threads, so the
    one filter, limited to modules of Pillow, is put in place and stays.
    """
    wanted = ("ignore", None, Warning, _PILLOW_ONLY, 0)
    if wanted in warnings.filters:
        return
    with _quieting:
        if wanted not in warnings.filters:
            warnings.filterwarnings("ignore", module=_PILLOW_ONLY.pattern)


def _open(data: bytes, max_pixels: int) -> Pillow.Image:
    try:
        return Pillow.open(io.BytesIO(data))
    except Pillow.DecompressionBombError as error:
        limit = min(max_pixels, 2 * (Pillow.MAX_IMAGE_PIXELS or max_pixels))  # Pillow has its own
        raise ImageError(
            f"the picture has more pixels than the limit of {limit / 1e6:.4g} million; "
            "scale it down"
        ) from error
    except UnidentifiedImageError as error:
        raise ImageError(_unidentified(data)) from error
    except Exception as error:  # a damaged header: see decode_image
        raise ImageError(
            f"the file is damaged or cut off ({_one_line(error)}); fetch or export it again"
        ) from error


def _unidentified(data: bytes) -> str:
    """Say what bytes that Pillow does not know look like."""
    head = data[:64].lstrip().lower()
    for magic, name in _MAGIC.items():
        if data.startswith(magic) and not data.isascii():
            return f"the {name} file is damaged or cut off in its header; fetch it again"
    start = f"not an image (starts with {data[:16]!r})"
    if head.startswith((b"<!doctype", b"<html")):
        return f"{start}: a web page was saved in its place; fetch the picture again"
    if b"<svg" in data[:1024].lower():
        return f"{start}: an SVG drawing; export it as PNG"
    if data[4:12] == b"ftypavif" and features.check("avif"):
        return "the AVIF file is damaged or cut off; fetch it again"
    if data[4:8] == b"ftyp":
        return f"{start}: this Pillow cannot read the format; convert it to JPEG or PNG"
    return f"{start}; give a JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF file"


def _check(picture: Pillow.Image, max_pixels: int) -> None:
    if picture.format not in _FORMATS:
        raise ImageError(f"{picture.format} files are not read; convert it to JPEG or PNG")
    width, height = picture.size
    if width < 1 or height < 1:
        raise ImageError(f"the picture is {width} x {height} pixels: there is nothing in it")
    if width * height > max_pixels:
        raise ImageError(
            f"the picture is {width} x {height} pixels; the limit is {max_pixels / 1e6:g} million "
            "pixels; scale it down"
        )


def _pixels(picture: Pillow.Image, target: int | None) -> Image:
    turn = _TURNS.get(_orientation(picture))
    if target is not None:
        # JPEG alone: decodes at 1/2, 1/4 or 1/8 scale, never below the size asked for.
        short = min(picture.size)
        width, height = (max(1, math.ceil(side * target / short)) for side in picture.size)
        picture.draft(None, (width, height))
    rgb = _rgb(picture)
    if target is not None and (factor := min(rgb.size) // (2 * target)) > 1:
        # Leaves at least twice the target, so the encoder's own resampling decides the look.
        rgb = rgb.reduce(factor)
    if turn is not None:
        rgb = rgb.transpose(turn)
    return np.array(rgb, dtype=np.uint8)


def _orientation(picture: Pillow.Image) -> int:
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken metadata does not make a picture unusable
        return 1
    return value if isinstance(value, int) else 1


def _rgb(picture: Pillow.Image) -> Pillow.Image:
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return Pillow.fromarray(_eight_bits(np.asarray(picture))).convert("RGB")
    if picture.has_transparency_data:
        drawn = picture.convert("RGBA")
        paper = Pillow.new("RGBA", drawn.size, "white")
        return Pillow.alpha_composite(paper, drawn).convert("RGB")
    return picture.convert("RGB")


def _eight_bits(gray: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale gray values of more than 8 bits → uint8; Pillow's own conversion would clip them.

    16-bit files span 0 to 65535. Wider integers and floats state no range: the smallest usual
    one (0 to 1 for floats, 255, 65535) that holds the values is taken, or else their own.
    """
    values = np.nan_to_num(gray.astype(np.float32))
    low, high = min(0.0, values.min()), values.max()
    if gray.dtype.itemsize == 2:
        high = 65535.0
    else:
        usual = [255.0, 65535.0] if np.issubdtype(gray.dtype, np.integer) else [1.0, 255.0, 65535.0]
        high = next((bound for bound in usual if high <= bound), high)
    scaled: NDArray[np.float32] = (values - low) * (255.0 / max(high - low, 1e-12))
    return np.rint(scaled).astype(np.uint8)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
