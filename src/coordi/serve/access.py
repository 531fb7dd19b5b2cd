"""Who may ask: the Host that a request names, and the web page that sends it.

A page of another site can make a browser post to 127.0.0.1, and can read the answers once its own
name is made to lead there (DNS rebinding). So a request must name a host that the service goes by,
and a page that sends one must come from the service itself or from an origin that was allowed.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coordi.errors import InputError
from coordi.serve.errors import error_response

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})

WRONG_HOST = "The service does not go by this name. Whoever runs it can allow it: --allow-host NAME"
FORBIDDEN = (
    "Pages of other sites may not ask this service. Whoever runs it can allow one: "
    "--allow-origin ORIGIN"
)

PREFLIGHT = {
    "access-control-allow-methods": "GET, HEAD, POST",
    "access-control-allow-headers": "content-type, if-none-match",
    "access-control-allow-private-network": "true",
    "access-control-max-age": "600",
}
EXPOSED = "etag, retry-after, x-coordi-token"

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.%]+\]|[^\[\]:/@\s]+)(?::(?P<port>\d{1,5}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Access:
    """Names that the service goes by besides this machine's own, and pages that may ask it."""

    hosts: frozenset[str] = frozenset()
    """Names or addresses without a port."""
    origins: frozenset[str] = frozenset()
    """Such as "https://shop.example" or "http://localhost:5173"."""

    @classmethod
    def of(cls, hosts: list[str], origins: list[str]) -> "Access":
        """From what a command line gives. Raises `InputError` for what can be neither."""
        return cls(frozenset(map(_host, hosts)), frozenset(map(_origin, origins)))


def _host(text: str) -> str:
    address = text if text.count(":") < 2 or text.startswith("[") else f"[{text}]"
    match = _HOST.fullmatch(address.lower())
    if match is None or match["port"]:
        raise InputError(f"{text!r} is no host name; give it without scheme and port: shop.example")
    return match["name"].strip("[]")


def _origin(text: str) -> str:
    parts = urlsplit(text.lower().rstrip("/"))
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
        raise InputError(f"{text!r} is no origin; give scheme and host: https://shop.example")
    return f"{parts.scheme}://{parts.netloc}"


class Door:
    """ASGI middleware that lets in whom `Access` allows, and answers preflights of those."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse or hand on one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not self._knows_host(headers.getlist("host"), scope):
            await error_response(421, "wrong_host", WRONG_HOST)(scope, receive, send)
            return
        origin = ", ".join(headers.getlist("origin")).lower()
        if not self._may_ask(headers, origin, scope):
            await error_response(403, "forbidden", FORBIDDEN)(scope, receive, send)
            return
        if origin not in self.access.origins:
            await self.app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await Response(None, 204, _cors(origin) | PREFLIGHT)(scope, receive, send)
        else:
            await self.app(scope, receive, _with_cors(send, origin))

    def _knows_host(self, given: list[str], scope: Scope) -> bool:
        match = _HOST.fullmatch(given[0].lower()) if len(given) == 1 else None
        if match is None:
            return False
        name = match["name"].strip("[]")
        # The address that the connection came in at is no name that could be rebound.
        own = (scope.get("server") or ("", None))[0]
        return name in LOCAL or name in self.access.hosts or name == str(own).lower()

    def _may_ask(self, headers: Headers, origin: str, scope: Scope) -> bool:
        if origin:
            authority = origin.partition("://")[2]
            return origin in self.access.origins or authority == headers["host"].lower()
        if not scope["path"].startswith("/v1/"):
            return True
        # Pictures and links of other pages have no Origin, but browsers say where they come from.
        site = headers.get("sec-fetch-site", "none").lower()
        followed = headers.get("sec-fetch-mode") == "navigate" and scope["method"] != "POST"
        if site in ("none", "same-origin") or followed:
            return True
        referrer = urlsplit(headers.get("referer", "").lower())
        return f"{referrer.scheme}://{referrer.netloc}" in self.access.origins


def _cors(origin: str) -> dict[str, str]:
    return {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": EXPOSED,
        "vary": "origin",
    }


def _with_cors(send: Send, origin: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_cors(origin))
        await send(message)

    return sending
