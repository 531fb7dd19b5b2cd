"""Work in threads ahead of the caller, in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
R = TypeVar("R")


def worked(
    work: Callable[[S], R],
    sources: Iterable[S],
    *,
    workers: int,
    ahead: int,
    name: str,
    on_end: Callable[[], object] = lambda: None,
) -> Generator[R, None, None]:
    """`work` done on each source, in their order, on at most `ahead` before it is asked for.

    When the caller stops early, `on_end` is called, what has not begun is dropped, and the
    threads, which go by `name`, end.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix=f"coordi-{name}")
    waiting: deque[Future[R]] = deque()
    try:
        for source in sources:
            waiting.append(pool.submit(work, source))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        on_end()
        pool.shutdown(wait=True, cancel_futures=True)
