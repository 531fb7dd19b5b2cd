"""One writer at a time: an operating-system lock that dies with its process."""

import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from coordi.artifacts import write_atomically
from coordi.errors import StoreError, StoreLockedError


class WriterLock:
    """The store folder's writer lock: re-entrant, shared by the threads of one process.

    The lock itself is the operating system's, so a killed writer frees it. A small file beside
    it names the holder, only so that an error can say who is writing.
    """

    def __init__(self, folder: Path, *, timeout: float = 1.0) -> None:
        """Guard `folder`; `timeout` is how many seconds to wait for another process."""
        from filelock import FileLock

        self._lock = FileLock(folder / "writer.lock", timeout=timeout, thread_local=False)
        self._holder = folder / "writer.json"
        self._threads = threading.RLock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; `StoreLockedError` names the process that has it instead."""
        with self._threads:
            self._acquire()
            try:
                yield
            finally:
                self._lock.release()

    def _acquire(self) -> None:
        from filelock import Timeout

        first = not self._lock.is_locked
        try:
            self._lock.acquire()
        except Timeout as error:
            message = f"another process is writing to {self._holder.parent}{self._describe()}"
            raise StoreLockedError(f"{message}. Wait until it is done, or stop it.") from error
        except OSError as error:
            message = f"cannot write to {self._holder.parent}: {error.strerror or error}"
            raise StoreError(message) from error
        if first:
            # The name is for people: a full disk must not keep anybody from deleting items.
            with contextlib.suppress(OSError):
                self._sign()

    def _sign(self) -> None:
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
        since = datetime.now(UTC).isoformat(timespec="seconds")
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
        write_atomically(self._holder, json.dumps({**holder, "command": command}))

    def _describe(self) -> str:
        try:
            holder = json.loads(self._holder.read_text(encoding="utf-8"))
            return (
                f" (process {holder['pid']} on {holder['host']} since {holder['since']}: "
                f"{holder['command']})"
            )
        except (OSError, ValueError, KeyError, TypeError):
            return ""
