"""Pictures of stored items as a page needs them: the original, small JPEGs, and their sizes.

Nothing leaves here but what was read from within the store's roots, at this moment, and decoded
as a picture. Messages name items, not paths: they may be shown to whoever looks at the page.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from time import monotonic
from typing import Generic, TypeVar

import xxhash

from coordi.data.decoding import shared
from coordi.data.images import image_hash, read_bytes
from coordi.engine.signature import picture_key
from coordi.errors import BusyError, ImageError, NotFoundError
from coordi.types import ImageRef, Item, PictureInfo

THUMBNAIL_BYTES = 128 * 1024 * 1024
"""Memory for thumbnails that were made."""

_REMEMBERED = 100_000
"""Pictures whose size and media type are remembered."""

LOOK_AGAIN = 1.0
"""Seconds after which a file is looked at anew, to see whether the picture is still the same: a
page of hits would spend as long on that as on finding them."""

V = TypeVar("V")


class Cache(Generic[V]):
    """The most recently used values, up to a total weight; safe to use from threads."""

    def __init__(self, capacity: int, weigh: Callable[[V], int] = lambda _: 1) -> None:
        """Keep at most `capacity` of what `weigh` measures, by default so many values."""
        self.capacity, self._weigh = capacity, weigh
        self._used = 0
        self._entries: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value under `key`, made where it is not there."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        value = make()  # outside the lock: two threads may both make it, which is harmless
        self._keep(key, value)
        return value

    def _keep(self, key: Hashable, value: V) -> None:
        with self._lock:
            self._used += self._weigh(value)
            if key in self._entries:
                self._used -= self._weigh(self._entries.pop(key))
            self._entries[key] = value
            while self._used > self.capacity:
                _, dropped = self._entries.popitem(last=False)
                self._used -= self._weigh(dropped)


class Pictures:
    """Reads and remembers the pictures of one store; safe to use from threads."""

    def __init__(self, roots: Callable[[], Sequence[Path]]) -> None:
        """`roots` gives the folders that pictures may be read from, as they stand now."""
        self._roots = roots
        self._thumbnails: Cache[bytes] = Cache(THUMBNAIL_BYTES, len)
        self._types: Cache[str | ImageError] = Cache(_REMEMBERED)
        self._infos: Cache[PictureInfo] = Cache(_REMEMBERED)
        self._seen: dict[ImageRef, tuple[float, PictureInfo]] = {}

    def image(self, item: Item, number: int = 0) -> tuple[bytes, str]:
        """The bytes of picture `number` (0 is the main one) and its media type.

        Raises `NotFoundError` where there is none, `ImageError` for what is no picture, and
        `BusyError` where too many are decoded at once.
        """
        data = self._read(item, number)
        kind = self._types.get(image_hash(data), lambda: _verified(data))
        if isinstance(kind, ImageError):
            raise ImageError(f"{_name(item, number)} cannot be shown: {kind}")
        return data, kind

    def thumbnail(self, item: Item, side: int, number: int = 0) -> bytes:
        """A picture as a JPEG no wider or higher than `side` pixels; raises as `image`."""
        ref, name = _ref(item, number), _name(item, number)
        return self._thumbnails.get(
            (_version(ref, name), side), lambda: self._shrunk(item, number, side)
        )

    def info(self, item: Item, number: int = 0) -> PictureInfo:
        """The version and upright size of a picture; never raises.

        Both are empty where there is no picture; the size is, where it cannot be read. A change
        of its file shows after `LOOK_AGAIN` seconds.
        """
        ref = item.image
        if number or ref is None or ref.path is None:
            return self._info(item, number)
        until, info = self._seen.get(ref, (0.0, None))
        now = monotonic()
        if info is None or now >= until:
            info = self._info(item, number)
            if len(self._seen) >= _REMEMBERED:
                self._seen = {}
            if info.size is not None:
                self._seen[ref] = (now + LOOK_AGAIN, info)
        return info

    def _info(self, item: Item, number: int) -> PictureInfo:
        key = _key(item, number)
        if not key:
            return PictureInfo("", None)
        try:
            return self._infos.get(key, lambda: self._measured(key, item, number))
        except (ImageError, NotFoundError, BusyError):
            return PictureInfo(_short(key), None)

    def version(self, item: Item, number: int) -> str:
        """The version alone, which costs no reading of the picture."""
        return _short(_key(item, number))

    def _measured(self, key: str, item: Item, number: int) -> PictureInfo:
        data = self._read(item, number)
        try:
            return PictureInfo(_short(key), shared().measure(data))
        except ImageError:  # remembered: the same bytes will not become a picture
            return PictureInfo(_short(key), None)

    def _shrunk(self, item: Item, number: int, side: int) -> bytes:
        data = self._read(item, number)
        try:
            return shared().thumbnail(data, side)
        except ImageError as error:
            raise ImageError(f"{_name(item, number)} cannot be shown: {error}") from error

    def _read(self, item: Item, number: int) -> bytes:
        ref, name = _ref(item, number), _name(item, number)
        if ref.path is None:
            return read_bytes(ref)
        roots = self._roots()
        if not roots:
            raise NotFoundError(
                f"{name} is not shown: the store does not know from which folders pictures may "
                "be read. Ingest the catalogue again: coordi ingest CATALOG"
            )
        return read_bytes(ref, roots, name=name)


def _ref(item: Item, number: int) -> ImageRef:
    refs = () if item.image is None else (item.image, *item.more)
    if not 0 <= number < len(refs):
        which = f"picture {number}" if refs else "picture"
        raise NotFoundError(f"item {item.id!r} has no {which}")
    return refs[number]


def _name(item: Item, number: int) -> str:
    return f"the picture of item {item.id!r}" if not number else f"picture {number} of {item.id!r}"


def _key(item: Item, number: int) -> str:
    try:
        return picture_key(_ref(item, number))
    except (ImageError, NotFoundError):
        return ""


def _short(key: str) -> str:
    return key and xxhash.xxh3_64_hexdigest(key.encode("utf-8", "surrogatepass"))


def _version(ref: ImageRef, name: str) -> str:
    try:
        return picture_key(ref)
    except ImageError as error:
        cause = error.__cause__
        reason = cause.strerror if isinstance(cause, OSError) else None
        raise ImageError(f"cannot read {name}: {reason or 'its path is impossible'}") from error


def _verified(data: bytes) -> str | ImageError:
    """The media type, or why these bytes are no picture: either is remembered."""
    try:
        return shared().verify(data)
    except ImageError as error:
        return error
