"""One picture from its web address into a file: politely, bounded, and only if it is a picture."""

import asyncio
import random
import time
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Self

import httpcore
import httpx

from coordi.data.addresses import Guard, Resolver, resolve, web_address
from coordi.data.images import begins_like_picture, is_web_page, looks_like
from coordi.data.remote import shown
from coordi.errors import ImageError

AGENT = "coordi (catalogue ingest; +https://pypi.org/project/coordi)"
"""How requests name who asks."""

_HEADERS = (
    ("User-Agent", AGENT),
    ("Accept-Encoding", "identity"),  # counted as it comes: packed, a picture hides its size
)
_HEAD = 1024  # bytes that tell what came
_REDIRECTS = (301, 302, 303, 307, 308)
_LATER = (408, 425, 429, 500, 502, 503, 504)
_BROKEN = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)


@dataclass(frozen=True, slots=True)
class Limits:
    """What fetching may cost, us and the servers."""

    at_once: int = 16
    """Pictures on their way at a time …"""
    per_host: int = 4
    """… and of one host."""
    connect_seconds: float = 10.0
    idle_seconds: float = 20.0
    """Between two pieces of a picture."""
    seconds: float = 30.0
    """For a whole picture, all tries together, without the waits between them."""
    max_bytes: int = 32 << 20
    max_catalog: int = 2 << 30
    catalog_seconds: float = 1800.0
    """Size and time of a catalogue that is itself fetched."""
    tries: int = 4
    backoff: float = 0.5
    """Seconds to wait before the second try; twice as long before each further one."""
    longest_wait: float = 30.0
    """Seconds that a server may ask us to wait."""
    redirects: int = 5
    dead_after: int = 8
    """Requests that no whole answer follows, one after the other, until a host is not asked again.
    """


class _LaterError(Exception):
    """This try failed; the next may not. `wait` is what the server asks for, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(slots=True)
class _Host:
    """What is known of a host: who may ask, from when on, how often it failed in a row and why."""

    turns: asyncio.Semaphore
    not_before: float = 0.0
    failed: int = 0
    why: str = ""

    async def rest(self) -> None:
        """Wait until the host wants to be asked again."""
        while (wait := self.not_before - time.monotonic()) > 0:
            await asyncio.sleep(wait)


@dataclass(slots=True)
class _Wish:
    """A file that is to be downloaded, and what it may cost."""

    url: httpx.URL
    into: Path
    most: int
    seconds: float
    """What is left of its time."""
    picture: bool = True


@dataclass(slots=True)
class Downloader:
    """Downloads pictures within an event loop; a context manager."""

    limits: Limits
    private: bool = False
    resolver: Resolver = resolve
    unusable: Exception | None = None
    """Why nothing is to be asked for any more: each request that waits for its turn raises it."""
    _pool: httpcore.AsyncConnectionPool = field(init=False)
    _turns: asyncio.Semaphore = field(init=False)
    _hosts: dict[str, _Host] = field(default_factory=dict, init=False)

    async def __aenter__(self) -> Self:
        self._turns = asyncio.Semaphore(self.limits.at_once)
        # httpcore itself, below httpx: it lets us open the connections, and knows no proxies of
        # the environment, which would resolve names themselves, behind the guard.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=None,
            max_keepalive_connections=2 * self.limits.at_once,
            keepalive_expiry=5.0,
            network_backend=Guard(private=self.private, resolver=self.resolver),
        )
        return self

    async def __aexit__(self, *_raised: object) -> None:
        await self._pool.aclose()

    async def picture(self, url: httpx.URL, into: Path) -> None:
        """Write the picture at an address into a file; `ImageError` says why it does not come."""
        await self._tried(_Wish(url, into, self.limits.max_bytes, self.limits.seconds))

    async def catalog(self, url: httpx.URL, into: Path) -> None:
        """The same for a catalogue, whatever it is, within limits of its own."""
        limits = self.limits
        await self._tried(
            _Wish(url, into, limits.max_catalog, limits.catalog_seconds, picture=False)
        )

    async def _tried(self, wish: _Wish) -> None:
        for number in range(1, self.limits.tries + 1):
            try:
                return await self._followed(wish)
            except _LaterError as later:
                await self._wait(later, number)
        raise AssertionError("the last try raises")

    async def _wait(self, later: _LaterError, number: int) -> None:
        """Wait before the next try; `ImageError` after the last, or where it would be too long."""
        if later.wait > self.limits.longest_wait:
            raise ImageError(f"{later} and asks to wait {later.wait:,.0f} s; run again later")
        if number == self.limits.tries:
            tries = "" if number == 1 else f", {number} times"
            raise ImageError(f"{later}{tries}; run again later")
        pause = self.limits.backoff * 2 ** (number - 1) * random.uniform(0.5, 1.5)
        await asyncio.sleep(max(pause, later.wait))

    async def _followed(self, wish: _Wish) -> None:
        """Ask an address and follow its redirects by hand, each checked like the first."""
        url = wish.url
        for _ in range(self.limits.redirects + 1):
            try:
                following = await self._asked(url, wish)
            except (ImageError, _LaterError) as error:
                if url == wish.url:
                    raise
                said = f"redirected to {shown(str(url))}: {error}"
                if isinstance(error, _LaterError):
                    raise _LaterError(said, error.wait) from error
                raise ImageError(said) from error
            if following is None:
                return
            url = following
        raise ImageError(f"redirected more than {self.limits.redirects} times")

    async def _asked(self, url: httpx.URL, wish: _Wish) -> httpx.URL | None:
        """One request → where it redirects to; None where the picture came."""
        host = self._host(url)
        async with host.turns:
            await host.rest()  # within the turn: who waited for it knows of no rest asked for since
            async with self._turns:
                return await self._answered(host, url, wish)

    async def _answered(self, host: _Host, url: httpx.URL, wish: _Wish) -> httpx.URL | None:
        """One request within its time; what it tells of its host is noted."""
        if self.unusable is not None:
            raise self.unusable
        if host.failed >= self.limits.dead_after:
            raise ImageError(
                f"{url.host} did not answer {host.failed} times in a row, lastly: {host.why}; it "
                "is not asked again in this run; run again later"
            )
        since = time.monotonic()
        try:
            async with asyncio.timeout(max(wish.seconds, 0)):
                answer = await self._taken(url, wish)
        except TimeoutError:
            host.failed, host.why = host.failed + 1, "took too long"
            raise ImageError("took too long; run again later") from None
        except _BROKEN as error:
            host.failed, host.why = host.failed + 1, _said(error)
            raise _LaterError(_said(error)) from error
        except _LaterError as later:
            if later.wait <= self.limits.longest_wait:  # the whole host is meant
                host.not_before = max(host.not_before, time.monotonic() + later.wait)
            host.failed = 0
            raise
        except ImageError:  # it did answer
            host.failed = 0
            raise
        finally:
            wish.seconds -= time.monotonic() - since
        host.failed = 0
        return answer

    async def _taken(self, url: httpx.URL, wish: _Wish) -> httpx.URL | None:
        idle = self.limits.idle_seconds
        timeout = {"connect": self.limits.connect_seconds, "read": idle, "write": idle}
        async with self._pool.stream(
            "GET",
            _core_url(url),
            headers=[*_HEADERS, ("Accept", "image/*" if wish.picture else "*/*")],
            extensions={"timeout": timeout},
        ) as response:
            status = _status(response)
            where = _header(response, b"location")
            if response.status in _REDIRECTS and where:
                return _joined(url, where)
            if response.status in _LATER:
                raise _LaterError(status, _retry_after(_header(response, b"retry-after")))
            if response.status != 200:
                raise ImageError(status)
            await _saved(response, wish)
            return None

    def _host(self, url: httpx.URL) -> _Host:
        if url.host not in self._hosts:
            self._hosts[url.host] = _Host(asyncio.Semaphore(self.limits.per_host))
        return self._hosts[url.host]


def _core_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )


def _joined(url: httpx.URL, where: str) -> httpx.URL:
    """Where a redirect leads; `ImageError` if that is no address."""
    try:
        return web_address(str(url.join(where)))
    except httpx.InvalidURL as error:
        raise ImageError(f"redirected to {shown(where)}: not a web address ({error})") from error


def _status(response: httpcore.Response) -> str:
    phrase = response.extensions.get("reason_phrase", b"").decode("ascii", "replace")
    return f"the server answered {response.status} {phrase}".strip()


def _header(response: httpcore.Response, name: bytes) -> str:
    """The first header of a name, in lower case; "" where there is none."""
    value = next((value for key, value in response.headers if key.lower() == name), b"")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


async def _saved(response: httpcore.Response, wish: _Wish) -> None:
    """Write what comes as long as it is what is wished for, within the limit."""
    head, size, most = b"", 0, wish.most
    with wish.into.open("wb") as file:
        async for data in _unpacked(response, most):
            size += len(data)
            if size > most:
                raise ImageError(f"larger than {_size(most)}; it was not read to its end")
            if wish.picture and len(head) < _HEAD:
                head += data[:_HEAD]
                _check_head(head)
            file.write(data)
    if not size:
        raise ImageError("the server sent an empty file")
    if wish.picture:
        _check_head(head, whole=True)


async def _unpacked(response: httpcore.Response, most: int) -> AsyncIterator[bytes]:
    """The body as it comes; packed by gzip, no more of it than the limit at a time."""
    packed = _header(response, b"content-encoding").strip().lower()
    if packed in ("", "identity"):
        async for chunk in response.aiter_stream():
            yield chunk
        return
    if packed not in ("gzip", "x-gzip"):
        raise ImageError(f"the server packed it ({packed[:20]}), which it was not asked to do")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    async for chunk in response.aiter_stream():
        try:
            yield unpacker.decompress(chunk, most + 1)
        except zlib.error as error:
            raise ImageError(f"the server packed it wrongly ({error})") from error
    if not unpacker.eof:
        raise _LaterError("the connection ended before the picture did")


def _check_head(head: bytes, *, whole: bool = False) -> None:
    """Refuse what does not begin like a picture as soon as that is known."""
    if (len(head) < _HEAD and not whole) or begins_like_picture(head):
        return
    if is_web_page(head):
        raise ImageError("the server sent a web page instead of a picture")
    raise ImageError(f"the server sent no picture: {looks_like(head)}")


def _retry_after(value: str) -> float:
    """Seconds that a Retry-After header asks for: a number or a date; 0 for what is neither."""
    try:
        return max(0.0, float(value)) if float(value) < 1e9 else 1e9
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _said(error: Exception) -> str:
    if isinstance(error, httpcore.ConnectTimeout):
        return "the server does not answer"
    if isinstance(error, httpcore.TimeoutException):
        return "the server stopped sending"
    if isinstance(error, httpcore.RemoteProtocolError | httpcore.ReadError):
        text = _one_line(error)
        return "the connection ended before the picture did" + (f" ({text})" if text else "")
    return f"no connection: {_one_line(error) or type(error).__name__}"


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count:,} bytes"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
