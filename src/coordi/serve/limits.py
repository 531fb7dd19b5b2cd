"""What a request may cost: bytes, pixels and page length, enforced while the bytes arrive."""

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coordi.serve.errors import error_response

FORM_BYTES = 64 * 1024
"""Room for the words and numbers of a form besides its picture."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a request may be."""

    upload_bytes: int = 10_000_000
    """Bytes of an uploaded picture."""
    upload_pixels: int = 50_000_000
    """Width times height of an uploaded picture."""
    page: int = 100
    """Items in one answer."""

    def too_large(self) -> str:
        """The sentence for an upload over the byte limit."""
        return f"The picture is larger than {self.upload_bytes / 1e6:g} MB. Send a smaller one."


class BodyLimit:
    """ASGI middleware that stops reading a body as soon as it is too large.

    A body within the limit is handed on whole, so that a client which hangs up midway leaves
    no half-read form behind: the application is then never called.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self.limits = limits
        self.most = limits.upload_bytes + FORM_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, drop or hand on one request."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        over = announced.isdigit() and int(announced) > self.most
        body = bytearray()
        more = not over
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.most:
                over, more = True, False
        if over:
            response = error_response(413, "too_large", self.limits.too_large(), "image")
            response.headers["connection"] = "close"
            await response(scope, receive, send)
            return
        await self.app(scope, _replay(bytes(body), receive), send)


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
