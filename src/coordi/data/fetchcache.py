"""Fetched files by their address: complete or not there at all, also after `kill -9`."""

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import xxhash
from filelock import BaseFileLock, FileLock, Timeout

_PARTS = "parts"
_LOCK = ".lock"
_OLD = 3600.0  # seconds after which a lock without a folder belongs to nobody


@dataclass(slots=True)
class FetchCache:
    """A folder of fetched files, each named after the hash of its address.

    What is not whole yet lies in a folder of this process below `parts/`, beside a lock that the
    system frees when the process ends, however it ends: so others know what nobody will finish.
    """

    folder: Path
    _own: Path | None = field(default=None, init=False)
    _lock: BaseFileLock | None = field(default=None, init=False)

    @staticmethod
    def key(address: str) -> str:
        """The name of an address: 32 hex digits."""
        return xxhash.xxh3_128_hexdigest(address.encode("utf-8", "surrogatepass"))

    def path(self, address: str) -> Path:
        """Where the file of an address is, or will be."""
        key = self.key(address)
        return self.folder / key[:2] / key[2:]

    def has(self, address: str) -> bool:
        """Whether it is there; a file that a power failure left empty is not."""
        try:
            return os.stat(self.path(address)).st_size > 0  # noqa: PTH116 - one call a picture
        except OSError:
            return False

    @contextmanager
    def writing(self, path: Path) -> Iterator[Path]:
        """A path to write to; it takes its place when the block ends well, and goes if not."""
        part = self._parts() / uuid.uuid4().hex
        try:
            yield part
            path.parent.mkdir(parents=True, exist_ok=True)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove what killed processes left unfinished; what living ones write stays."""
        for lock in (self.folder / _PARTS).glob(f"*{_LOCK}"):
            own = lock.with_suffix("")
            with suppress(OSError, Timeout):
                # Without its folder yet, it may be a process's that begins.
                if own.is_dir() or time.time() - lock.stat().st_mtime > _OLD:
                    with FileLock(lock, timeout=0):
                        shutil.rmtree(own, ignore_errors=True)
                        lock.unlink()

    def close(self) -> None:
        """Free what this process wrote into."""
        if self._own is not None and self._lock is not None:
            shutil.rmtree(self._own, ignore_errors=True)
            self._lock.release()
            Path(self._lock.lock_file).unlink(missing_ok=True)
            self._own = self._lock = None

    def _parts(self) -> Path:
        """The folder of what this process has not finished."""
        if self._own is None:
            own = self.folder / _PARTS / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
            own.parent.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(own.with_name(own.name + _LOCK), thread_local=False)
            self._lock.acquire()
            own.mkdir()
            self._own = own
        return self._own
