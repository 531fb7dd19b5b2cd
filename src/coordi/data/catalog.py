"""Open a catalogue of any kind and stream its items, with a problem for every row left out."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coordi.data.columns import Column, read_columns
from coordi.data.fieldtypes import Kind, convert, plain, text
from coordi.data.guessing import guess_roles, picture_columns
from coordi.data.mapping import TEXT_ROLES, field_names, merge_mapping
from coordi.data.pictures import PictureFinder, Pictures, file_name, find_pictures
from coordi.data.plaintext import plain_text
from coordi.data.prices import (
    PriceNotation,
    find_notation,
    is_empty_price,
    is_in_doubt,
)
from coordi.data.readers.table import Record, Table
from coordi.data.rolenames import USUAL_NAMES, bare
from coordi.data.sources import open_tables
from coordi.errors import CatalogError, NotFoundError
from coordi.types import FieldValue, ImageRef, Item, Origin, Problem

FROM_FILE_NAME = "(file name)"
FROM_ROW_NUMBER = "(row number)"
FROM_ID = "(files named after ids)"
"""What a mapping says where a role is taken from no column."""

GIVEN = "given"
CURRENCY = "currency"
"""Field that holds the currency of a price column whose cells state one."""

TRIED = 20
"""Pictures of a column that are looked for to find out whether they are there at all."""


@dataclass(slots=True)
class Seen:
    """What the latest pass over the rows found; it is complete when the pass is."""

    further: int = 0
    """Pictures kept beside the main ones."""
    respelled: int = 0
    """Pictures found under names that differ in case, Unicode form or suffix."""
    unread: int = 0
    """Rows that could not be read at all, so that nobody knows which items they list."""


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
    known_by: dict[str, str] = field(default_factory=dict)
    """Role → what its column was recognised by: "by its name", "by its values" or "given"."""
    prices: dict[str, PriceNotation] = field(default_factory=dict)
    """Columns of prices that are no plain numbers → how they are written."""
    seen: Seen = field(default_factory=Seen, compare=False)

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
            said.append(
                f"column {self.mapping['image']} lists several pictures: the first is the main "
                f"one, {self.seen.further:,} further ones are kept"
            )
        if self.seen.respelled:
            said.append(
                f"{self.seen.respelled:,} pictures were found under names that are spelled "
                "otherwise (case, accents or suffix)"
            )
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
        return self.finder.find(values.get(column), folder)

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
                fields[name] = convert(value, self.field_types[name])
                continue
            amount, currency = _price(value, notation)
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
) -> Catalog:
    """Open a catalogue: a file, a folder, a glob of files, or the name of a hub dataset.

    `mapping` is role → column and overrules what is guessed from the columns' names and values;
    `images` is the folder that image paths are relative to, instead of the catalogue's own. All
    rows are read once, without pictures, to find the columns' types.

    Raises `NotFoundError`, `CatalogError` where the source cannot be read at all or has neither
    images nor titles, and `MappingError` where `mapping` does not fit the columns.
    """
    if images is not None and not images.is_dir():
        raise NotFoundError(f"{images} is not a folder; give the folder of the pictures")
    given = mapping or {}
    kind, tables = open_tables(str(source))
    columns, count = read_columns(tables)
    pictures = tuple(dict.fromkeys(name for table in tables for name in table.pictures))
    looking = _Looking(columns, pictures, tables, images)
    guessed = guess_roles(columns, pictures, looking.resolves)
    roles = merge_mapping({role: one for role, (one, _) in guessed.items()}, given, tuple(columns))
    roles = looking.complete(roles, given)
    if "image" not in roles and "title" not in roles:
        raise CatalogError(
            f"{source} has no column that looks like an image or a title. Columns: "
            f"{', '.join(columns) or 'none'}. Say which: --map image=COLUMN or --map title=COLUMN"
        )
    fields = field_names((c for c in columns if c not in pictures), roles)
    types = _types(fields, columns)
    prices, said = _read_prices(tables, columns, roles)
    _add_prices(fields, types, prices, columns, roles)
    return Catalog(
        source=str(source),
        kind=kind,
        mapping=roles,
        fields=fields,
        field_types=types,
        count=count,
        notes=(
            *(note for table in tables for note in table.notes),
            *(looking.notes(roles) if "image" not in given else ()),
            *said,
        ),
        unused=frozenset(pictures) - {roles.get("image", "")},
        tables=tables,
        finder=find_pictures(images, by_id=roles.get("image") == FROM_ID),
        known_by=_known_by(roles, given, guessed if kind != "folder" else {}),
        prices=prices,
    )


@dataclass(frozen=True, slots=True)
class _Looking:
    """Where the pictures of a catalogue come from, tried on its first rows."""

    columns: Mapping[str, Column]
    pictures: tuple[str, ...]
    tables: tuple[Table, ...]
    images: Path | None

    def resolves(self, column: str) -> bool:
        """Whether any of a column's first pictures is there."""
        finder = PictureFinder(self.images)
        bases = list(dict.fromkeys(table.folder for table in self.tables))[:4]
        cells = self.columns[column].sample[:TRIED]
        return any(finder.find(cell, base).found for cell in cells for base in bases)

    def complete(self, roles: dict[str, str], given: Mapping[str, str]) -> dict[str, str]:
        """Say where id and image come from when no column gives them."""
        if self.images is not None and "image" not in given and "id" in roles:
            column = roles.get("image")
            if column is None or (self._is_named(column) and self._by_id(roles["id"], column)):
                roles = roles | {"image": FROM_ID}
        if "id" not in roles:
            named = "image" in roles and roles["image"] not in self.pictures
            roles = {"id": FROM_FILE_NAME if named else FROM_ROW_NUMBER} | roles
        return roles

    def _is_named(self, column: str) -> bool:
        return column in self.columns and column not in self.pictures

    def _by_id(self, ids: str, image: str) -> bool:
        """Whether pictures are named after ids, and none is where the image column says."""
        if self.resolves(image):
            return False
        finder = find_pictures(self.images, by_id=True)
        cells = self.columns[ids].sample[:TRIED]
        return any(finder.find_by_id(text(plain(cell))).found for cell in cells)

    def notes(self, roles: Mapping[str, str]) -> Iterator[str]:
        """What to say about the picture column that was chosen, or about there being none."""
        image = roles.get("image")
        if image is None:
            yield "no column looks like a picture: items go in by their words alone"
            return
        others = [c for c in picture_columns(self.columns) if c not in roles.values()]
        if others and image != FROM_ID:
            yield f"only {image} is read as the picture; {', '.join(others)} hold pictures too"
        if self._is_named(image) and self.columns[image].filled and not self.resolves(image):
            tried = min(TRIED, self.columns[image].filled)
            yield (
                f"none of the first {tried} pictures of column {image} is there; "
                "give the folder they are in with --images"
            )


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


def _read_prices(
    tables: Sequence[Table], columns: Mapping[str, Column], roles: Mapping[str, str]
) -> tuple[dict[str, PriceNotation], list[str]]:
    """Find out how columns of prices that are no plain numbers are written, from all rows."""
    main = roles.get("price")
    usual = {bare(name) for name in USUAL_NAMES["price"]}
    free = [c for c in columns if c not in roles.values() and bare(c) in usual]
    asked = [c for c in ([main] if main else []) + free if _needs_notation(columns[c])]
    found: dict[str, PriceNotation] = {}
    said: list[str] = []
    for column, cells in _cells(tables, asked).items():
        notation = find_notation(cells)
        if (
            notation.count
            and notation.count >= notation.unread
            and (column == main or not notation.unread)
        ):
            found[column] = notation
            said += _price_notes(column, notation)
        elif column == main:
            example = next(iter(cells), "")
            said.append(
                f"column {column} holds no prices that can be read ({example[:40]!r}); it stays "
                "text, and price < 50 would compare letters"
            )
    return found, said


def _needs_notation(column: Column) -> bool:
    return column.kind == "text" or (column.kind == "number" and is_in_doubt(column.sample))


def _cells(tables: Sequence[Table], asked: Sequence[str]) -> dict[str, Counter[str]]:
    """How often each text stands in some columns, in a pass over the rows of their own."""
    cells: dict[str, Counter[str]] = {name: Counter() for name in asked}
    for table in tables if asked else ():
        for record in table.records(frozenset({*table.columns, *table.pictures}) - set(asked)):
            if isinstance(record, Problem):
                continue
            for name in asked:
                value = record.values.get(name)
                if isinstance(value, str) and value.strip():
                    cells[name][value.strip()] += 1
    return cells


def _price_notes(column: str, notation: PriceNotation) -> Iterator[str]:
    mark = {".": "a point", ",": "a comma"}[notation.mark]
    counts = ", ".join(f"{code} {count:,}" for code, count in notation.currencies.items())
    stated = f", currency {counts}" if counts else ""
    yield f"column {column} was read as numbers with {mark} before the decimals{stated}"
    if len(notation.currencies) > 1:
        yield f"column {column} has several currencies: filter by currency too"
    yield from (f"column {column}: {note}" for note in notation.notes)


def _add_prices(
    fields: dict[str, str],
    types: dict[str, Kind],
    prices: Mapping[str, PriceNotation],
    columns: Mapping[str, Column],
    roles: Mapping[str, str],
) -> None:
    """Make price columns numbers, and the main one's currency a field where there is none."""
    for name, column in fields.items():
        if column in prices:
            types[name] = "number"
    main = roles.get("price", "")
    stated = main in prices and prices[main].currencies
    if stated and (CURRENCY not in fields or not columns[fields[CURRENCY]].filled):
        fields[CURRENCY], types[CURRENCY] = main, "text"


def _price(value: FieldValue, notation: PriceNotation) -> tuple[float | None, str | None]:
    """Amount and currency of a plain value of a price column."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value), None
    read = notation.read(value) if isinstance(value, str) else None
    return (None, None) if read is None else (read[0], read[1] or None)


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
