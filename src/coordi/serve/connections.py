"""Connections that nobody can hold for ever, and a server that stops in bounded time.

uvicorn times only the idle time between two requests, and stops timing at the next byte. Here a
request's head has a deadline, an answer that nobody reads is dropped, the number of connections
is capped, and an upload under way does not hold up the end.
"""

import asyncio
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from coordi.serve.errors import BUSY, RETRY_SECONDS, error_body
from coordi.serve.limits import Limits

GRACE = 4
"""Seconds that answers under way have when the server stops."""

LAST = 8.0
"""Seconds after a signal at which the process ends, whatever a thread still does."""


class Connection(HttpToolsProtocol):
    """uvicorn's connection with deadlines for whoever is at its other end."""

    def __init__(self, *arguments: Any, limits: Limits, **named: Any) -> None:
        """As uvicorn makes it; `limits` has the deadlines and the most connections."""
        super().__init__(*arguments, **named)
        self.limits = limits
        self._head_bytes = 0
        self._head: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or refuse it where there are too many."""
        super().connection_made(transport)
        self._send_at_once()
        if len(self.connections) > self.limits.connections:
            self._refuse(503, "busy", BUSY)
        else:
            self._await_head()

    def data_received(self, data: bytes) -> None:
        """Read on; a request whose head has begun must be whole before its deadline."""
        if self._between_requests() and self._head is None:
            self._await_head()
        before = self.cycle
        super().data_received(data)
        if not self._between_requests():
            self._head_is_whole()
        elif self.cycle is before:
            self._count_head(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        self._head_is_whole()
        self._is_read()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The other end reads slower than it is written to."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """The other end has caught up."""
        self._is_read()
        super().resume_writing()

    def shutdown(self) -> None:
        """End after the answer under way; an upload that is not whole yet gets none."""
        if self.cycle is not None and not self.cycle.response_complete and self.cycle.more_body:
            self.transport.close()
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP in the one error shape."""
        self._refuse(400, "bad_request", msg)

    def _between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _send_at_once(self) -> None:
        """No waiting for fuller packets, however the listening socket was made."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _await_head(self) -> None:
        self._head = self.loop.call_later(self.limits.head_seconds, self._head_is_late)

    def _count_head(self, received: int) -> None:
        # The parser itself takes a head of any length.
        self._head_bytes += received
        if self._head_bytes > self.limits.head_bytes:
            self._refuse(431, "too_large", "The request's address and headers are too large.")

    def _head_is_whole(self) -> None:
        self._head_bytes = 0
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _head_is_late(self) -> None:
        self._head = None
        self._refuse(408, "timeout", "The request's head did not arrive in time.")

    def _await_reader(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(self.limits.stall_seconds, self._drop_unread, left)

    def _is_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _drop_unread(self, before: int) -> None:
        if self.transport.get_write_buffer_size() < before:
            self._await_reader()
        else:
            self.transport.abort()

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Send an error in the one shape and close, where the state of things still allows it."""
        if self.transport.is_closing():
            return
        if self._between_requests():
            body = json.dumps(error_body(code, message)).encode()
            headers = {
                "content-type": "application/json",
                "content-length": str(len(body)),
                "cache-control": "no-store",
                "connection": "close",
                **({"retry-after": RETRY_SECONDS} if status == 503 else {}),
            }
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
            self.transport.write(STATUS_LINE[status] + head + b"\r\n" + body)
        self.transport.close()


class Server(uvicorn.Server):
    """uvicorn's server; it keeps the signal that stopped it, and stops in bounded time."""

    stopped_by: int | None = None
    """The signal that asked for the end."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop in good order; at once when asked twice."""
        if self.stopped_by is not None:
            os._exit(128 + sig)
        self.stopped_by = sig
        # Python waits for threads at its end, and one may be in work that nobody can stop.
        last = threading.Timer(LAST, os._exit, (128 + sig,))
        last.daemon = True
        last.start()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while serving. uvicorn raises them anew afterwards; the caller exits."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        wanted = (signal.SIGINT, signal.SIGTERM)
        before = {sig: signal.signal(sig, self.handle_exit) for sig in wanted}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)


def make_server(app: ASGIApp, limits: Limits | None = None) -> Server:
    """A server of `app` with the deadlines of `limits`; run it with `run(sockets=[…])`."""
    limits = limits or Limits()
    config = uvicorn.Config(
        app,
        http=partial(Connection, limits=limits),  # type: ignore[arg-type]
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=GRACE,
    )
    return Server(config)


def listen(host: str, port: int) -> socket.socket:
    """Bind a listening socket; port 0 takes a free one. Raises `OSError`.

    asyncio turns off Nagle's algorithm only on sockets whose protocol is stated to be TCP, which
    `socket.create_server` leaves open; with it, each answer waits 40 ms for an acknowledgement.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(256)
    except BaseException:
        listener.close()
        raise
    return listener
