"""Open a catalogue of any kind and stream its items, with a problem for every row left out."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from coordi.data.columns import Column, read_columns, remarks_on
from coordi.data.dates import iso
from coordi.data.exports import ExportTable, as_export
from coordi.data.fieldtypes import Kind, convert, plain, text
from coordi.data.guessing import further_columns, guess_roles
from coordi.data.mapping import TEXT_ROLES, field_names, merge_mapping
from coordi.data.pictures import PictureFinder, Pictures, file_name, find_pictures
from coordi.data.picturesource import (
    FROM_FILE_NAME,
    FROM_ID,
    FROM_ROW_NUMBER,
    PictureSource,
)
from coordi.data.plaintext import plain_text
from coordi.data.pricecolumns import CURRENCY, add_prices, price_of, read_prices
from coordi.data.prices import PriceNotation, is_empty_price
from coordi.data.readers.table import Record, Table
from coordi.data.remote import is_remote
from coordi.data.sources import open_tables
from coordi.errors import CatalogError, NotFoundError
from coordi.types import FieldValue, ImageRef, Item, Origin, Problem

if TYPE_CHECKING:
    from coordi.data.fetching import Fetcher

GIVEN = "given"
BY_EXPORT = "as such exports have it"


@dataclass(slots=True)
class Seen:
    """What the latest pass over the rows found; it is complete when the pass is."""

    further: int = 0
    """Pictures kept beside the main ones."""
    respelled: int = 0
    """Pictures found under names that differ in case, Unicode form or suffix."""
    unread: int = 0
    """Rows that could not be read at all, so that nobody knows which items they list."""
    folded: int = 0
    """Rows that went into the item of another row, as the sizes of one picture do."""


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
    """Rows, also those that will turn out to be problems or go into the items of others."""
    notes: tuple[str, ...]
    """What to tell the user about how the files were read."""
    unused: frozenset[str]
    """Columns of picture bytes other than the mapped one; they are not read."""
    tables: tuple[Table, ...]
    finder: PictureFinder
    known_by: dict[str, str] = field(default_factory=dict)
    """Role → what its column was recognised by: "by its name", "by its values" or "given"."""
    prices: dict[str, PriceNotation] = field(default_factory=dict)
    """Columns of prices that are no plain numbers → how they are written."""
    further: tuple[str, ...] = ()
    """Columns with further pictures, beside that of the main one."""
    dates: dict[str, str] = field(default_factory=dict)
    """Columns of dates → the order of year, month and day in them."""
    exports: tuple[ExportTable, ...] = ()
    """Tables whose rows are folded into items."""
    seen: Seen = field(default_factory=Seen, compare=False)

    @property
    def folded(self) -> int:
        """Rows that go into the item of another row."""
        return sum(export.folded for export in self.exports)

    def rows(self) -> Iterator[Item | Problem]:
        """Stream the rows in the order of the files.

        A row without id or image, with a missing image file, an id that an earlier item has,
        or nothing in it, is a `Problem`. So is, with `rows` 0 and behind its item, what an item
        went in without: a further picture, a price. Pictures are looked for here and decoded
        later.
        """
        self.seen.further = self.seen.respelled = self.seen.unread = 0
        ids: dict[str, Origin] = {}
        number = 0
        for table in self.tables:
            for record in table.records(self.unused):
                self.seen.folded = self.folded
                if isinstance(record, Problem):
                    number += record.rows
                    self.seen.unread += record.rows
                    yield record
                    continue
                number += 1
                row, asides = self._item(record, table.folder, number)
                if isinstance(row, Item):
                    row = _first_of_id(row, record.origin, ids)
                yield row
                if isinstance(row, Item):
                    yield from asides

    def remarks(self) -> tuple[str, ...]:
        """What the latest pass over the rows did that the user should know of."""
        said: list[str] = []
        if self.seen.further:
            listed = " and ".join((self.mapping["image"], *self.further))
            said.append(
                f"column {listed} lists several pictures: the first is the main one, "
                f"{self.seen.further:,} further ones are kept"
            )
        said += [remark for export in self.exports if (remark := export.remark)]
        if self.seen.respelled:
            said.append(
                f"{self.seen.respelled:,} pictures were found under names that are spelled "
                "otherwise (case, accents or suffix)"
            )
        if self.finder.fetcher is not None:
            said += self.finder.fetcher.remarks()
        return tuple(said)

    def unknown(self, listed: Collection[str]) -> str:
        """Why the latest pass does not tell what the catalogue no longer lists; "" if it does."""
        if self.seen.unread:
            return (
                f"nothing was pruned: {self.seen.unread:,} rows could not be read, and what they "
                "list is not known; mend the file and run again"
            )
        if not listed:
            return (
                "nothing was pruned: the catalogue lists no items at all; if that is meant, "
                "delete the store"
            )
        return ""

    def _item(
        self, record: Record, folder: Path, number: int
    ) -> tuple[Item | Problem, list[Problem]]:
        values = record.values
        if all(_is_empty(value) for value in values.values()):
            return Problem(record.origin, "the row is empty"), []
        id_ = self._id(values, number)
        if not id_:
            what, source = self._id_source()
            return Problem(record.origin, f"no {what}: the cell is empty", column=source), []
        pictures = self._pictures(values, id_, folder)
        title, description = self._words(values, "title"), self._words(values, "description")
        if pictures is None and not title:
            reason = "no title: the cell is empty"
            return Problem(record.origin, reason, id_, self.mapping["title"]), []
        fields, unread = self._fields(values)
        main, more = self._kept(pictures)
        item = Item(id_, main, title, description, fields, record.origin, more)
        if pictures is not None and not pictures.found:
            reason, column = _none_there(pictures), self.mapping.get("image")
            row = item if main else None
            return Problem(record.origin, reason, id_, column, item=row), []
        if pictures is not None and pictures.missing:
            unread.append((self.mapping["image"], _some_missing(pictures)))
        return item, [
            Problem(record.origin, reason, id_, column, rows=0) for column, reason in unread
        ]

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

    def _pictures(self, values: Mapping[str, object], id_: str, folder: Path) -> Pictures | None:
        column = self.mapping.get("image")
        if column is None:
            return None
        if column == FROM_ID:
            return self.finder.find_by_id(id_)
        cells = [values.get(name) for name in (column, *self.further)]
        filled = [cell for cell in cells if not _is_empty(cell)]
        return self.finder.find(filled if len(filled) > 1 else (filled or cells)[0], folder)

    def _kept(self, pictures: Pictures | None) -> tuple[ImageRef | None, tuple[ImageRef, ...]]:
        """The main picture and the further ones; where none is there, the place of the first."""
        if pictures is None or not pictures.found:
            return pictures and pictures.expected, ()
        self.seen.further += len(pictures.found) - 1
        self.seen.respelled += pictures.respelled
        return pictures.found[0], pictures.found[1:]

    def _fields(
        self, values: Mapping[str, object]
    ) -> tuple[dict[str, FieldValue], list[tuple[str, str]]]:
        """The fields of a row, and (column, what is wrong) of prices that are none."""
        fields: dict[str, FieldValue] = {}
        unread: list[tuple[str, str]] = []
        for name, column in self.fields.items():
            value = plain(values.get(column))
            notation = self.prices.get(column)
            if notation is None:
                order = self.dates.get(column)
                if order and isinstance(value, str):
                    value = iso(value, order) or value
                fields[name] = convert(value, self.field_types[name])
                continue
            amount, currency = price_of(value, notation)
            fields[name] = currency if name == CURRENCY else amount
            if amount is None and value is not None and name != CURRENCY:
                shown = text(value)
                if not is_empty_price(shown):
                    reason = f"{name} {shown[:40]!r} is no price; the item goes in without it"
                    unread.append((column, reason))
        return fields, unread

    def _words(self, values: Mapping[str, object], role: str) -> str:
        column = self.mapping.get(role)
        return "" if column is None else plain_text(text(plain(values.get(column)))).strip()


def open_catalog(
    source: str | Path,
    *,
    mapping: Mapping[str, str] | None = None,
    images: Path | None = None,
    fetch: "Fetcher | None" = None,
    encoding: str | None = None,
) -> Catalog:
    """Open a catalogue: a file, a folder, a glob of files, or the name of a hub dataset.

    With `fetch`, pictures that are named by address are fetched, ahead of the rows that `rows`
    gives, and `source` may be an address too (https://, s3://, gs://).

    `encoding` is that of its text files, which is found out unless it is given.

    `mapping` is role → column and overrules what is guessed from the columns' names and values;
    `images` is the folder that image paths are relative to, instead of the catalogue's own. All
    rows are read once, without pictures, to find the columns' types.

    Raises `NotFoundError`, `CatalogError` where the source cannot be read at all or has neither
    images nor titles, and `MappingError` where `mapping` does not fit the columns.
    """
    if images is not None and not images.is_dir():
        raise NotFoundError(f"{images} is not a folder; give the folder of the pictures")
    given = mapping or {}
    opened = str(source) if fetch is None else fetch.catalog(str(source))
    kind, tables = open_tables(opened, encoding)
    if kind in ("csv", "jsonl", "xlsx", "xml"):
        tables = tuple(as_export(table, given.values()) for table in tables)
    exports = tuple(table for table in tables if isinstance(table, ExportTable))
    columns, count = read_columns(tables)
    pictures = tuple(dict.fromkeys(name for table in tables for name in table.pictures))
    looking = PictureSource(columns, pictures, tables, images, fetch is not None)
    guessed = guess_roles(columns, pictures, looking.resolves)
    for export in exports:
        stated = {role: c for role, c in export.roles.items() if c in columns}
        free = {r: one for r, one in guessed.items() if one[0] not in stated.values()}
        guessed = free | {role: (column, BY_EXPORT) for role, column in stated.items()}
    roles = merge_mapping({role: one for role, (one, _) in guessed.items()}, given, tuple(columns))
    roles = looking.complete(roles, given)
    if "image" not in roles and "title" not in roles:
        raise CatalogError(
            f"{source} has no column that looks like an image or a title. Columns: "
            f"{', '.join(columns) or 'none'}. Say which: --map image=COLUMN or --map title=COLUMN"
        )
    further: list[str] = []
    if roles.get("image") in columns and not pictures and "image" not in given:
        further = further_columns(columns, roles.values())
    fields = field_names((c for c in columns if c not in (*pictures, *further)), roles)
    types = _types(fields, columns)
    prices, said = read_prices(tables, columns, roles)
    said += add_prices(fields, types, prices, columns, roles)
    catalog = Catalog(
        source=str(source),
        kind=kind,
        mapping=roles,
        fields=fields,
        field_types=types,
        count=count + sum(export.folded for export in exports),
        notes=(
            *(note for table in tables for note in table.notes),
            *looking.notes(roles, given, further),
            *said,
            *(
                remark
                for name, column in fields.items()
                if name not in TEXT_ROLES and column not in prices
                for remark in remarks_on(column, columns[column])
            ),
        ),
        unused=frozenset(pictures) - {roles.get("image", "")},
        tables=tables,
        finder=find_pictures(images, by_id=roles.get("image") == FROM_ID),
        known_by=_known_by(roles, given, guessed if kind != "folder" else {}),
        prices=prices,
        further=tuple(further),
        exports=exports,
        dates={name: min(c.orders) for name, c in columns.items() if c.kind == "date"},
    )
    return catalog if fetch is None else _fetching(catalog, fetch)


def _fetching(catalog: Catalog, fetcher: "Fetcher") -> Catalog:
    """The catalogue whose pictures named by address are fetched ahead of its rows."""
    from coordi.data.fetching import fetching  # httpx: only who fetches waits for it

    remote = catalog.source if is_remote(catalog.source) else ""
    finder = replace(catalog.finder, fetcher=fetcher, remote=remote)
    column = catalog.mapping.get("image", "")
    tables = tuple(
        fetching(table, fetcher.want, finder.addresses, (column, *catalog.further))
        if column and column not in table.pictures
        else table
        for table in catalog.tables
    )
    return replace(catalog, finder=finder, tables=tables)


def _known_by(
    roles: Mapping[str, str], given: Mapping[str, str], guessed: Mapping[str, tuple[str, str]]
) -> dict[str, str]:
    """What each role's column was recognised by; roles that no column plays are left out."""
    return {
        role: GIVEN if given.get(role) else guessed[role][1]
        for role, column in roles.items()
        if given.get(role) or guessed.get(role, ("",))[0] == column
    }


def _types(fields: Mapping[str, str], columns: Mapping[str, Column]) -> dict[str, Kind]:
    return {
        name: "text" if name in TEXT_ROLES else columns[column].kind or "text"
        for name, column in fields.items()
    }


def _none_there(pictures: Pictures) -> str:
    more = len(pictures.missing) - 1
    return pictures.missing[0] + (f" (nor are its {more} other pictures)" if more else "")


def _some_missing(pictures: Pictures) -> str:
    there, gone = len(pictures.found), len(pictures.missing)
    said = f"{gone} of {there + gone} pictures not used: {pictures.missing[0]}"
    promoted = "; the first one that is there is the main one" if pictures.first_missing else ""
    return said + promoted


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
