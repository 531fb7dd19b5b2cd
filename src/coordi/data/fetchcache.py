"""Fetched files by their address: complete or not there at all, also after `kill -9`."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import xxhash

_PARTS = "parts"
_OLD = 3600.0  # seconds after which a part belongs to a process that was killed


@dataclass(frozen=True, slots=True)
class FetchCache:
    """A folder of fetched files, each named after the hash of its address."""

    folder: Path

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
    def writing(self, address: str) -> Iterator[Path]:
        """A path to write to; it takes its place when the block ends well, and goes if not."""
        path = self.path(address)
        parts = self.folder / _PARTS
        part = parts / f"{path.parent.name}{path.name}.{os.getpid()}"
        parts.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            path.parent.mkdir(exist_ok=True)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove the parts that killed processes left; a living one's are never that old."""
        for part in (self.folder / _PARTS).glob("*"):
            with suppress(OSError):
                if time.time() - part.stat().st_mtime > _OLD:
                    part.unlink()
