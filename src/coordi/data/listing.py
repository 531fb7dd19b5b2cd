"""What folders hold, by spelling: names that differ only as systems and people write them."""

import os
import re
import unicodedata
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from coordi.data.picturecells import PICTURE_SUFFIXES

_COMPARED = 500  # names of a folder that a missing one is compared with
_ALIKE = 0.85  # of their letters, for a suggestion

_Names = dict[str, list[str]]


def spelling_key(name: str) -> str:
    """A name without its spelling: Unicode form, case, percent-encoding, blanks around it."""
    return unicodedata.normalize("NFC", unquote(name)).casefold().strip()


@dataclass(frozen=True, slots=True)
class FolderListing:
    """Listings of folders by spelling, made when first asked for and kept."""

    _seen: dict[Path, tuple[_Names, _Names]] = field(default_factory=dict)
    _numbered: dict[Path, _Names] = field(default_factory=dict)

    def alike(self, folder: Path, name: PurePosixPath) -> list[Path]:
        """Paths below `folder` that are spelled nearly like `name`, folders within it included.

        Where no whole name is alike, pictures whose names differ in the suffix alone count, or
        lack it. Names that lead out of the folder are not looked for.
        """
        if name.is_absolute() or ".." in name.parts or not name.name:
            return []
        at = folder
        for part in name.parts[:-1]:
            inside = [part] if os.path.isdir(at / part) else self._folders(at, part)  # noqa: PTH112
            if len(inside) != 1:
                return []
            at = at / inside[0]
        names, stems = self._names(at)
        found = names.get(spelling_key(name.name)) or stems.get(spelling_key(_stem(name.name)), [])
        return [at / one for one in found if os.path.isfile(at / one)]  # noqa: PTH113

    def near_miss(self, folder: Path, name: PurePosixPath) -> Path | None:
        """The file below `folder` whose name differs from `name` by a letter or two, if any.

        Numbers must agree: IMG_0002.jpg is not what somebody meant by IMG_0001.jpg.
        """
        if name.is_absolute() or ".." in name.parts or not name.name:
            return None
        names, _ = self._names(at := folder / name.parent)
        if at not in self._numbered:
            self._numbered[at] = {}
            for key in names:
                self._numbered[at].setdefault(_numbers(key), []).append(key)
        wanted = spelling_key(name.name)
        like = self._numbered[at].get(_numbers(wanted), [])[:_COMPARED]
        near = get_close_matches(wanted, like, n=1, cutoff=_ALIKE)
        found = at / names[near[0]][0] if near else None
        return found if found and os.path.isfile(found) else None  # noqa: PTH113

    def _folders(self, folder: Path, name: str) -> list[str]:
        return self._names(folder)[0].get(spelling_key(name), [])

    def _names(self, folder: Path) -> tuple[_Names, _Names]:
        """Names in a folder by spelling, and names of its pictures without suffix."""
        if folder not in self._seen:
            names: _Names = {}
            stems: _Names = {}
            for name in _listed(folder):
                names.setdefault(spelling_key(name), []).append(name)
                if _stem(name) != name:
                    stems.setdefault(spelling_key(_stem(name)), []).append(name)
            self._seen[folder] = names, stems
        return self._seen[folder]


def _numbers(name: str) -> str:
    return " ".join(re.findall(r"\d+", name))


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names alone, for folders of a million
    except (OSError, ValueError):
        return []


def _stem(name: str) -> str:
    """A picture's name without its suffix; any other name as it is."""
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in PICTURE_SUFFIXES else name
