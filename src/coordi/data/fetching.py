"""Pictures by address: fetched ahead of who needs them, once, into a cache that stays.

with Fetcher(Path("shop/fetched")) as fetcher:
    fetcher.want("https://cdn.example/a.jpg")       # returns at once
    path = fetcher.path("https://cdn.example/a.jpg")  # waits; a file of the cache
"""

import asyncio
import glob
import os
import re
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Self

import httpx

from coordi.data.addresses import Resolver, in_thread, resolve, web_address
from coordi.data.download import Downloader, Limits
from coordi.data.fetchcache import FetchCache
from coordi.data.readers.table import Record, Table
from coordi.data.remote import copy_catalog, copy_picture, is_remote, shown
from coordi.errors import CatalogError, ImageError, StoreError
from coordi.types import Problem

AHEAD = 512
"""Rows whose pictures are fetched before the first of them is needed."""

_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


class Fetcher:
    """Fetches pictures in a thread of its own, each address once a run.

    What is in the cache is not asked for again. What fails is remembered until `close`.
    """

    def __init__(
        self,
        cache: Path,
        *,
        private: bool = False,
        limits: Limits | None = None,
        resolver: Resolver = resolve,
    ) -> None:
        """`cache` is the folder of fetched files, `private` allows addresses of one's own network.

        `resolver` asks for the addresses of a host, by default the system.
        """
        self.folder = cache.expanduser().absolute()
        self.limits = limits or Limits()
        self.private = private
        self.fetched = 0
        self.kept = 0
        self.failed = 0
        """Pictures that came by now in this run, that an earlier one had fetched, that did not."""
        self._cache = FetchCache(self.folder)
        self._resolver = resolver
        self._asked: dict[str, Future[Path]] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._remote_turns = asyncio.Semaphore(self.limits.at_once)
        self._downloader: Downloader | None = None
        self._unwritable: StoreError | None = None
        self._cache.tidy()

    def want(self, address: str) -> None:
        """Have an address fetched, unless it is there or on its way; does not wait."""
        if address not in self._asked:
            self._asked[address] = self._begun(address)

    def path(self, address: str) -> Path:
        """The file of an address, once it is there; `ImageError` says why it does not come.

        `StoreError` where the cache cannot be written to, as none can then be kept.
        """
        self.want(address)
        try:
            return self._asked[address].result()
        except ImageError as error:
            raise ImageError(f"{shown(address)} cannot be fetched: {error}") from None

    def catalog(self, source: str) -> str:
        """The file or glob to read a catalogue from: that of an address is copied here, each time.

        What is no address is returned as it is. Raises `CatalogError` and `NotFoundError`.
        """
        if not is_remote(source) and not re.match(r"https?://", source, re.IGNORECASE):
            return source
        folder = self.folder / "catalogues" / FetchCache.key(source)
        if is_remote(source):
            copies = copy_catalog(source, folder)
            return str(copies[0] if len(copies) == 1 else Path(glob.escape(str(folder))) / "*")
        try:
            url = web_address(source)
            path = folder / (PurePosixPath(url.path).name or "catalogue")
            loop = self._running()
            asyncio.run_coroutine_threadsafe(self._file(url, path), loop).result()
        except ImageError as error:
            raise CatalogError(f"{shown(source)} cannot be fetched: {error}") from None
        return str(path)

    def remarks(self) -> Iterator[str]:
        """What was fetched in this run, for the report."""
        if not self._asked:
            return
        parts = [f"{self.fetched:,} pictures were fetched into {self.folder}"]
        parts += [f"{self.kept:,} were there already"] if self.kept else []
        parts += [f"{self.failed:,} could not be fetched"] if self.failed else []
        yield ", ".join(parts)
        proxies = [name for name in _PROXIES if os.environ.get(name)]
        if self.failed and proxies:
            yield (
                f"the proxy of {proxies[0]} was not used: it would look up names itself, and the "
                "check for private addresses be none; where only the proxy reaches the internet, "
                "download the pictures by other means and give their folder with --images"
            )

    def discard(self, path: Path) -> None:
        """Forget a fetched file that turned out to be damaged: the next run fetches it anew."""
        if self.folder in path.parents:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Stop at once; what came stays."""
        if self._thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._thread = None
        self._cache.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def _begun(self, address: str) -> Future[Path]:
        done: Future[Path] = Future()
        try:
            key = address if is_remote(address) else str(web_address(address))
        except ImageError as error:
            done.set_exception(error)
            self.failed += 1
            return done
        if key != address and key in self._asked:
            return self._asked[key]
        if self._cache.has(key):
            done.set_result(self._cache.path(key))
            self.kept += 1
            return done
        future = asyncio.run_coroutine_threadsafe(self._fetch(key), self._running())
        self._asked[key] = future
        return future

    async def _fetch(self, key: str) -> Path:
        try:
            with self._writing(self._cache.path(key)) as part:
                if is_remote(key):
                    async with self._remote_turns:
                        await in_thread(partial(copy_picture, key, part, self.limits.max_bytes))
                elif self._downloader is not None:
                    await self._downloader.picture(web_address(key), part)
        except ImageError:
            self.failed += 1
            raise
        self.fetched += 1
        return self._cache.path(key)

    async def _file(self, url: httpx.URL, path: Path) -> None:
        with self._writing(path) as part:
            if self._downloader is not None:
                await self._downloader.catalog(url, part)

    @contextmanager
    def _writing(self, path: Path) -> Iterator[Path]:
        """As the cache's; what keeps one file from being written will keep the next, too."""
        if self._unwritable is not None:
            raise self._unwritable
        try:
            with self._cache.writing(path) as part:
                yield part
        except OSError as error:
            said = f"cannot write to {self.folder}: {error.strerror or error}"
            self._unwritable = StoreError(f"{said}; what came stays, the same command goes on")
            if self._downloader is not None:
                self._downloader.unusable = self._unwritable
            raise self._unwritable from error

    def _running(self) -> asyncio.AbstractEventLoop:
        """The event loop of the thread, which starts when the first picture is not there."""
        if self._loop is None:
            ready: Future[asyncio.AbstractEventLoop] = Future()
            self._thread = threading.Thread(
                target=lambda: asyncio.run(self._serve(ready)), name="coordi-fetcher", daemon=True
            )
            self._thread.start()
            self._loop = ready.result()
        return self._loop

    async def _serve(self, ready: "Future[asyncio.AbstractEventLoop]") -> None:
        async with Downloader(self.limits, self.private, self._resolver) as self._downloader:
            ready.set_result(asyncio.get_running_loop())
            await self._stop.wait()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)


def fetching(
    table: Table,
    want: Callable[[str], None],
    addresses: Callable[[object], Collection[str]],
    columns: Collection[str],
) -> Table:
    """The table with the pictures of its rows on their way before the rows are asked for.

    `addresses` gives those that a cell of the picture `columns` states, and each is `want`ed.
    """

    def records(without: Collection[str]) -> Iterator[Record | Problem]:
        """Stream the rows in order, up to `AHEAD` of them behind those that are fetched for."""
        waiting: deque[Record | Problem] = deque()
        for record in table.records(without):
            if isinstance(record, Record):
                for column in columns:
                    for address in addresses(record.values.get(column)):
                        want(address)
            waiting.append(record)
            if len(waiting) >= AHEAD:
                yield waiting.popleft()
        yield from waiting

    return Table(table.folder, records, table.columns, table.pictures, table.notes)
