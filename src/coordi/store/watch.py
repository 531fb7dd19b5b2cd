"""Tells in microseconds whether a store may have a newer commit."""

import os
import time
from pathlib import Path

from coordi.errors import StoreError
from coordi.store import seal

_SETTLED_NS = 50_000_000
"""A folder's time stamp this old cannot hide a second change within the clock's own tick."""

Stamp = tuple[int, int]
"""The folder's inode and its time of change in nanoseconds."""


class Watch:
    """Looks at the folder of seals: each commit renames a file into it, which changes its time.

    Nothing else has to be written, so a writer killed after a commit leaves nothing to heal, and
    a store that was made anew in the same place has another folder. A time younger than the
    clock's tick is not trusted: the next check looks again.
    """

    def __init__(self, table: Path) -> None:
        """Watch the table at `table`."""
        self._folder = str(table / seal.FOLDER)
        self._seen: Stamp | None = None

    def changed(self) -> bool:
        """Whether the folder differs from what `mark` saw; `StoreError` where it is gone."""
        return self.read() != self._seen

    def read(self) -> Stamp:
        """The folder as it is; read it before the seals in it."""
        try:
            found = os.stat(self._folder)  # noqa: PTH116 - pathlib doubles the cost
        except OSError as error:
            raise StoreError(
                f"the store is not there any more ({error.strerror}): its folder was removed or "
                "moved. Put it back, or make it anew: coordi ingest CATALOG"
            ) from error
        return found.st_ino, found.st_mtime_ns

    def mark(self, seen: Stamp) -> None:
        """Remember the stamp that was read before the seals were."""
        self._seen = seen if abs(time.time_ns() - seen[1]) > _SETTLED_NS else None
