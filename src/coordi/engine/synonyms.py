"""A shop's own synonyms: a file that was given, or the one kept in the store's folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from coordi.artifacts import write_atomically

if TYPE_CHECKING:
    from coordi.store import Snapshot
    from coordi.tasks.synonyms import Synonyms

NAME = "synonyms.txt"


class ShopSynonyms:
    """Reads the list again when its file changes, so that an edited one counts at once."""

    def __init__(self, folder: Path, given: Path | None) -> None:
        """`given` goes before the file in the store's `folder`."""
        self._own, self._given = folder / NAME, given
        self._known: tuple[tuple[int, int] | None, Synonyms | None] = (None, None)

    def at(self, at: "Snapshot") -> "Synonyms | None":
        """The list; None where there is none. Raises `InputError` where it cannot be used."""
        from coordi.tasks.synonyms import read_synonyms

        path = self._given or self._own
        try:
            found = path.stat()
        except FileNotFoundError:
            return None if self._given is None else read_synonyms(path, at.words())
        mark = (found.st_mtime_ns, found.st_size)
        if self._known[0] != mark:
            self._known = mark, read_synonyms(path, at.words())
        return self._known[1]

    def keep(self, file: Path, at: "Snapshot") -> int:
        """Put a list into the store's folder, once it is known to be one → its entries."""
        from coordi.tasks.synonyms import read_synonyms

        found = read_synonyms(file, at.words())
        write_atomically(self._own, file.read_text("utf-8-sig"))
        return len(found.also)
