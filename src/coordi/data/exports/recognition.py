"""Which shop system wrote a table, and the table of its items."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from coordi.data.exports import magento, magento1, merchant, shopify, systems, woocommerce
from coordi.data.exports.layouts import Layout
from coordi.data.exports.variants import HIGHEST, Product, records_of
from coordi.data.readers.table import Record, Table
from coordi.data.rolenames import bare
from coordi.types import Problem

Read = Callable[[Iterable[Record]], Iterator[Product]]

_PEEK = 3  # rows that tell what objects without a header hold

Names = Mapping[str, tuple[str, ...]]
"""Role → bare names of the columns that it is taken from, the likeliest first."""

_LAYOUTS: tuple[tuple[str, Callable[[frozenset[str]], bool], Layout], ...] = (
    ("a Squarespace export", systems.is_squarespace, systems.SQUARESPACE),
    ("a Wix export", systems.is_wix, systems.WIX),
    ("an Amazon flat file", systems.is_amazon, systems.AMAZON),
    ("a BigCommerce export", systems.is_bigcommerce, systems.BIGCOMMERCE),
    ("an Ecwid export", systems.is_ecwid, systems.ECWID),
    ("a Shopware export", systems.is_shopware, systems.SHOPWARE),
    ("a Lightspeed export", systems.is_lightspeed, systems.LIGHTSPEED),
    ("an Etsy export", systems.is_etsy, systems.ETSY),
    ("an eBay file", systems.is_ebay, systems.EBAY),
    ("a Rakuten export", systems.is_rakuten, systems.RAKUTEN),
    ("a Cafe24 export", systems.is_cafe24, systems.CAFE24),
)
_BY_COLUMNS: tuple[tuple[str, Callable[[frozenset[str]], bool], Read, Names], ...] = (
    ("a Shopify export", shopify.is_csv, shopify.csv_products, shopify.NAMES),
    ("a WooCommerce export", woocommerce.is_csv, woocommerce.products, woocommerce.NAMES),
    ("a Magento export", magento.is_csv, magento.products, magento.NAMES),
    ("a Magento 1 export", magento1.is_csv, magento1.products, magento1.NAMES),
    ("a Google Merchant feed", merchant.is_feed, merchant.products, merchant.NAMES),
    *((name, fits, layout.products, layout.names) for name, fits, layout in _LAYOUTS),
)


@dataclass(slots=True)
class ExportTable:
    """The items of an export; its rows are held in memory, since one product's may lie apart."""

    table: Table
    name: str
    """What it is, such as "a Shopify export"."""
    read: Read
    roles: Mapping[str, str]
    """Role → the file's own column for it, under which items have it."""
    said: str = field(default="", init=False)
    """What the latest pass folded."""
    folded: int = field(default=0, init=False)
    """Rows that the latest pass put into the item of another."""
    ranges: int = field(default=0, init=False)
    """Items of the latest pass whose sizes differ in price."""

    columns: tuple[str, ...] = field(default=(), init=False)

    @property
    def pictures(self) -> tuple[str, ...]:
        """None: exports name their pictures."""
        return ()

    @property
    def folder(self) -> Path:
        """What image paths are relative to."""
        return self.table.folder

    @property
    def notes(self) -> tuple[str, ...]:
        """How the file was read, and what it was recognised as."""
        folded = f": {self.said}" if self.said else ""
        return (*self.table.notes, f"reads as {self.name}{folded}")

    def records(self, without: Collection[str] = ()) -> Iterator[Record | Problem]:
        """Problems of the file first, then one record an item."""
        rows: list[Record] = []
        for row in self.table.records(without):
            if isinstance(row, Problem):
                yield row
            else:
                rows.append(row)
        products = list(self.read(rows))
        records = [record for product in products for record in records_of(product)]
        self.folded = max(0, len(rows) - len(records))
        self.ranges = sum(HIGHEST in record.values for record in records)
        self.said = (
            f"{len(rows):,} rows are {len(products):,} products in {len(records):,} looks; sizes "
            "of one look are one item, further pictures are kept"
            if len(rows) != len(records)
            else ""
        )
        yield from map(self._as_in_file, records)

    @property
    def remark(self) -> str:
        """What the latest pass made of prices, "" where no item has several."""
        return (
            f"{self.ranges:,} items have sizes of several prices: their price is the lowest, "
            f"the field {HIGHEST} the highest"
            if self.ranges
            else ""
        )

    def _as_in_file(self, record: Record) -> Record:
        return Record(
            record.origin,
            {self.roles.get(name, name): value for name, value in record.values.items()},
        )


def as_export(table: Table, mapped: Collection[str] = ()) -> Table:
    """The table of an export's items, or the table itself where nothing is recognised.

    So it is too where a column that items do not have is `mapped`: who names it wants rows.
    """
    made = _recognised(table)
    if made is None:
        return table
    kept = made.roles.values()
    wants_rows = any(name in table.columns and name not in kept for name in mapped)
    return table if wants_rows else made


def _recognised(table: Table) -> ExportTable | None:
    columns: Collection[str] = table.columns
    if not columns:
        head = [row for row in islice(table.records(), _PEEK) if isinstance(row, Record)]
        columns = list(dict.fromkeys(name for row in head for name in row.values))
        if head and all(shopify.is_json(row.values) for row in head):
            roles = _roles(shopify.JSON_NAMES, columns)
            return ExportTable(table, "Shopify's products.json", shopify.json_products, roles)
    known = frozenset(map(bare, columns))
    for name, fits, read, names in _BY_COLUMNS:
        if fits(known):
            return ExportTable(table, name, read, _roles(names, columns))
    return None


def _roles(names: Names, columns: Collection[str]) -> dict[str, str]:
    """Role → the first of its columns that a file has."""
    there: dict[str, str] = {}
    for column in columns:
        there.setdefault(bare(column), column)
    found = {role: next((there[n] for n in usual if n in there), role)
             for role, usual in names.items()}  # fmt: skip
    return found | {"model": "model"}
