"""What a stored vector depends on, as a short text: equal means that nothing is to be done."""

import json
from collections.abc import Sequence

import xxhash

from coordi.errors import ImageError
from coordi.types import ImageRef, Item


def signature(item: Item, *, by_picture: bool) -> str:
    """Hashes, joined by "-", that together say whether an item is stored as it is.

    The first tells what the vector is made from, the picture or the words; the second all else,
    so that a new price costs no encoding. Where there are further pictures a third part has a
    hash of each, joined by ".". Raises `ImageError` where a picture is gone.
    """
    words = _digest([item.title, item.description])
    picture = "" if item.image is None else picture_key(item.image)
    source = f"picture {picture}" if by_picture else f"words {words}"
    rest = _digest([picture, words, sorted(item.fields.items())])
    more = ".".join(further_keys(item))
    return f"{_digest([source])}-{rest}" + (f"-{more}" if more else "")


def further_keys(item: Item) -> list[str]:
    """A short hash of each further picture; raises `ImageError` where one is gone."""
    return [_digest(picture_key(ref))[:16] for ref in item.more]


def further_of(signature: str) -> list[str]:
    """The `further_keys` in a signature."""
    more = signature.partition("-")[2].partition("-")[2]
    return more.split(".") if more else []


def with_further(signature: str, kept: Sequence[int]) -> str:
    """The signature of the same item with only some of its further pictures, by their places."""
    keys = further_of(signature)
    parts = [*signature.split("-")[:2], ".".join(keys[place] for place in kept)]
    return "-".join(part for part in parts if part)


def same_source(one: str, other: str) -> bool:
    """Whether two signatures belong to the same vector."""
    return one.partition("-")[0] == other.partition("-")[0]


def _digest(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return xxhash.xxh3_128_hexdigest(text.encode("utf-8", "surrogatepass"))


def picture_key(ref: ImageRef) -> str:
    """A text that changes when the picture does, cheap to make.

    A file counts by path, size and time of change, without being read; bytes count as such.
    """
    if ref.path is None:
        return xxhash.xxh3_128_hexdigest(ref.data or b"")
    try:
        status = ref.path.stat()
    except (OSError, ValueError) as error:  # a NUL within the path
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ImageError(f"cannot read {ref.path}: {reason}") from error
    return f"{ref.path} {status.st_size} {status.st_mtime_ns}"
