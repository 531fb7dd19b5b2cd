"""Decode pictures in threads, ahead of the caller, in order."""

import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from coordi.data.decoding import shared
from coordi.data.images import image_hash, read_bytes
from coordi.data.threads import worked
from coordi.errors import ImageError
from coordi.types import Image, ImageRef

K = TypeVar("K")


def decoded(
    sources: Iterable[tuple[K, ImageRef]],
    transform: Callable[[Image], NDArray[Any]],
    *,
    target: int | None,
    workers: int,
    ahead: int = 128,
    roots: Sequence[Path] | None = None,
) -> Generator[tuple[K, NDArray[Any] | ImageError, str], None, None]:
    """Read, decode and transform pictures while the caller works on earlier ones.

    Yields (key, `transform(picture)`, `image_hash` of the file), in the order of `sources`; a
    picture that cannot be used yields its `ImageError` in the second place, and an empty hash
    where not even its bytes could be read. At most `ahead` pictures are held at a time: give
    at least two batches, so that decoding goes on while one batch is encoded. With `roots` only
    files within these folders are read. When the caller stops early, what has not begun is
    dropped, a slow picture is given up, and the threads end.
    """
    stop = threading.Event()

    def load(source: tuple[K, ImageRef]) -> tuple[K, NDArray[Any] | ImageError, str]:
        key, ref = source
        try:
            data = read_bytes(ref, roots)
        except ImageError as error:
            return key, error, ""
        try:
            image = shared().decode(data, target=target, patient=True, stop=stop)
            return key, transform(image), image_hash(data)
        except ImageError as error:
            return key, error, image_hash(data)

    return worked(load, sources, workers=workers, ahead=ahead, name="loading", on_end=stop.set)
