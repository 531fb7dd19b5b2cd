"""A `coordi serve` to be attacked: started, asked, watched, and stopped whatever happens."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

import torture

START_S = 90
EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, or the name of what went wrong instead of one, and the body."""

    status: int | str
    body: bytes = b""


@dataclass
class Watch:
    """What was seen of a server while it was attacked."""

    slowest: float = 0.0
    """Seconds of the slowest answer to /v1/ready."""
    unready: int = 0
    """Answers of /v1/ready other than 200."""
    peak_bytes: int = 0
    """Resident memory of the process and all its descendants."""


class Server:
    """A process group that serves a store; a context manager that ends it."""

    def __init__(self, store: Path, secrets: Sequence[str] = ()) -> None:
        """`secrets` are texts that no answer may hold; those that one does are in `leaks`."""
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.leaks: set[str] = set()
        self._secrets = secrets
        command = [*torture.COORDI, "serve", "--store", str(store), "--port", str(self.port)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
        self._said: list[bytes] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self._said += self.process.stderr

    def __enter__(self) -> Self:
        ready = torture.until(
            lambda: self.ask("GET", "/v1/ready").status == 200 or self.process.poll() is not None,
            START_S,
        )
        if not ready or self.process.poll() is not None:
            self.end()
            raise RuntimeError(f"coordi serve does not start: {b''.join(self._said).decode()}")
        self.leaks.clear()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        """Kill it and everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(5)

    def connect(self) -> socket.socket:
        """A connection for what no HTTP library would send."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        limit: float = 10,
    ) -> Answer:
        """One request on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=limit)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            answer = Answer(response.status, response.read())
        except (OSError, HTTPException) as error:
            return Answer(type(error).__name__)
        finally:
            connection.close()
        self.leaks |= {secret for secret in self._secrets if secret.encode() in answer.body}
        return answer

    @contextmanager
    def watched(self) -> Iterator[Watch]:
        """Poll /v1/ready and the memory five times a second meanwhile."""
        watch, done = Watch(), threading.Event()
        jobs = [
            threading.Thread(target=self._poll, args=(watch, done)),
            threading.Thread(target=self._weigh, args=(watch, done)),
        ]
        for job in jobs:
            job.start()
        try:
            yield watch
        finally:
            done.set()
            for job in jobs:
                job.join()

    def _poll(self, watch: Watch, done: threading.Event) -> None:
        while not done.wait(EVERY_S):
            began = time.monotonic()
            watch.unready += self.ask("GET", "/v1/ready", limit=15).status != 200
            watch.slowest = max(watch.slowest, time.monotonic() - began)

    def _weigh(self, watch: Watch, done: threading.Event) -> None:
        while not done.wait(EVERY_S):
            watch.peak_bytes = max(watch.peak_bytes, tree_bytes(self.process.pid))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def multipart(fields: dict[str, bytes], picture: bytes | None) -> tuple[bytes, str]:
    """A form's body and its content type."""
    line = b"--torture"
    parts = [
        b'%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        % (line, name.encode(), value)
        for name, value in fields.items()
    ]
    if picture is not None:
        head = b'Content-Disposition: form-data; name="image"; filename="x"'
        kind = b"Content-Type: application/octet-stream"
        parts.append(b"%s\r\n%s\r\n%s\r\n\r\n%s\r\n" % (line, head, kind, picture))
    return b"".join(parts) + line + b"--\r\n", "multipart/form-data; boundary=torture"


def tree_bytes(pid: int) -> int:
    """Resident memory of a process and all its descendants (Linux)."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _read(entry / "stat")):
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        pages = _read(Path(f"/proc/{one}/statm")).split()
        total += int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if pages else 0
        waiting += parents.get(one, [])
    return total


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
