"""Read files that a catalogue names, and nothing else: regular files, bounded, within roots.

What a catalogue calls a picture may be a link to a password file, a device without an end, or a
pipe that nobody writes to; and it may become one between two readings. So every reading starts
anew: resolve, compare with the roots, open without following links, ask the opened file itself
what and where it is, and read no more than a limit.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from coordi.errors import ImageError

MAX_BYTES = 256 * 1024 * 1024
"""Largest picture file that is read."""

# O_NONBLOCK: opening a pipe must not wait for its writer. Systems without a flag lack its danger.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_OPENED = Path("/proc/self/fd")
_CHUNK = 1 << 20


def read_file(path: Path, *, limit: int | None = None, name: str = "") -> bytes:
    """Read a regular file that the user names, wherever it is, following links.

    `limit` is the most bytes that are read (default `MAX_BYTES`); `name` is what messages call
    the file, its path by default. Raises `ImageError` for what is missing, unreadable, larger,
    or no regular file.
    """
    return _read(str(path), _FLAGS | _BINARY, None, limit, name or str(path))


def read_within(
    path: Path,
    roots: Sequence[Path],
    *,
    limit: int | None = None,
    head: int | None = None,
    name: str = "",
) -> bytes:
    """Read a regular file whose real place is within one of `roots`; else as `read_file`.

    Links may lead to a file as long as they end within the roots. The file that was opened is
    asked for its place again, so that one swapped for a link in between is noticed. With `head`
    only so many bytes are read.
    """
    name = name or str(path)
    real = resolve_within(path, roots, name=name)
    return _read(str(real), _FLAGS | _NO_LINK | _BINARY, resolved(roots), limit, name, head)


def resolve_within(path: Path, roots: Sequence[Path], *, name: str = "") -> Path:
    """The real place of a file, links resolved; `ImageError` where it is outside of `roots`."""
    real = _real(path)
    if not _inside(real, resolved(roots)):
        raise ImageError(outside(name or str(path)))
    return real


def resolved(roots: Sequence[Path]) -> tuple[str, ...]:
    """Where the roots really are now: a root may itself be a link, or have become one."""
    return tuple(os.path.realpath(root) for root in roots)


def outside(name: str) -> str:
    """What is said of a file outside of the roots."""
    return f"{name} is outside of the folders that pictures may be read from"


class Fence:
    """Tells quickly, for many files of few folders, whether they are within the roots.

    For a first look at the rows of a catalogue: each folder is resolved once. Reading checks anew.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        """Resolve the roots, once."""
        self._roots = resolved(roots)
        self._folders: dict[str, str] = {}

    def place(self, path: Path) -> Path | None:
        """The real place of a file that is outside of the roots; None where it is within."""
        folder, base = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = str(_real(Path(folder)))
        real = os.path.join(self._folders[folder], base)  # noqa: PTH118 - a row each: it is quicker
        if base in ("", ".", "..") or os.path.islink(real):  # noqa: PTH114
            real = str(_real(Path(real)))
        return None if _inside(real, self._roots) else Path(real)


def _real(path: Path) -> Path:
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError) as error:  # a NUL within; a folder that may not be looked into
        raise ImageError(f"cannot read {path}: {_reason(error)}") from error


def _inside(real: Path | str, roots: Sequence[str]) -> bool:
    return any(str(real).startswith(root.rstrip(os.sep) + os.sep) for root in roots)


def _read(
    path: str,
    flags: int,
    roots: Sequence[str] | None,
    limit: int | None,
    name: str,
    head: int | None = None,
) -> bytes:
    limit = MAX_BYTES if limit is None else limit
    try:
        # Before it is opened: with a device, opening may already do something.
        _check(os.stat(path), limit, name)  # noqa: PTH116 - with the open file below, one kind
        handle = os.open(path, flags)
        try:
            _check(os.fstat(handle), limit, name)
            if roots is not None and not _inside(_place(handle, path), roots):
                raise ImageError(outside(name))
            return _bounded(handle, limit, name) if head is None else os.read(handle, head)
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot read {name}: {_reason(error)}") from error


def _check(status: os.stat_result, limit: int, name: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(f"cannot read {name}: it is {_kind(status.st_mode)}, not a file")
    if status.st_size > limit:
        raise ImageError(_too_large(name, limit, f"is {status.st_size >> 20} MiB"))


def _too_large(name: str, limit: int, size: str) -> str:
    return f"{name} {size}; pictures above {limit >> 20} MiB are not read"


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def _place(handle: int, path: str) -> str:
    """Where an open file really is. Systems that cannot say answer for its path, resolved anew."""
    try:
        return str((_OPENED / str(handle)).readlink())
    except OSError:
        real = os.path.realpath(path)
        same = os.path.samestat(os.stat(real), os.fstat(handle))  # noqa: PTH116
        return real if same else ""


def _bounded(handle: int, limit: int, name: str) -> bytes:
    """Read to the end, or say that there is none within the limit: a file may grow meanwhile."""
    parts: list[bytes] = []
    left = limit + 1
    while left > 0 and (part := os.read(handle, min(left, _CHUNK))):
        parts.append(part)
        left -= len(part)
    if left <= 0:
        raise ImageError(_too_large(name, limit, "grew while it was read"))
    return b"".join(parts)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
