"""Pictures of stored items as bytes for a page: the original, and small JPEGs kept in memory."""

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from PIL import Image as Pillow

from coordi.types import ImageRef

_ORIENTATION = 0x0112
"""The EXIF tag that says how a picture lies; 5 to 8 swap width and height."""

JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF = (
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "image/bmp",
    "image/tiff",
    "image/avif",
)
MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", JPEG),
    (0, b"\x89PNG\r\n\x1a\n", PNG),
    (8, b"WEBP", WEBP),
    (0, b"GIF8", GIF),
    (0, b"BM", BMP),
    (0, b"II*\x00", TIFF),
    (0, b"MM\x00*", TIFF),
    (4, b"ftypavif", AVIF),
)
"""(offset, first bytes, media type) of the formats that catalogues hold."""


def media_type(data: bytes) -> str:
    """The media type that the first bytes state, "application/octet-stream" where none does."""
    for offset, magic, name in MAGIC:
        if data[offset : offset + len(magic)] == magic:
            return name
    return "application/octet-stream"


class ByteCache:
    """The most recently used byte strings, up to a number of bytes; safe to use from threads."""

    def __init__(self, capacity: int) -> None:
        """Keep at most `capacity` bytes."""
        self.capacity = capacity
        self._used = 0
        self._entries: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """The bytes under `key`, made where they are not there."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        data = make()  # outside the lock: two threads may both make it, which is harmless
        self._keep(key, data)
        return data

    def _keep(self, key: Hashable, data: bytes) -> None:
        with self._lock:
            self._used += len(data) - len(self._entries.pop(key, b""))
            self._entries[key] = data
            while self._used > self.capacity:
                _, dropped = self._entries.popitem(last=False)
                self._used -= len(dropped)


def pixel_size(ref: ImageRef) -> tuple[int, int] | None:
    """Width and height of a picture as it stands upright, from its header; None if unreadable."""
    try:
        with Pillow.open(ref.path or io.BytesIO(ref.data or b"")) as picture:
            width, height = picture.size
            turned = picture.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    except (OSError, ValueError, SyntaxError):  # what Pillow raises on damaged headers
        return None
    return (height, width) if turned else (width, height)
