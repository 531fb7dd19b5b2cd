"""Decode pictures in threads, ahead of the caller, in order."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from coordi.data.decoding import shared
from coordi.data.images import image_hash, read_bytes
from coordi.errors import ImageError
from coordi.types import Image, ImageRef

K = TypeVar("K")
Outcome = tuple[NDArray[Any] | ImageError, str]


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
    pool = ThreadPoolExecutor(workers, thread_name_prefix="coordi-loading")
    stop = threading.Event()
    load = partial(_load, transform=transform, target=target, roots=roots, stop=stop)
    waiting: deque[tuple[K, Future[Outcome]]] = deque()
    try:
        for key, ref in sources:
            waiting.append((key, pool.submit(load, ref)))
            if len(waiting) >= ahead:
                yield _next(waiting)
        while waiting:
            yield _next(waiting)
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _next(waiting: deque[tuple[K, Future[Outcome]]]) -> tuple[K, NDArray[Any] | ImageError, str]:
    key, future = waiting.popleft()
    value, content = future.result()
    return key, value, content


def _load(
    ref: ImageRef,
    *,
    transform: Callable[[Image], NDArray[Any]],
    target: int | None,
    roots: Sequence[Path] | None,
    stop: threading.Event,
) -> Outcome:
    try:
        data = read_bytes(ref, roots)
    except ImageError as error:
        return error, ""
    try:
        image = shared().decode(data, target=target, patient=True, stop=stop)
        return transform(image), image_hash(data)
    except ImageError as error:
        return error, image_hash(data)
