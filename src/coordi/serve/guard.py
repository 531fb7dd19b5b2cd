"""The outermost layer: security headers on every answer, and no trace in any of them."""

import asyncio
import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coordi.serve.errors import Broken, error_response, failure_response

log = logging.getLogger("coordi.serve")

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "geolocation=(), microphone=(), camera=()",
}
_RAW = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

STOPPING = "The service is stopping."


class Guard:
    """ASGI middleware: adds `HEADERS`, answers HEAD as GET without a body, catches the rest."""

    def __init__(self, app: ASGIApp, broken: Broken) -> None:
        self.app = app
        self.broken = broken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; an unforeseen error becomes a plain answer and a line in the log."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False
        head = scope["method"] == "HEAD"

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], *_RAW]
            elif head:
                message = {**message, "body": b""}
            await send(message)

        try:
            await self.app({**scope, "method": "GET"} if head else scope, receive, guarded)
        except ClientDisconnect:
            log.debug("client left: %s", scope["path"])
        except asyncio.CancelledError:
            # The server stops and has waited long enough.
            if not started:
                await error_response(503, "busy", STOPPING)(scope, receive, guarded)
        except Exception as error:
            asked = f"{scope['method']} {scope['path']}"
            response = await failure_response(error, asked, self.broken)
            if not started:
                await response(scope, receive, guarded)
