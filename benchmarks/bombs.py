"""Pictures that are cheap to send and dear to decode."""

import io
import struct
import zlib
from collections.abc import Iterator


def scan_bomb(scans: int, side: int = 7000) -> bytes:
    """A progressive JPEG that says its cheapest scan over and over: minutes of work in 100 kB."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", (side, side)).save(buffer, "JPEG", progressive=True, quality=1)
    data = buffer.getvalue()
    starts = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]
    ends = [*starts[1:], len(data) - 2]
    cheapest = min((data[a:b] for a, b in zip(starts, ends, strict=True)), key=len)
    return data[:-2] + cheapest * scans + b"\xff\xd9"


def deep_png(width: int, height: int, bits: int = 16, kind: int = 2) -> bytes:
    """A PNG of zeros: nothing on the wire; in memory width × height × channels × bits / 8.

    `kind` is PNG's colour type: 0 grey, 2 RGB, 6 RGBA.
    """
    channels = {0: 1, 2: 3, 6: 4}[kind]
    line = bytes(1 + (width * channels * bits + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    whole = name + data
    return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))


def many_frames(frames: int, side: int) -> bytes:
    """An animation of which nobody wants more than the first picture."""
    from PIL import Image

    first = Image.new("L", (side, side))
    others = [Image.new("L", (side, side), shade) for shade in (255, 0)] * (frames // 2)
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=1)
    return buffer.getvalue()


def all_bombs() -> Iterator[tuple[str, bytes, int]]:
    """Name, bytes, and how many of them at once."""
    yield "progressive JPEG, 1,000 scans of 7,000²", scan_bomb(1000), 1
    yield "progressive JPEG of 8 MB, 100,000 scans of 7,000²", scan_bomb(100_000), 1
    yield "eight 16-bit RGB PNGs of 7,000²", deep_png(7000, 7000), 8
    yield "16-bit RGBA PNG of 7,000²", deep_png(7000, 7000, kind=6), 1
    yield "grey PNG of 49,000,000 × 1", deep_png(49_000_000, 1, bits=8, kind=0), 1
    yield "grey PNG of 20 × 2,450,000", deep_png(20, 2_450_000, bits=8, kind=0), 1
    yield "four GIFs of 1,000 frames", many_frames(1000, 100), 4
    yield "60 progressive JPEGs at once, 100 scans of 7,000²", scan_bomb(100), 60
