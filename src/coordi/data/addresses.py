"""Web addresses as catalogues state them, and which of them are never asked.

A catalogue may name any address, also one within the network of the machine that reads it: a
router, a cloud's metadata service, a database without a password. So a name is resolved once, each
of its addresses is looked at, and the connection is made to what was looked at: a name that means
something else a moment later changes nothing. It is done where connections are opened, so that
redirects cannot go around it.
"""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

import httpcore
import httpx

from coordi.errors import ImageError, one_line

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port → the numeric addresses of the host."""

T = TypeVar("T")

_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def web_address(text: str) -> httpx.URL:
    """Read an address of a catalogue or a redirect: http or https, without what follows a "#".

    Blanks and letters of any alphabet are encoded as browsers do; "//host/a.jpg" means https.
    Raises `ImageError` for other schemes, names with a password, and what is no address.
    """
    text = text.strip()
    try:
        url = httpx.URL(f"https:{text}" if text.startswith("//") else text)
        host = url.host  # decoded only now
    except (httpx.InvalidURL, ValueError) as error:
        raise ImageError(f"not a web address ({one_line(error)})") from error
    if url.port is not None and not 0 < url.port < 65536:
        raise ImageError(f"not a web address (there is no port {url.port})")
    if url.scheme not in ("http", "https"):
        raise ImageError(f"{url.scheme}: addresses are not fetched, only http and https")
    if not host:
        raise ImageError("the address names no host")
    if url.userinfo:
        raise ImageError("the address holds a user's name or password; such are not fetched")
    return url.copy_with(fragment=None)


def is_public(numeric: str) -> bool:
    """Whether a numeric address is one of the open internet, also where it is wrapped in another.

    False for private, loopback, link-local, multicast, reserved, unspecified and carrier-grade NAT
    addresses, and for those mapped (::ffff:…), 6to4 (2002:…) or NAT64 (64:ff9b::…) into IPv6.
    """
    try:
        address = _unwrapped(ipaddress.ip_address(numeric.partition("%")[0]))
    except ValueError:
        return False
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    return address.version == 4 or address in _UNICAST


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for; else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address


async def in_thread(work: Callable[[], T]) -> T:
    """Run what blocks in a thread that neither an interruption nor the end of the program waits
    for, as they do for those of an executor.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, daemon=True, name="coordi-fetching").start()
    return await future


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system for the numeric addresses of a host."""
    found = await in_thread(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    return list(dict.fromkeys(str(where[0]) for *_, where in found))


class Guard(httpcore.AsyncNetworkBackend):
    """Opens connections to addresses that were looked at, and to no others."""

    def __init__(self, *, private: bool = False, resolver: Resolver = resolve) -> None:
        """`private` lets every address through; `resolver` replaces the system's."""
        self._private, self._resolve = private, resolver
        self._inner = httpcore.AnyIOBackend()
        self._known: dict[tuple[str, int], Sequence[str]] = {}

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first of a host's addresses that answers; `ImageError` if it may not."""
        error: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in await self._addresses(host, port):
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: pictures come from the web."""
        raise ImageError(f"{path} is a socket of this machine; pictures are not fetched from it")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        """The numeric addresses of a host, each of them allowed; asked for once."""
        if (host, port) not in self._known:
            self._known[host, port] = await self._looked_at(host, port)
        return self._known[host, port]

    async def _looked_at(self, host: str, port: int) -> Sequence[str]:
        name = host.strip("[]").rstrip(".").lower()
        if not self._private and (name == "localhost" or name.endswith(".localhost")):
            raise ImageError(_refused(host, ""))
        try:
            found = [name] if _is_numeric(name) else await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            said = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise httpcore.ConnectError(f"the name {host} is not known ({said})") from error
        inside = [address for address in found if not is_public(address)]
        if inside and not self._private:
            raise ImageError(_refused(host, inside[0]))
        return found


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _refused(host: str, address: str) -> str:
    really = f" ({address})" if address and address != host else ""
    return (
        f"{host}{really} is no address of the open internet; if pictures are meant to come from "
        "your own network: --fetch-private"
    )
