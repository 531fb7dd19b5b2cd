"""What `serve` and `demo` share: a bound socket, a warm engine, and the server around them."""

import errno
import socket
from typing import TYPE_CHECKING

import typer

from coordi.cli.output import Output
from coordi.errors import InputError

if TYPE_CHECKING:
    from coordi.engine import Engine
    from coordi.serve import Access

TRIES = 20
"""Ports above a taken one that are tried."""


def access_of(host: str, hosts: list[str] | None, origins: list[str] | None) -> "Access":
    """Who may ask: names by which the service goes, and pages of other origins."""
    from coordi.serve import Access

    bound = [] if host in ("", "0.0.0.0", "::") else [host]
    return Access.of([*bound, *(hosts or [])], origins or [])


def listen(host: str, port: int) -> socket.socket:
    """Bind a listening socket before anything slow happens, so that a taken port shows at once.

    Port 0 takes a free one. Raises `InputError` where the address cannot be had.
    """
    from coordi.serve import listen

    try:
        return listen(host, port)
    except OSError as error:
        reason = _reason(error, host, port)
        raise InputError(f"cannot listen on {host}:{port}: {reason}") from error


def listen_near(host: str, port: int) -> socket.socket:
    """Like `listen`, but where the port is taken, take the next free one."""
    try:
        return listen(host, port)
    except InputError as error:
        if not (isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE):
            raise
    return listen(host, _free_port(host, port) or 0)


def run_server(
    engine: "Engine", listener: socket.socket, host: str, out: Output, access: "Access"
) -> None:
    """Warm the engine, print the address and serve until a signal; leaves with its exit code."""
    from coordi.serve import Limits, create_app, make_server

    limits = Limits()
    app = create_app(engine, limits=limits, access=access)
    engine.warm()
    address = address_of(listener, host)
    out.json({"address": address, "items": engine.store.count(), "encoder": engine.encoder_name})
    out.text(f"{engine.store.count():,} items at {address} (Ctrl-C stops)")
    server = make_server(app, limits)
    server.run(sockets=[listener])
    if server.stopped_by is not None:
        raise typer.Exit(128 + server.stopped_by)


def address_of(listener: socket.socket, host: str) -> str:
    """The address to open in a browser."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{listener.getsockname()[1]}"


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        near = _free_port(host, port)
        choose = "--port 0 takes a free one" if near is None else f"--port {near} is free now"
        return f"the port is in use. Stop what runs there, or choose another: {choose}"
    if error.errno == errno.EACCES:
        return "not allowed. Choose a port above 1023, or --port 0 for any that is free"
    return f"{error.strerror or error}. Is --host an address of this machine?"


def _free_port(host: str, taken: int) -> int | None:
    """The next port above a taken one that can be had."""
    from coordi.serve import listen as bind

    for port in range(taken + 1, min(taken + TRIES, 65536)):
        try:
            bind(host, port).close()
        except OSError:
            continue
        return port
    return None
