"""A bare folder of pictures, or a list of picture files."""

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from coordi.data.picturecells import is_picture_name
from coordi.data.readers.table import Record, Table
from coordi.types import Origin, Problem

_STARTS = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*"),
    *(b"\0\0\0\x0cjP  ", b"8BPS", b"\0\0\0\x0cJXL "),
)
"""First bytes of pictures, for files whose names say nothing."""

_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heif", b"mif1", b"msf1")

_LITTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
"""What systems leave in folders; not worth a word, like hidden files."""


@dataclass(slots=True, kw_only=True)
class FolderTable(Table):
    """Pictures by path, sorted."""

    names: tuple[str, ...]
    """Paths relative to `folder`, with "/"."""
    links: tuple[str, ...] = ()
    """Links to folders, which are not followed."""
    aside: Mapping[str, int] = field(default_factory=dict)
    """Suffix → files that are no pictures."""


def picture_table(folder: Path, names: tuple[str, ...], links: tuple[str, ...] = ()) -> FolderTable:
    """A table of pictures below a folder; where there are folders within, they become a column."""
    columns = ("image", "folder") if any("/" in name for name in names) else ("image",)
    rows = partial(_records, folder, columns, names, links)
    return FolderTable(folder, rows, columns, names=names, links=links)


def _records(
    folder: Path,
    columns: tuple[str, ...],
    names: tuple[str, ...],
    links: tuple[str, ...],
    _without: Collection[str],
) -> Iterator[Record | Problem]:
    """Stream one record per picture, and a problem for every linked folder."""
    for name in names:
        values = zip(columns, (name, name.rpartition("/")[0]), strict=False)
        yield Record(Origin(str(folder / name)), dict(values))
    for name in links:
        yield _linked(folder / name)


def _linked(link: Path) -> Problem:
    target = link.resolve()
    reason = (
        f"a link to the folder {target}; links to folders are not followed: ingest {target} "
        "itself, or move it here"
    )
    return Problem(Origin(str(link)), reason, rows=0)


def open_folder(folder: Path) -> FolderTable:
    """List the pictures below a folder: by their suffix, or else by their first bytes.

    Hidden files and folders are passed over; other files that are no pictures are counted in a
    note.
    """
    names: list[str] = []
    links: list[str] = []
    aside: Counter[str] = Counter()
    for at, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _is_litter(name)]
        place = Path(at).relative_to(folder)
        links += [(place / f).as_posix() for f in folders if (Path(at) / f).is_symlink()]
        for name in files:
            if is_image(name) or (not _is_litter(name) and _starts_as_picture(Path(at) / name)):
                names.append((place / name).as_posix())
            elif not _is_litter(name):
                aside[Path(name).suffix.lower() or "without suffix"] += 1
    table = picture_table(folder, tuple(sorted(names)), tuple(sorted(links)))
    table.notes, table.aside = _left_aside(aside), dict(aside)
    return table


def _left_aside(aside: Counter[str]) -> tuple[str, ...]:
    if not aside:
        return ()
    counts = ", ".join(f"{count:,} {suffix}" for suffix, count in sorted(aside.items()))
    return (f"left aside, being no pictures: {counts}",)


def is_image(name: str) -> bool:
    """Whether a file's name says that it is a picture, also of a kind that nothing here reads."""
    return not _is_litter(name) and is_picture_name(name)


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _LITTER


def _starts_as_picture(path: Path) -> bool:
    """Whether a regular file's first bytes are those of a picture."""
    if not os.path.isfile(path):  # noqa: PTH113 - a pipe would be waited for
        return False
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError:
        return False
    riff = start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    return riff or start.startswith(_STARTS) or (start[4:8] == b"ftyp" and start[8:12] in _BRANDS)
