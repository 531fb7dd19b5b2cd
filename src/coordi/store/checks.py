"""Are the table's files what was written? Each is read once, and again whenever it changed."""

import json
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from coordi.artifacts import checksum, write_atomically
from coordi.errors import StoreDamagedError
from coordi.store.seal import VERIFY, FileSum, signed, unsigned

Mark = tuple[int, int, int, int]
"""(inode, size, time of change of the content, of the inode), in nanoseconds: a file whose mark
is as it was has not been written to since."""


class Checks:
    """Which files of a table were found to be as sealed, and by which mark.

    The marks are kept on disk, so that the next process reads only what is new: a bit that flips
    in the medium itself, behind the file system's back, is `coordi verify`'s to find.
    """

    def __init__(self, table: Path, memory: Path) -> None:
        """Check files of `table`; `memory` is the file of known marks."""
        self._table, self._memory = table, memory
        self._known: dict[str, tuple[Mark, str]] | None = None
        self._lock = threading.Lock()

    def ensure(self, files: Mapping[str, FileSum]) -> None:
        """Raise `StoreDamagedError` for the first file that is not as sealed."""
        if self._look(files):
            self._keep(files)

    def still(self, names: Iterable[str], files: Mapping[str, FileSum]) -> None:
        """The same for some of the files, which were ensured before; costs a look at each."""
        self._look({name: files[name] for name in names})

    def legible(self) -> bool:
        """Whether the marks on disk are as they were written, or none are there."""
        return not self._memory.exists() or _load(self._memory) is not None

    def learn(self, name: str) -> FileSum:
        """Read a file that was just written, down to the disk: this is how it must stay."""
        path = self._table / name
        with path.open("rb") as file:
            os.fsync(file.fileno())
        before, found = mark(path), file_sum(path)
        known = self._marks()
        with self._lock:
            known[name] = before, found.checksum
        return found

    def _look(self, files: Mapping[str, FileSum]) -> bool:
        """Read what is not known to be as sealed; whether there was any."""
        known = self._marks()
        fresh = {
            name: self._read(name, want)
            for name, want in files.items()
            if not self._is_known(name, want, known)
        }
        with self._lock:
            known.update(fresh)
        return bool(fresh)

    def _is_known(self, name: str, want: FileSum, known: Mapping[str, tuple[Mark, str]]) -> bool:
        found = known.get(name)
        if found is None or found[1] != want.checksum:
            return False
        try:
            return mark(self._table / name) == found[0]
        except OSError:
            return False

    def _read(self, name: str, want: FileSum) -> tuple[Mark, str]:
        path = self._table / name
        try:
            before = mark(path)
            found = FileSum(before[1], checksum(path))
        except OSError as error:
            raise StoreDamagedError(
                f"{name} of the store cannot be read: {error.strerror or error}. {VERIFY}"
            ) from error
        if found != want:
            raise StoreDamagedError(f"{name} of the store is not as it was written. {VERIFY}")
        return before, found.checksum

    def _marks(self) -> dict[str, tuple[Mark, str]]:
        with self._lock:
            if self._known is None:
                self._known = _load(self._memory) or {}
            return self._known

    def _keep(self, files: Mapping[str, FileSum]) -> None:
        """Remember on disk, where that can be written; it only saves time."""
        with self._lock:
            assert self._known is not None
            kept = {name: self._known[name] for name in self._known if name in files}
            text = signed(json.dumps(kept))
        try:
            self._memory.parent.mkdir(exist_ok=True)
            write_atomically(self._memory, text)
        except OSError:
            return


def mark(path: Path) -> Mark:
    """What changes whenever a file is written to."""
    found = os.stat(path)  # noqa: PTH116 - called for every file of every answer
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def file_sum(path: Path) -> FileSum:
    """Size and checksum of a file as it is."""
    return FileSum(path.stat().st_size, checksum(path))


def _load(memory: Path) -> dict[str, tuple[Mark, str]] | None:
    """Marks of an earlier process; None where they are absent or damaged."""
    try:
        marks = json.loads(unsigned(memory.read_text("utf-8")))
        return {
            str(name): ((int(m[0]), int(m[1]), int(m[2]), int(m[3])), str(found))
            for name, (m, found) in marks.items()
        }
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
