"""Picture bytes in, upright RGB arrays out; and the few ways back to bytes.

ICC profiles are not applied: values are taken as sRGB, as the encoders' training data was.
"""

import base64
import io
import math
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import UnidentifiedImageError, features

from coordi.data.files import MAX_BYTES, read_file, read_within
from coordi.errors import ImageError, install_command, one_line
from coordi.types import Box, Image, ImageRef

MAX_PIXELS = 100_000_000
"""Largest picture that is decoded by default, in pixels: 300 MB as RGB."""

BYTES_PER_PIXEL = 3
"""Bytes to be decoded that each pixel of the limit stands for: RGB of 8 bits. Transparency, ink or
16 bits a value take more, so that fewer pixels are allowed."""

MAX_RATIO = 200
"""Longest side in shortest sides: beyond it a picture shows nothing, and every copy is a strip."""

MAX_SCANS = 100
"""Passes of a progressive JPEG, about 10 in real ones. Each costs the time of a whole picture,
however few bytes it has."""

LIGHT_BYTES = 1 << 20
LIGHT_PIXELS = 16_000_000
LIGHT_WORK = 50_000_000
"""File bytes, pixels, and pixels times passes up to which a picture `is_light`: at worst half a
second and 64 MB. Nearly all pictures of catalogues are."""

_ORIENTATION = 0x0112  # EXIF tag; values 2 to 8 say how the picture must be turned
_TURNS: dict[int, Callable[[Image], Image]] = {
    2: lambda rows: rows[:, ::-1],
    3: lambda rows: rows[::-1, ::-1],
    4: lambda rows: rows[::-1],
    5: lambda rows: rows.swapaxes(0, 1),
    6: lambda rows: np.rot90(rows, -1),
    7: lambda rows: rows[::-1, ::-1].swapaxes(0, 1),
    8: lambda rows: np.rot90(rows),
}

# What is decoded: pictures that say in their first bytes what they are. Pillow also opens
# documents (EPS starts Ghostscript), and nearly anything as a TGA.
MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",  # several JPEG files one behind the other: programs show the first
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "HEIF": "image/heif",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "PPM": "image/x-portable-anymap",
    "JPEG2000": "image/jp2",
    "ICO": "image/x-icon",
}
"""Format as Pillow names it → media type: all that is read."""

# Decoders whose time and memory are a small constant times pixels, passes and bytes.
_LINEAR = frozenset(("JPEG", "MPO", "PNG", "WEBP"))

_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"heif", b"mif1", b"msf1")
_STRIP = 1 << 22
"""Pixels that are converted at a time: what a conversion needs beside the picture stays small."""

_MOST_DETAIL = 2048
"""Pixels a side that a crop may ask for, however small it is."""

_PILLOW_ONLY = re.compile(r"PIL\.")
_quieting = threading.Lock()


def read_bytes(ref: ImageRef, roots: Sequence[Path] | None = None, *, name: str = "") -> bytes:
    """Read the bytes of a picture; `ImageError` where the file is missing or no regular file.

    With `roots` its real place must be within one of these folders. `name` is what messages call
    the picture, its path by default.
    """
    if ref.path is None:
        return ref.data or b""
    if roots is None:
        return read_file(ref.path, name=name)
    return read_within(ref.path, roots, name=name)


def image_hash(data: bytes) -> str:
    """Name the content of a picture file: 32 hex digits (XXH3-128 of its bytes)."""
    return xxhash.xxh3_128_hexdigest(data)


def decode_image(data: bytes, *, target: int | None = None, max_pixels: int = MAX_PIXELS) -> Image:
    """Decode a picture file → (height, width, 3) RGB, upright, alpha on white, first frame.

    `target` is the shortest side, in pixels, that the caller needs: larger pictures may come
    back smaller than they are, but no side falls below it. What it would cost is checked against
    `max_pixels` from the header, before any pixel is decoded. Safe to call from many threads.

    Raises `ImageError` for bytes that are no image, are damaged, or are too large.
    """
    with opened(data, max_pixels=max_pixels) as picture:
        return pixels(picture, target)


@contextmanager
def opened(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Iterator[Pillow.Image]:
    """Open a picture file and check by its header that it may be decoded; else `ImageError`."""
    _quiet_pillow()
    if not data:
        raise ImageError("the file is empty; fetch the picture again")
    if len(data) > MAX_BYTES:
        raise ImageError(f"pictures above {MAX_BYTES >> 20} MiB are not read")
    with _open(data, max_pixels) as picture:
        _check(picture, data, max_pixels)
        yield picture


def pixels(picture: Pillow.Image, target: int | None = None) -> Image:
    """Decode a picture that `opened` gave; see `decode_image`."""
    # Damaged files make Pillow's plugins raise nearly anything (OSError, SyntaxError,
    # struct.error, ValueError …); each of them means the same to the caller.
    try:
        return _pixels(picture, target)
    except MemoryError as error:
        raise ImageError("the picture needs more memory than is free; scale it down") from error
    except Exception as error:
        raise ImageError(
            f"the {picture.format} file is damaged or cut off ({one_line(error)}); "
            "fetch or export it again"
        ) from error


def is_light(picture: Pillow.Image, data: bytes) -> bool:
    """Whether an opened picture is decoded in half a second at most, whatever its bytes are.

    True where the decoder's time is linear in pixels, passes and bytes, and these are few.
    """
    count = math.prod(picture.size)
    return (
        picture.format in _LINEAR
        and len(data) <= LIGHT_BYTES
        and count <= LIGHT_PIXELS
        and count * max(1, _scans(picture, data)) <= LIGHT_WORK
    )


def upright_size(picture: Pillow.Image) -> tuple[int, int]:
    """Width and height of an opened picture as it stands upright, before it is decoded."""
    width, height = picture.size
    # Pillow itself turns TIFF files upright, and states their size so.
    turned = picture.format != "TIFF" and _orientation(picture) in (5, 6, 7, 8)
    return (height, width) if turned else (width, height)


def begins_like_picture(head: bytes) -> bool:
    """Whether the first bytes of a file (16 are enough) are those of a format that is read."""
    accepts = (Pillow.OPEN[name][1] for name in _readable())
    start = head[:16].ljust(16, b"\0")
    return any(accept is not None and accept(start) is True for accept in accepts)


def crop(image: Image, box: Box) -> Image:
    """Cut `box`, given as shares of width and height, out of a picture; at least one pixel."""
    _check_box(box)
    left, top, right, bottom = box
    height, width = image.shape[:2]
    rows = slice(math.floor(top * height), math.ceil(bottom * height))
    columns = slice(math.floor(left * width), math.ceil(right * width))
    return np.ascontiguousarray(image[rows, columns])


def decode_crop(data: bytes, box: Box | None, side: int, *, max_pixels: int = MAX_PIXELS) -> Image:
    """Decode what lies in `box` of a picture file, its shortest side no smaller than `side` if the
    file has the pixels; a tiny box does not ask for pictures of any size.

    The one way to a crop, for training, measuring and queries: they must see the same pixels.
    """
    with opened(data, max_pixels=max_pixels) as picture:
        return cropped(picture, box, side)


def cropped(picture: Pillow.Image, box: Box | None, side: int | None) -> Image:
    """Decode what lies in `box` of a picture that `opened` gave; see `decode_crop`."""
    if box is None:
        return pixels(picture, side)
    _check_box(box)
    share = max(min(box[2] - box[0], box[3] - box[1]), 1e-3)
    target = None if side is None else min(math.ceil(side / share), _MOST_DETAIL)
    return crop(pixels(picture, target), box)


def _check_box(box: Box) -> None:
    left, top, right, bottom = box
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ImageError(
            f"crop box {box} is not (left, top, right, bottom) with 0 <= left < right <= 1 "
            "and 0 <= top < bottom <= 1"
        )


def encode_jpeg(image: Image, *, quality: int = 90) -> bytes:
    """Write a picture (height, width, 3) as a JPEG file."""
    out = io.BytesIO()
    Pillow.fromarray(image).save(out, "JPEG", quality=quality)
    return out.getvalue()


def thumbnail(image: Image, side: int, *, quality: int = 85) -> bytes:
    """Write a picture as a JPEG file no wider or higher than `side` pixels; never enlarges."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    if scale == 1.0:
        return encode_jpeg(image, quality=quality)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = Pillow.fromarray(image).resize(size, Pillow.Resampling.LANCZOS, reducing_gap=3.0)
    return encode_jpeg(np.asarray(small), quality=quality)


def data_url(ref: ImageRef, side: int, box: Box | None = None) -> str:
    """A picture, or what lies in `box` of it, as a small JPEG within an address; "" where it
    cannot be read.
    """
    try:
        image = decode_image(read_bytes(ref), target=side if box is None else None)
        small = thumbnail(image if box is None else crop(image, box), side)
    except ImageError:
        return ""
    return "data:image/jpeg;base64," + base64.b64encode(small).decode()


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
        return Pillow.open(io.BytesIO(data), formats=_readable())
    except Pillow.DecompressionBombError as error:
        limit = min(max_pixels, 2 * (Pillow.MAX_IMAGE_PIXELS or max_pixels))  # Pillow has its own
        raise ImageError(
            f"the picture has more pixels than the limit of {limit / 1e6:.4g} million; "
            "scale it down"
        ) from error
    except UnidentifiedImageError as error:
        raise ImageError(looks_like(data)) from error
    except Exception as error:  # a damaged header: see decode_image
        raise ImageError(
            f"the file is damaged or cut off ({one_line(error)}); fetch or export it again"
        ) from error


def load_codecs() -> None:
    """Import Pillow's plugins now: the first picture would pay for it."""
    _readable()


@cache
def _register_heif() -> None:
    """Let Pillow read HEIC, the pictures of phones, where the extra `heif` is installed.

    Without thumbnails and depth maps, and with one thread: a decoder of its own for every core
    would count as memory of the process that decodes it.
    """
    try:
        import pillow_heif
    except ImportError:
        return
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, decode_threads=1)


def _readable() -> tuple[str, ...]:
    """Formats that are tried. Not all of `MEDIA_TYPES`: HEIF needs a plugin, MPO comes as JPEG."""
    Pillow.init()
    _register_heif()
    return tuple(name for name in MEDIA_TYPES if name in Pillow.OPEN)


def looks_like(data: bytes) -> str:
    """Say what bytes that are no picture look like, by their first 1,024."""
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for magic, name in _MAGIC.items():
        if data.startswith(magic) and not data.isascii():
            return f"the {name} file is damaged or cut off in its header; fetch it again"
    start = f"not an image (starts with {data[:16]!r})"
    if data.startswith((b"%!PS", b"%PDF")):
        return f"{start}: documents are not read; export a JPEG or PNG"
    if b"<svg" in head:
        return f"{start}: an SVG drawing; export it as PNG"
    if is_web_page(head):
        return f"{start}: a web page was saved in its place; fetch the picture again"
    if data[4:12] == b"ftypavif" and features.check("avif"):
        return "the AVIF file is damaged or cut off; fetch it again"
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        if "HEIF" in _readable():
            return "the HEIC file is damaged or cut off; fetch it again"
        return f"{start}: a HEIC picture; to read such: {install_command('heif')}"
    if data[4:8] == b"ftyp":
        return f"{start}: this Pillow cannot read the format; convert it to JPEG or PNG"
    return f"{start}; give a JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF file"


def is_web_page(data: bytes) -> bool:
    """Whether bytes begin as a web page does."""
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith((b"<!doctype html", b"<html", b"<head", b"<!--")) or b"<html" in head


def _check(picture: Pillow.Image, data: bytes, max_pixels: int) -> None:
    width, height = picture.size
    size = f"the picture is {width} x {height} pixels"
    if width < 1 or height < 1:
        raise ImageError(f"{size}: there is nothing in it")
    if width * height > max_pixels:
        limit = f"{max_pixels / 1e6:g} million pixels"
        raise ImageError(f"{size}; the limit is {limit}; scale it down")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise ImageError(
            f"{size}; the limit is {MAX_RATIO} : 1 between its sides; cut out what it shows"
        )
    depth, most = _pixel_bytes(picture), BYTES_PER_PIXEL * max_pixels
    if width * height * depth > most:
        raise ImageError(
            f"{size} of {depth} bytes, {width * height * depth / 1e6:.4g} MB to decode; the limit "
            f"is {most / 1e6:.4g} MB; scale it down, or save it with 8 bits a value"
        )
    if (scans := _scans(picture, data)) > MAX_SCANS:
        raise ImageError(
            f"the JPEG file is made of {scans:,} scans; the limit is {MAX_SCANS}; "
            "save it again as a usual JPEG"
        )


def _pixel_bytes(picture: Pillow.Image) -> int:
    """Bytes that a pixel has in the file's own depth, once it is unpacked."""
    if picture.mode in ("I", "F"):
        return 4
    # Pillow cuts 16-bit colours to 8 bits: only its name for the file's own layout tells.
    layouts = [picture.mode, *(tile[3] for tile in getattr(picture, "tile", ()))]
    first = (args[0] if isinstance(args, tuple) and args else args for args in layouts)
    wide = any(isinstance(name, str) and ";16" in name for name in first)
    return len(picture.getbands()) * (2 if wide else 1)


def _scans(picture: Pillow.Image, data: bytes) -> int:
    """Passes of a JPEG file, by their markers, which cannot stand within compressed pixels."""
    return data.count(b"\xff\xda") if picture.format in ("JPEG", "MPO") else 0


def _pixels(picture: Pillow.Image, target: int | None) -> Image:
    if target is not None:
        # JPEG alone: decodes at 1/2, 1/4 or 1/8 scale, never below the size asked for.
        short = min(picture.size)
        width, height = (max(1, math.ceil(side * target / short)) for side in picture.size)
        picture.draft(None, (width, height))
    picture.load()
    # Leaves at least twice the target, so the encoder's own resampling decides the look.
    factor = 1 if target is None else max(1, min(picture.size) // (2 * target))
    # Asked for when it is loaded, as Pillow has turned TIFF files upright by then.
    turn = _TURNS.get(_orientation(picture))
    upright = _reduced(picture, factor)
    return upright if turn is None else np.ascontiguousarray(turn(upright))


def _reduced(picture: Pillow.Image, factor: int) -> Image:
    """A loaded picture as RGB, every `factor` x `factor` pixels made one, strip by strip."""
    width, height = picture.size
    span = _span(picture)
    step = max(1, _STRIP // (width * factor)) * factor  # rows
    if step >= height:
        return _small(picture, factor, span)
    out = np.empty((-(-height // factor), -(-width // factor), 3), np.uint8)
    for top in range(0, height, step):
        strip = picture.crop((0, top, width, min(top + step, height)))
        out[top // factor : (top + step) // factor] = _small(strip, factor, span)
    return out


def _small(picture: Pillow.Image, factor: int, span: tuple[float, float] | None) -> Image:
    flat = _flat(picture, span)
    small = flat if factor == 1 else flat.reduce(factor)
    return np.array(small.convert("RGB") if small.mode == "L" else small, dtype=np.uint8)


def _orientation(picture: Pillow.Image) -> int:
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken metadata does not make a picture unusable
        return 1
    return value if isinstance(value, int) else 1


def _flat(picture: Pillow.Image, span: tuple[float, float] | None) -> Pillow.Image:
    """A picture of any mode as RGB or gray of 8 bits, with nothing to see through."""
    if span is not None:
        return Pillow.fromarray(_eight_bits(np.asarray(picture), *span))
    if picture.has_transparency_data:
        drawn = picture.convert("RGBA")
        paper = Pillow.new("RGBA", drawn.size, "white")
        return Pillow.alpha_composite(paper, drawn).convert("RGB")
    return picture if picture.mode in ("RGB", "L") else picture.convert("RGB")


def _span(picture: Pillow.Image) -> tuple[float, float] | None:
    """Black and white of gray values of more than 8 bits; None for all other pictures.

    16-bit files span 0 to 65535. Wider integers and floats state no range: the smallest usual
    one (0 to 1 for floats, 255, 65535) that holds the values is taken, or else their own.
    """
    if picture.mode.startswith("I;16"):
        return 0.0, 65535.0
    if picture.mode not in ("I", "F"):
        return None
    low, high = _extremes(picture)
    usual = [255.0, 65535.0] if picture.mode == "I" else [1.0, 255.0, 65535.0]
    return min(0.0, low), next((bound for bound in usual if high <= bound), high)


def _extremes(picture: Pillow.Image) -> tuple[float, float]:
    width, height = picture.size
    step = max(1, _STRIP // width)
    low, high = math.inf, -math.inf
    for top in range(0, height, step):
        strip = np.asarray(picture.crop((0, top, width, min(top + step, height))), np.float32)
        values = np.nan_to_num(strip)
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    return low, high


def _eight_bits(gray: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    """Scale gray values to uint8; Pillow's own conversion would clip them."""
    if gray.dtype.itemsize == 2:
        return _scaled(np.arange(65536), low, high)[gray.astype(np.uint16, copy=False)]
    return _scaled(np.nan_to_num(gray.astype(np.float32)), low, high)


def _scaled(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    scaled: NDArray[np.float32] = (values.astype(np.float32) - low) * (
        255.0 / max(high - low, 1e-12)
    )
    return np.rint(scaled).astype(np.uint8)
