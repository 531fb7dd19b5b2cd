"""Lanes: engine calls run in threads of their own kind, so many at once, and no more may wait.

The event loop itself never blocks, so that `/health` and `/ready` answer whatever goes on.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from coordi.errors import BusyError
from coordi.serve.limits import Limits

_Result = TypeVar("_Result")

CORES = os.cpu_count() or 1


class Lane:
    """Work of one kind: `threads` pieces at once, `waiting` more in line, each for `patience` s."""

    def __init__(self, name: str, threads: int, waiting: int, patience: float) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=f"coordi-{name}")
        self._free = asyncio.Semaphore(threads)
        self._waiting = 0
        self._most = waiting
        self._patience = patience

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """The result of `work`, done in a thread; `BusyError` where its turn does not come."""
        await self._turn()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._free.release()

    async def _turn(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        if self._waiting >= self._most:
            raise BusyError("too much is asked at once")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            raise BusyError("too much is asked at once") from None
        finally:
            self._waiting -= 1


class Lanes:
    """The lanes of one service."""

    def __init__(self, limits: Limits) -> None:
        few = min(max(CORES, 2), 8)
        self.searches = Lane("search", few, limits.searches, limits.patience_seconds)
        """Encoding and ranking; more at once than there are cores would only be slower."""
        self.photos = Lane("photo", few, limits.photos, limits.patience_seconds)
        """Searches by photo: decoding one may take long, and other searches go on meanwhile."""
        self.pictures = Lane("picture", few, limits.pictures, limits.patience_seconds)
        """Pictures of the catalogue."""
        self.reads = Lane("read", 4, limits.searches, limits.patience_seconds)
        """What only reads the store."""
