"""What a request may cost: bytes, pixels, time and turns; bodies are counted as they arrive."""

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coordi.serve.errors import BUSY, error_response

FORM_BYTES = 64 * 1024
"""Room for the words and numbers of a form besides its picture."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may cost, and how many may be under way."""

    upload_bytes: int = 10_000_000
    """Bytes of an uploaded picture."""
    upload_pixels: int = 50_000_000
    """Width times height of an uploaded picture."""
    page: int = 100
    """Items in one answer."""
    searches: int = 64
    """Searches that may wait for their turn; one more is told to come again."""
    photos: int = 16
    """Searches by photo that may wait for their turn."""
    pictures: int = 128
    """Pictures of the catalogue that may wait to be read."""
    patience_seconds: float = 5.0
    """How long a request waits for its turn."""
    connections: int = 512
    """Open connections; one more is told to come again."""
    head_bytes: int = 65_536
    """A request's address and headers."""
    head_seconds: float = 8.0
    """From a request's first byte, or a new connection, to the end of its head."""
    body_seconds: float = 30.0
    """From there to the end of its body."""
    idle_seconds: int = 15
    """An open connection without a request."""
    stall_seconds: float = 20.0
    """An answer of which nothing is read."""
    uploading_bytes: int = 200_000_000
    """Bytes of all bodies under way together."""
    kept: int = 256
    """Photos that are kept for searches by an id; the longest unused makes room for a new one."""
    kept_bytes: int = 64_000_000
    """Bytes of them together, as they are kept: small JPEGs."""
    kept_seconds: float = 3600.0
    """How long each is kept."""

    def too_large(self) -> str:
        """The sentence for an upload over the byte limit."""
        return f"The picture is larger than {self.upload_bytes / 1e6:g} MB. Send a smaller one."


class BodyLimit:
    """ASGI middleware that stops reading a body as soon as it is too large, or too slow.

    A body within the limits is handed on whole, so that a client which hangs up midway leaves
    no half-read form behind: the application is then never called.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self.limits = limits
        self.most = limits.upload_bytes + FORM_BYTES
        self.held = 0
        """Bytes of the bodies under way."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, drop or hand on one request."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        body = bytearray()
        try:
            refusal = await self._fill(body, scope, receive)
            if refusal is None:
                await self.app(scope, _replay(bytes(body), receive), send)
            else:
                refusal.headers["connection"] = "close"
                await refusal(scope, receive, send)
        except ClientDisconnect:
            pass
        finally:
            self.held -= len(body)

    async def _fill(self, body: bytearray, scope: Scope, receive: Receive) -> Response | None:
        """Read into `body`; an answer where it cannot be taken. `ClientDisconnect` if it ends."""
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdigit() and (len(announced) > 18 or int(announced) > self.most):
            return self._too_large()
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                return await self._read(body, receive)
        except TimeoutError:
            return error_response(408, "timeout", "The request's body did not arrive in time.")

    async def _read(self, body: bytearray, receive: Receive) -> Response | None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk = message.get("body", b"")
            body += chunk
            self.held += len(chunk)
            more = message.get("more_body", False)
            if len(body) > self.most:
                return self._too_large()
            if self.held > self.limits.uploading_bytes:
                return error_response(503, "busy", BUSY)
        return None

    def _too_large(self) -> Response:
        return error_response(413, "too_large", self.limits.too_large(), "image")


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` first and what comes after it then."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
