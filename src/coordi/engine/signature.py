"""What a stored vector depends on, as a short text: equal means that nothing is to be done."""

import json

import xxhash

from coordi.errors import ImageError
from coordi.types import ImageRef, Item


def signature(item: Item) -> str:
    """32 hex digits that change when the item's picture, words or fields change.

    Raises `ImageError` where the picture is gone.
    """
    picture = "" if item.image is None else picture_key(item.image)
    parts = [picture, item.id, item.title, item.description, sorted(item.fields.items())]
    text = json.dumps(parts, ensure_ascii=False)
    return xxhash.xxh3_128_hexdigest(text.encode("utf-8", "surrogatepass"))


def picture_key(ref: ImageRef) -> str:
    """A text that changes when the picture does, cheap to make.

    A file counts by path, size and time of change, without being read; bytes count as such.
    """
    if ref.path is None:
        return xxhash.xxh3_128_hexdigest(ref.data or b"")
    try:
        status = ref.path.stat()
    except OSError as error:
        raise ImageError(f"cannot read {ref.path}: {error.strerror or error}") from error
    return f"{ref.path} {status.st_size} {status.st_mtime_ns}"
