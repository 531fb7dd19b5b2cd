"""From what the user typed to the tables that it names."""

import glob
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from coordi.data.readers.delimited import open_delimited
from coordi.data.readers.folder import is_image, open_folder, picture_table
from coordi.data.readers.hub import is_hub_name, open_hub
from coordi.data.readers.jsonlines import open_jsonlines
from coordi.data.readers.parquet import open_parquet
from coordi.data.readers.table import Table
from coordi.data.readers.workbook import open_workbook
from coordi.data.readers.xmlfeed import open_xml
from coordi.errors import CatalogError, NotFoundError
from coordi.types import Origin, Problem

KINDS: Mapping[str, str] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".xml": "xml",
    ".rss": "xml",
    ".atom": "xml",
}
"""File suffix → kind of catalogue."""

Reader = Callable[[Path, str | None], Table]
"""Opens a file; takes its encoding, None where that is to be found out."""

READERS: Mapping[str, Reader] = {
    "csv": open_delimited,
    "jsonl": open_jsonlines,
    "parquet": lambda path, _: open_parquet(path),
    "xlsx": lambda path, _: open_workbook(path),
    "xml": lambda path, _: open_xml(path),
}

_CONVERTIBLE: Mapping[str, str] = {
    ".xls": "an old Excel workbook; save it as .xlsx or CSV",
    ".ods": "a spreadsheet; save the sheet as CSV",
    ".zip": "an archive; unpack it first",
}
"""File suffix → what people have there, and how it becomes a catalogue."""

# In a folder of pictures these may lie about without being a catalogue.
_NOT_ALONE = frozenset({".txt", ".json"})


def kind_of(path: Path) -> str | None:
    """Kind of a catalogue file by its suffix, ".gz" behind it or not; None for other files."""
    packed = path.suffix.lower() == ".gz"
    kind = KINDS.get((path.with_suffix("") if packed else path).suffix.lower())
    return None if packed and kind in ("parquet", "xlsx") else kind


def open_tables(source: str, encoding: str | None = None) -> tuple[str, tuple[Table, ...]]:
    """Open a source → (kind, its tables): a file, a folder, a glob, or a hub dataset's name.

    `encoding` is that of its text files, None where it is to be found out.
    """
    _check_encoding(encoding)
    path = Path(source).expanduser()
    if path.is_dir():
        return _open_directory(path, encoding)
    if path.exists():
        return _open_files(source, [path], encoding)
    if glob.has_magic(source):
        names = glob.glob(str(path), recursive=True)  # noqa: PTH207 - takes absolute patterns
        return _open_files(source, sorted(map(Path, names)), encoding)
    if source.startswith("hf:") or (_like_hub_name(path) and is_hub_name(source)):
        return "huggingface", (open_hub(source),)
    raise NotFoundError(_missing(source, path))


def _check_encoding(encoding: str | None) -> None:
    try:
        if encoding is None or "x".encode(encoding):
            return
    except (LookupError, ValueError, TypeError):
        pass
    raise CatalogError(
        f"there is no encoding {encoding!r}; write one that Python knows, such as utf-8, cp1252, "
        "shift_jis or gb18030"
    )


def _open_directory(folder: Path, encoding: str | None) -> tuple[str, tuple[Table, ...]]:
    """Open a folder: its Parquet shards, else its one catalogue file, else its pictures."""
    files = sorted(path for path in folder.iterdir() if _is_catalog(path))
    shards = [path for path in files if kind_of(path) == "parquet"]
    if shards:
        return _open_files(str(folder), shards, encoding)
    tables = [path for path in files if path.suffix.lower() not in _NOT_ALONE]
    if len(tables) == 1:
        return _open_files(str(folder), tables, encoding)
    if tables:
        raise CatalogError(
            f"{folder} holds several catalogue files ({', '.join(p.name for p in tables)}); "
            "name one of them, or the folder that holds only pictures"
        )
    pictures = open_folder(folder)
    if not pictures.names:
        links = [f"links to folders, which are not followed: {', '.join(pictures.links)}"]
        said = "; ".join([*pictures.notes, *(links if pictures.links else ())])
        raise CatalogError(
            f"{folder} holds no catalogue file and no pictures" + (f" ({said})" if said else "")
        )
    return "folder", (pictures,)


def _open_files(
    source: str, files: Sequence[Path], encoding: str | None
) -> tuple[str, tuple[Table, ...]]:
    if not files:
        raise NotFoundError(f"no file matches {source}")
    if all(is_image(path.name) for path in files):
        return "folder", _loose_pictures(files)
    kinds = {kind_of(path) for path in files}
    kind = kinds.pop()
    if kind is None and not kinds and files[0].suffix.lower() in _CONVERTIBLE:
        raise CatalogError(f"{source} is {_CONVERTIBLE[files[0].suffix.lower()]}")
    if kind is None or kinds:
        raise CatalogError(
            f"{source}: cannot tell what kind of catalogue this is from the file's name; "
            f"give files of one kind, ending in {', '.join(KINDS)}, or a folder of pictures"
        )
    return kind, _read_all(READERS[kind], files, encoding)


def _read_all(reader: Reader, files: Sequence[Path], encoding: str | None) -> tuple[Table, ...]:
    """Open every file; one that cannot be read becomes a problem, unless no other can."""
    tables: list[Table] = []
    errors: list[CatalogError] = []
    for path in files:
        try:
            tables.append(reader(path, encoding))
        except CatalogError as error:
            errors.append(error)
            tables.append(_unreadable(path, error))
    if len(errors) == len(files):
        raise errors[0]
    return tuple(tables)


def _unreadable(path: Path, error: CatalogError) -> Table:
    problem = Problem(Origin(str(path)), str(error))
    return Table(path.parent, lambda _: iter((problem,)))


def _loose_pictures(files: Sequence[Path]) -> tuple[Table, ...]:
    folders: dict[Path, list[str]] = {}
    for path in files:
        folders.setdefault(path.parent, []).append(path.name)
    return tuple(picture_table(folder, tuple(names)) for folder, names in folders.items())


def _is_catalog(path: Path) -> bool:
    return kind_of(path) is not None and not path.name.startswith((".", "~$"))


def _like_hub_name(path: Path) -> bool:
    # A misspelt path is likelier than a dataset where its folder exists or it names a file.
    return not path.parent.exists() and kind_of(path) is None


def _missing(source: str, path: Path) -> str:
    if "://" in source:
        return f"{source} is an address; give --fetch to have it fetched, or download it first"
    if not path.parent.is_dir():
        return f"{path} is not there: there is no folder {path.parent}"
    near = get_close_matches(path.name, [other.name for other in path.parent.iterdir()], n=1)
    return f"{path} is not there" + (f"; did you mean {path.parent / near[0]}?" if near else "")
