"""From the image cell of a row to the places of its pictures' bytes."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from coordi.data.listing import FolderListing, spelling_key
from coordi.data.picturecells import (
    Entry,
    bare_path,
    entries,
    is_address,
    is_rarely_read,
    plain_parts,
)
from coordi.data.readers.folder import open_folder
from coordi.data.remote import beside, shown
from coordi.errors import ImageError
from coordi.types import ImageRef

if TYPE_CHECKING:
    from coordi.data.fetching import Fetcher

_HOST = re.compile(r"(?:[a-z][a-z0-9+.-]+:)?//[^/]*", re.IGNORECASE)
_SHOWN = 80  # characters of a cell that a message repeats


class Pictures(NamedTuple):
    """What the picture cell of a row led to."""

    found: tuple[ImageRef, ...]
    """In the cell's order: the first is the main one."""
    missing: tuple[str, ...] = ()
    """Why each of the others is not there, one line each."""
    first_missing: bool = False
    respelled: int = 0
    """How many were found under a name that differs in case, Unicode form or suffix."""
    expected: ImageRef | None = None
    """Where the first one should be, where none is found and it is named as a file."""


@dataclass(frozen=True, slots=True)
class PictureFinder:
    """Finds pictures in the catalogue's folder, or in a folder given for them."""

    folder: Path | None = None
    """The folder given with `images=`; the catalogue's own where None."""
    by_stem: Mapping[str, Path] = field(default_factory=dict)
    """File name without suffix → file: pictures that are named after their item's id."""
    by_key: Mapping[str, Path] = field(default_factory=dict)
    """The same by spelling, where one file alone is spelled so."""
    listing: FolderListing = field(default_factory=FolderListing, compare=False, repr=False)
    fetcher: "Fetcher | None" = None
    """Fetches pictures that are named by address; where None they are reported."""
    remote: str = ""
    """Address of the catalogue where it lies in a cloud store: pictures are beside it."""

    def addresses(self, cell: object) -> list[str]:
        """The addresses of a cell that are fetched when its pictures are looked for."""
        stated = (self._address(entry) for entry in entries(cell) if isinstance(entry, str))
        return [one for one in stated if one and not self._there_already(one)]

    def find(self, cell: object, base: Path) -> Pictures:
        """Find the pictures of a cell, those that are there and why the others are not."""
        if isinstance(cell, Mapping) and isinstance(cell.get("bytes"), bytes) and cell["bytes"]:
            return Pictures((ImageRef(data=cell["bytes"]),))
        whole = cell.strip() if isinstance(cell, str) else ""
        path = (self.folder or base) / whole
        if whole and not self._address(whole) and os.path.isfile(path):  # noqa: PTH113 - several times faster than Path.is_file
            return Pictures((ImageRef(path),))
        listed: tuple[Entry, ...] = entries(cell)
        if not listed:
            return Pictures((), (_nothing_in(cell),), first_missing=True)
        found = [self._find_one(entry, base) for entry in listed]
        if len(found) == 1 and isinstance(found[0], str) and isinstance(listed[0], str):
            parts = [self._find_one(name, base) for name in plain_parts(listed[0])]
            if any(isinstance(part, _Found) for part in parts):
                found = parts
        return _gathered(found)._replace(expected=self._expected(listed[0], base))

    def find_by_id(self, id_: str) -> Pictures:
        """Find the picture that is named after an item's id."""
        if path := self.by_stem.get(id_):
            return Pictures((ImageRef(path),))
        if path := self.by_key.get(_id_key(id_)):
            return Pictures((ImageRef(path),), respelled=1)
        reason = _one_line(f"no image: {self.folder} has no file {id_}.*")
        return Pictures((), (reason,), first_missing=True)

    def _find_one(self, entry: Entry, base: Path) -> "_Found | str":
        if isinstance(entry, bytes):
            return _Found(ImageRef(data=entry))
        folder = self.folder or base
        address = self._address(entry)
        if address and not self._there_already(entry):
            return self._fetched(address)
        if is_address(entry) and self.folder is None and not entry.lower().startswith("file:"):
            return (
                f"the image is a URL ({shown(entry)}): give --fetch to have such fetched, or "
                "download it to a folder and give that with --images"
            )
        if path := self._exact(entry, folder):
            return _Found(ImageRef(path))
        near = self._near(entry, folder)
        if len(near) == 1:
            return _Found(ImageRef(near[0]), respelled=True)
        return self._missing(entry, folder, near)

    def _address(self, entry: str) -> str:
        """The address that an entry is fetched from, "" where it means a file."""
        if self.fetcher is None or _is_local(entry):
            return ""
        if is_address(entry):
            return entry
        return beside(self.remote, entry) if self.remote and self.folder is None else ""

    def _there_already(self, entry: str) -> bool:
        """Whether the folder given for pictures has the file of an address."""
        return self.folder is not None and self._exact(entry, self.folder) is not None

    def _fetched(self, address: str) -> "_Found | str":
        if self.fetcher is None:
            raise AssertionError("only with a fetcher is there an address to fetch")
        try:
            return _Found(ImageRef(self.fetcher.path(address)))
        except ImageError as error:
            return f"image {error}"

    def _expected(self, entry: Entry, base: Path) -> ImageRef | None:
        if isinstance(entry, bytes) or is_address(entry):
            return None
        return ImageRef((self.folder or base) / entry.replace("\\", "/"))

    def _missing(self, name: str, folder: Path, near: list[Path]) -> str:
        if is_address(name):
            return (
                f"the image is a URL ({shown(name)}): give --fetch to have such fetched, or "
                f"download it to {folder}"
            )
        if near:
            hint = f"; several are alike: {', '.join(path.name for path in near)}"
        else:
            miss = self.listing.near_miss(folder, PurePosixPath(_spellings(name)[-1]))
            hint = f"; did you mean {miss}?" if miss else ""
        return f"image file {folder / name.replace(chr(92), '/')} is not there{hint}"

    def _exact(self, name: str, folder: Path) -> Path | None:
        """The file that a name means, by the letter or without what addresses add to it."""
        there = (path for path in self._places(name, folder) if os.path.isfile(path))  # noqa: PTH113
        return next(there, None)

    def _places(self, name: str, folder: Path) -> Iterator[Path]:
        """Where the file of a name may be, likeliest first."""
        if not is_address(name):
            yield folder / name
        elif name.lower().startswith("file:"):
            yield Path("/" + unquote(_HOST.sub("", name, count=1)).lstrip("/"))
        for path in _spellings(name):
            yield folder / path
            if self.folder is not None:
                parts = PurePosixPath(path).parts
                for start in range(1, len(parts)):
                    yield self.folder.joinpath(*parts[start:])

    def _near(self, name: str, folder: Path) -> list[Path]:
        """Files whose path differs from a name in spelling only, by its last part if need be."""
        path = PurePosixPath(_spellings(name)[-1])
        near = self.listing.alike(folder, path)
        if not near and self.folder is not None and len(path.parts) > 1:
            near = self.listing.alike(folder, PurePosixPath(path.name))
        return near


class _Found(NamedTuple):
    ref: ImageRef
    respelled: bool = False


def _is_local(entry: str) -> bool:
    """Whether an entry means a file of this machine whatever else: a file: address, a drive."""
    return entry.lower().startswith("file:") or re.match(r"[A-Za-z]:[\\/]", entry) is not None


def _gathered(found: list["_Found | str"]) -> Pictures:
    there = [one for one in found if isinstance(one, _Found)]
    refs = tuple(one.ref for one in there)
    return Pictures(
        refs if len(refs) < 2 else tuple(dict.fromkeys(refs)),
        tuple(_one_line(one) for one in found if isinstance(one, str)),
        first_missing=isinstance(found[0], str),
        respelled=sum(one.respelled for one in there),
    )


def _spellings(name: str) -> list[str]:
    """Paths below a folder that a name may mean, most literal first.

    A backslash may be part of a name: only where there is no such file is it Windows's.
    """
    path = _HOST.sub("", name, count=1) if is_address(name) else name
    path = path.replace("\\", "/").lstrip("/")
    inside = [path, bare_path(path), unquote(path), unquote(bare_path(path))]
    if is_address(name):
        inside = [_without_climbing(one) for one in inside]
    return list(dict.fromkeys(one for one in inside if one)) or [name]


def _without_climbing(path: str) -> str:
    """A path of an address, which says nothing about folders here: no "..", no root."""
    return "/".join(part for part in path.split("/") if part not in ("", ".", ".."))


def file_name(cell: object) -> str:
    """Path of the first picture that an image cell states, "" where it states none by name."""
    return next((entry for entry in entries(cell) if isinstance(entry, str)), "")


def has_address(cell: object) -> bool:
    """Whether a cell states a picture by its address."""
    return any(isinstance(entry, str) and is_address(entry) for entry in entries(cell))


def find_pictures(images: Path | None, *, by_id: bool) -> PictureFinder:
    """Make the finder for a folder of pictures; `by_id` where no column names the files."""
    if images is None or not by_id:
        return PictureFinder(images)
    stems: dict[str, Path] = {}
    alike: dict[str, list[Path]] = {}
    for name in sorted(open_folder(images).names, key=is_rarely_read):
        stem = PurePosixPath(name).stem
        stems.setdefault(stem, images / name)
        alike.setdefault(_id_key(stem), []).append(images / name)
    keys = {key: paths[0] for key, paths in alike.items() if len(paths) == 1}
    return PictureFinder(images, stems, keys)


def _id_key(id_: str) -> str:
    """Spelling of an id without what spreadsheets lose: leading zeros, and case."""
    key = spelling_key(id_)
    return key.lstrip("0") or key


def _nothing_in(cell: object) -> str:
    if cell in (None, "", b"", [], (), {}) or (isinstance(cell, str) and not cell.strip()):
        return "no image: the cell is empty"
    if isinstance(cell, Mapping) and not any(cell.values()):
        return "no image: the cell is empty"
    return (
        f"no image: the cell holds no path, address or bytes of a picture ({_short(repr(cell))}); "
        'write "a.jpg", ["a.jpg", …] or {"path": "a.jpg"}'
    )


def _one_line(reason: str) -> str:
    return " ".join(reason.splitlines())


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
