"""What `serve` and `demo` share: a bound socket, a warm engine, and uvicorn around them."""

import contextlib
import errno
import socket
from typing import TYPE_CHECKING

from coordi.cli.output import Output
from coordi.errors import InputError

if TYPE_CHECKING:
    from coordi.engine import Engine


def listen(host: str, port: int) -> socket.socket:
    """Bind a listening socket before anything slow happens, so that a taken port shows at once.

    Port 0 takes a free one. Raises `InputError` where the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(f"cannot listen on {host}:{port}: {_reason(error)}") from error


def listen_near(host: str, port: int, tries: int = 20) -> socket.socket:
    """Like `listen`, but where the port is taken, take one of the next `tries`."""
    for candidate in range(port, min(port + tries, 65536)):
        try:
            return listen(host, candidate)
        except InputError as error:
            if not _is_taken(error.__cause__):
                raise
    return listen(host, 0)


def run_server(engine: "Engine", listener: socket.socket, host: str, out: Output) -> None:
    """Warm the engine, print the address and serve until Ctrl-C or a termination signal."""
    import uvicorn

    from coordi.serve import create_app

    app = create_app(engine)
    engine.warm()
    address = address_of(listener, host)
    out.json({"address": address, "items": engine.store.count(), "encoder": engine.encoder_name})
    out.text(f"{engine.store.count():,} items at {address} (Ctrl-C stops)")
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    # uvicorn closes down in good order on Ctrl-C and then raises it once more.
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def address_of(listener: socket.socket, host: str) -> str:
    """The address to open in a browser."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{listener.getsockname()[1]}"


def _is_taken(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EADDRINUSE


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is in use. Stop what runs there, or choose another: --port 8001"
    if error.errno == errno.EACCES:
        return "not allowed. Choose a port above 1023: --port 8000"
    return f"{error.strerror or error}. Is --host an address of this machine?"
