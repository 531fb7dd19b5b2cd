"""Decode pictures in threads, ahead of the caller, in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from numpy.typing import NDArray

from coordi.data.images import decode_image, image_hash, read_bytes
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
) -> Iterator[tuple[K, NDArray[Any] | ImageError, str]]:
    """Read, decode and transform pictures while the caller works on earlier ones.

    Yields (key, `transform(picture)`, `image_hash` of the file), in the order of `sources`; a
    picture that cannot be used yields its `ImageError` in the second place, and an empty hash
    where not even its bytes could be read. At most `ahead` pictures are held at a time: give
    at least two batches, so that decoding goes on while one batch is encoded. When the caller
    stops early, what has not begun is dropped and the threads end.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="coordi-decode")
    waiting: deque[tuple[K, Future[Outcome]]] = deque()
    try:
        for key, ref in sources:
            waiting.append((key, pool.submit(_load, ref, transform, target)))
            if len(waiting) >= ahead:
                yield _next(waiting)
        while waiting:
            yield _next(waiting)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _next(waiting: deque[tuple[K, Future[Outcome]]]) -> tuple[K, NDArray[Any] | ImageError, str]:
    key, future = waiting.popleft()
    value, content = future.result()
    return key, value, content


def _load(ref: ImageRef, transform: Callable[[Image], NDArray[Any]], target: int | None) -> Outcome:
    try:
        data = read_bytes(ref)
    except ImageError as error:
        return error, ""
    try:
        return transform(decode_image(data, target=target)), image_hash(data)
    except ImageError as error:
        return error, image_hash(data)
