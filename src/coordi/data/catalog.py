"""Open a catalogue of any kind and stream its items, with a problem for every row left out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from coordi.data.fieldtypes import Kind, convert, kind_of, plain, text, widen
from coordi.data.mapping import TEXT_ROLES, field_names, guess_mapping, merge_mapping
from coordi.data.pictures import PictureFinder, file_name, find_pictures
from coordi.data.readers.table import Record, Table
from coordi.data.sources import open_tables
from coordi.errors import CatalogError, NotFoundError
from coordi.types import FieldValue, ImageRef, Item, Origin, Problem

FROM_FILE_NAME = "(file name)"
FROM_ROW_NUMBER = "(row number)"
FROM_ID = "(files named after ids)"
"""What a mapping says where a role is taken from no column."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """A catalogue whose columns are understood; `rows` may be called several times."""

    source: str
    kind: str
    """"csv", "jsonl", "parquet", "huggingface" or "folder"."""
    mapping: dict[str, str]
    """Role → column, or where else the role is taken from, in parentheses."""
    fields: dict[str, str]
    """Field → the column it comes from."""
    field_types: dict[str, Kind]
    count: int | None
    """Rows, including those that will turn out to be problems."""
    notes: tuple[str, ...]
    """What to tell the user about how the files were read."""
    unused: frozenset[str]
    """Columns of picture bytes other than the mapped one; they are not read."""
    tables: tuple[Table, ...]
    finder: PictureFinder

    def rows(self) -> Iterator[Item | Problem]:
        """Stream the rows in the order of the files.

        A row without id or image, with a missing image file, an id that an earlier item has,
        or nothing in it, is a `Problem`. Pictures are looked for here and decoded later.
        """
        seen: dict[str, Origin] = {}
        number = 0
        for table in self.tables:
            for record in table.records(self.unused):
                number += 1
                if isinstance(record, Problem):
                    yield record
                    continue
                row = self._item(record, table.folder, number)
                if isinstance(row, Item):
                    row = _first_of_id(row, record.origin, seen)
                yield row

    def _item(self, record: Record, folder: Path, number: int) -> Item | Problem:
        values = record.values
        if all(_is_empty(value) for value in values.values()):
            return Problem(record.origin, "the row is empty")
        id_ = self._id(values, number)
        if not id_:
            what, column = self._id_source()
            return Problem(record.origin, f"no {what}: the cell is empty", column=column)
        image = self._image(values, id_, folder)
        fields: dict[str, FieldValue] = {
            name: convert(plain(values.get(column)), self.field_types[name])
            for name, column in self.fields.items()
        }
        title, description = self._words(values, "title"), self._words(values, "description")
        if isinstance(image, str):
            row = Item(id_, None, title, description, fields, record.origin)
            return self._without_picture(row, image, record, folder)
        if image is None and not title:
            return Problem(record.origin, "no title: the cell is empty", id_, self.mapping["title"])
        return Item(id_, image, title, description, fields, record.origin)

    def _without_picture(self, row: Item, reason: str, record: Record, folder: Path) -> Problem:
        """The problem of a row whose picture is not there, with the row where it names a file."""
        column = self.mapping.get("image")
        image = self.finder.expected(record.values.get(column or ""), folder)
        item = None if image is None else replace(row, image=image)
        return Problem(record.origin, reason, row.id, column, item=item)

    def _id_source(self) -> tuple[str, str]:
        """What the id is read from: (what that is, its column)."""
        if self.mapping["id"] == FROM_FILE_NAME:
            return "image", self.mapping["image"]
        return "id", self.mapping["id"]

    def _id(self, values: Mapping[str, object], number: int) -> str:
        if self.mapping["id"] == FROM_ROW_NUMBER:
            return f"row-{number}"
        if self.mapping["id"] != FROM_FILE_NAME:
            return text(plain(values.get(self.mapping["id"])))
        return file_name(values.get(self.mapping["image"])).replace("\\", "/")

    def _image(self, values: Mapping[str, object], id_: str, folder: Path) -> ImageRef | str | None:
        column = self.mapping.get("image")
        if column is None:
            return None
        if column == FROM_ID:
            return self.finder.find_by_id(id_)
        return self.finder.find(values.get(column), folder)

    def _words(self, values: Mapping[str, object], role: str) -> str:
        column = self.mapping.get(role)
        return "" if column is None else text(plain(values.get(column)))


def open_catalog(
    source: str | Path,
    *,
    mapping: Mapping[str, str] | None = None,
    images: Path | None = None,
) -> Catalog:
    """Open a catalogue: a file, a folder, a glob of files, or the name of a hub dataset.

    `mapping` is role → column and overrules what is guessed from the columns' names; `images`
    is the folder that image paths are relative to, instead of the catalogue's own. All rows
    are read once, without pictures, to find the columns' types.

    Raises `NotFoundError`, `CatalogError` where the source cannot be read at all or has neither
    images nor titles, and `MappingError` where `mapping` does not fit the columns.
    """
    if images is not None and not images.is_dir():
        raise NotFoundError(f"{images} is not a folder; give the folder of the pictures")
    kind, tables = open_tables(str(source))
    columns, count = _scan(tables)
    pictures = tuple(dict.fromkeys(name for table in tables for name in table.pictures))
    guessed = guess_mapping(tuple(columns), pictures)
    roles = merge_mapping(guessed, mapping or {}, tuple(columns))
    roles = _complete(roles, pictures, images)
    if "image" not in roles and "title" not in roles:
        raise CatalogError(
            f"{source} has no column that looks like an image or a title. Columns: "
            f"{', '.join(columns) or 'none'}. Say which: --map image=COLUMN or --map title=COLUMN"
        )
    fields = field_names((c for c in columns if c not in pictures), roles)
    return Catalog(
        source=str(source),
        kind=kind,
        mapping=roles,
        fields=fields,
        field_types=_types(fields, columns),
        count=count,
        notes=tuple(note for table in tables for note in table.notes),
        unused=frozenset(pictures) - {roles.get("image", "")},
        tables=tables,
        finder=find_pictures(images, by_id=roles.get("image") == FROM_ID),
    )


def _scan(tables: tuple[Table, ...]) -> tuple[dict[str, Kind | None], int]:
    """Read all rows without their pictures → (type of every column, number of rows)."""
    kinds: dict[str, Kind | None] = {name: None for table in tables for name in table.columns}
    count = 0
    for table in tables:
        for record in table.records(table.pictures):
            count += 1
            if isinstance(record, Problem):
                continue
            for column, value in record.values.items():
                known = kinds.setdefault(column, None)
                if known != "text":
                    kinds[column] = widen(known, kind_of(plain(value)))
    return kinds, count


def _types(fields: Mapping[str, str], columns: Mapping[str, Kind | None]) -> dict[str, Kind]:
    return {
        name: "text" if name in TEXT_ROLES else columns[column] or "text"
        for name, column in fields.items()
    }


def _complete(
    roles: dict[str, str], pictures: tuple[str, ...], images: Path | None
) -> dict[str, str]:
    """Say where id and image come from when no column gives them."""
    if "image" not in roles and "id" in roles and images is not None:
        roles = roles | {"image": FROM_ID}
    if "id" not in roles:
        named = "image" in roles and roles["image"] not in pictures
        roles = {"id": FROM_FILE_NAME if named else FROM_ROW_NUMBER} | roles
    return roles


def _first_of_id(item: Item, origin: Origin, seen: dict[str, Origin]) -> Item | Problem:
    first = seen.setdefault(item.id, origin)
    if first is origin:
        return item
    reason = f"id {item.id!r} is already that of {first}; every row needs an id of its own"
    return Problem(origin, reason, id=item.id)


def _is_empty(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(_is_empty(part) for part in value.values())
    return value is None or (isinstance(value, str | bytes) and not value.strip())
