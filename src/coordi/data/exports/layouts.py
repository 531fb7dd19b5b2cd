"""Exports that say row by row what is a product and what a variant of it.

They differ in names alone: which column tells products apart, how a row says what it is, and how it
states its options. A `Layout` says that; everything else is the same for all of them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from coordi.data.exports.columns import Row, rest
from coordi.data.exports.variants import SIZE, Product, Variant
from coordi.data.readers.table import Record
from coordi.data.rolenames import bare

Kind = Literal["product", "variant", "both", "picture", "other"]
"""What a row is: a product, a variant of it, a product that is its own first variant, a further
picture of the product, or nothing that becomes an item."""

_BEFORE_PICTURE = re.compile(r"(?<![^|;,])[^=:/|;,]+=(?=https?://)")
"""What eBay writes before the picture of a variation: "Red=https://…"."""

Names = Mapping[str, tuple[str, ...]]
"""Role → bare names of the columns that it is taken from, the likeliest first."""
Options = dict[str, str]


@dataclass(frozen=True, slots=True)
class Layout:
    """How one system lays out its export; names are bare."""

    names: Names
    key: Callable[[Row], str]
    """The product that a row belongs to; "" is that of the row above, or one of its own."""
    kind: Callable[[Row], Kind]
    options: Callable[[Row, Row], Options] = lambda _row, _head: {}
    """Options of a variant, from its row and its product's."""
    choices: Callable[[Row], dict[str, list[str]]] = lambda _row: {}
    """Options with all their values, of a product whose variants have no rows."""
    pictures: tuple[str, ...] = ()
    """Columns with pictures, as patterns; in the file's order."""
    variant_id: tuple[str, ...] = ()
    """Columns with an id of a variant that stays."""
    price: Callable[[Row, Row], object] = lambda _row, _head: None
    """A variant's price where its column does not state it, from its row and its product's."""
    dropped: re.Pattern[str] = re.compile(r"(?!)")
    """Further columns that say nothing of the garment, or what its items have otherwise."""
    follows: bool = False
    """Whether a row without a key belongs to the row above."""

    def products(self, records: Iterable[Record]) -> Iterator[Product]:
        """The products of an export with their variants; a second product of one key stays one."""
        groups: dict[tuple[str, int], list[tuple[Kind, Row]]] = {}
        place = ("", 0)
        for number, record in enumerate(records, 1):
            row = Row(record)
            kind = self.kind(row)
            key = self.key(row)
            if key or not (self.follows and kind != "product"):
                place = (key or f"row-{number}", 0)
            if kind == "other":
                continue
            if kind == "product" and any(one == "product" for one, _ in groups.get(place, ())):
                place = (place[0], number)
            groups.setdefault(place, []).append((kind, row))
        for (key, _), rows in groups.items():
            yield self._product(key, rows)

    def _product(self, key: str, rows: list[tuple[Kind, Row]]) -> Product:
        head = next((row for kind, row in rows if kind in ("product", "both")), rows[0][1])
        taken = {name for role in self.names for name in self._columns(head, role)}
        shared = (row for kind, row in rows if kind != "variant")
        product = Product(
            head.record.origin,
            key,
            self._get(head, "title"),
            self._get(head, "description"),
            [picture for row in shared for picture in self._pictures(row)],
            self._get(head, "price"),
            {
                role: self._get(head, role)
                for role in ("category", "brand", "url", "color")
                if role in self.names
            },
        )
        others = {n: v for n, v in rest(head, taken).items() if not self._is_told(n)}
        product.values |= others
        for kind, row in rows:
            if kind in ("variant", "both"):
                product.variants.append(self._variant(kind, row, head))
        product.variants = product.variants or _chosen(head, self.choices(head))
        return product

    def _is_told(self, name: str) -> bool:
        """Whether a column is of pictures, options or ids, which items have by other names."""
        column = bare(name)
        told = any(re.fullmatch(pattern, column) for pattern in self.pictures)
        return told or column in self.variant_id or self.dropped.search(column) is not None

    def _variant(self, kind: Kind, row: Row, head: Row) -> Variant:
        known = {n: v for n, v in self.options(row, head).items() if n and v}
        own = self._pictures(row) if kind == "variant" else []
        price = self.price(row, head) or self._get(row, "price") or self._get(head, "price")
        return Variant(row.record.origin, known, own, price, row.text(*self.variant_id))

    def _get(self, row: Row, role: str) -> object:
        return row.get(*self.names.get(role, ()))

    def _columns(self, row: Row, role: str) -> set[str]:
        """The column that a role is taken from, and the one whose name items have it under."""
        names = [name for name in self.names[role] if name in row.cells]
        return {*names[:1], *[name for name in names if row.get(name) is not None][:1]}

    def _pictures(self, row: Row) -> list[object]:
        found: list[object] = []
        for pattern in self.pictures:
            for name, cell in row.cells.items():
                if re.fullmatch(pattern, name) and cell is not None and cell != "":
                    found.append(_BEFORE_PICTURE.sub("", cell) if isinstance(cell, str) else cell)
        return found


def _chosen(head: Row, choices: Mapping[str, list[str]]) -> list[Variant]:
    """A variant for each size that a product lists; its other options are facts about it."""
    sizes = next(((n, values) for n, values in choices.items() if SIZE.search(n)), ("", []))
    others = {name: ";".join(values) for name, values in choices.items() if not SIZE.search(name)}
    shown = {n: v for n, v in others.items() if v}
    if not sizes[1]:
        return [Variant(head.record.origin, shown)] if shown else []
    return [Variant(head.record.origin, {sizes[0]: size, **shown}) for size in sizes[1]]


def pairs(text: str, between: str, equals: str = "=") -> Options:
    """Options written as "Size=S;Color=Red", with what stands between and before a value."""
    parts = (part.partition(equals) for part in re.split(between, text))
    return {name.strip(): value.strip() for name, sign, value in parts if sign}
