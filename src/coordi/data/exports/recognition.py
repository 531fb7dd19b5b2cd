"""Which shop system wrote a table, and the table of its items."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from coordi.data.exports import magento, magento1, merchant, shopify, systems, woocommerce
from coordi.data.exports.columns import told_by
from coordi.data.exports.layouts import Layout, Names
from coordi.data.exports.variants import HIGHEST, Product, records_of
from coordi.data.readers.table import Record, Table
from coordi.data.rolenames import bare
from coordi.types import Problem

Read = Callable[[Iterable[Record]], Iterator[Product]]

_PEEK = 3  # rows that tell what objects without a header hold

_LAYOUTS: tuple[tuple[str, Callable[[frozenset[str]], bool], Layout], ...] = (
    ("a Squarespace export", told_by("title hostedimageurls"), systems.SQUARESPACE),
    ("a Wix export", told_by("fieldtype name handleid|handle"), systems.WIX),
    ("an Amazon flat file", told_by("itemsku itemname mainimageurl"), systems.AMAZON),
    (
        "a BigCommerce export",
        told_by("itemtype productname productcodesku"),
        systems.BIGCOMMERCE,
    ),
    ("a BigCommerce export", told_by("item name sku imageurlimport"), systems.BIGCOMMERCE),
    (
        "an Ecwid export",
        told_by("type productname productinternalid|productmediamainimageurl"),
        systems.ECWID,
    ),
    ("a Shopware export", told_by("productnumber name covermediaurl"), systems.SHOPWARE),
    ("a Lightspeed export", told_by("internalid internalvariantid"), systems.LIGHTSPEED),
    ("an Etsy export", told_by("title currencycode image1"), systems.ETSY),
    ("an eBay file", told_by("title startprice picurl|itemphotourl"), systems.EBAY),
    ("a Rakuten export", told_by("商品管理番号商品url 商品名"), systems.RAKUTEN),
    ("a Cafe24 export", told_by("상품코드 상품명 이미지등록상세"), systems.CAFE24),
)
_BY_COLUMNS: tuple[tuple[str, Callable[[frozenset[str]], bool], Read, Names], ...] = (
    ("a Shopify export", shopify.is_csv, shopify.csv_products, shopify.NAMES),
    ("a WooCommerce export", woocommerce.is_csv, woocommerce.products, woocommerce.NAMES),
    ("a Magento export", magento.is_csv, magento.products, magento.NAMES),
    ("a Magento 1 export", magento1.is_csv, magento1.products, magento1.NAMES),
    ("a Google Merchant feed", merchant.is_feed, merchant.products, merchant.NAMES),
    *((name, fits, layout.products, layout.names) for name, fits, layout in _LAYOUTS),
)


@dataclass(slots=True, kw_only=True)
class ExportTable(Table):
    """The items of an export; its rows are held in memory, since one product's may lie apart."""

    file_notes: tuple[str, ...]
    name: str
    """What it is, such as "a Shopify export"."""
    products: Read
    roles: Mapping[str, str]
    """Role → the file's own column for it, under which items have it."""
    folded: int = 0
    """Rows that the latest pass put into the item of another."""
    ranges: int = 0
    """Items of the latest pass whose sizes differ in price."""

    def records(self, without: Collection[str] = ()) -> Iterator[Record | Problem]:
        """Problems of the file first, then one record an item."""
        rows: list[Record] = []
        for row in self.read(without):
            if isinstance(row, Problem):
                yield row
            else:
                rows.append(row)
        products = list(self.products(rows))
        records = [record for product in products for record in records_of(product)]
        self.folded = max(0, len(rows) - len(records))
        self.ranges = sum(HIGHEST in record.values for record in records)
        folded = (
            f": {len(rows):,} rows are {len(products):,} products in {len(records):,} looks; sizes "
            "of one look are one item, further pictures are kept"
            if len(rows) != len(records)
            else ""
        )
        self.notes = (*self.file_notes, f"reads as {self.name}{folded}")
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
            return _items_of(table, "Shopify's products.json", shopify.json_products, roles)
    known = frozenset(map(bare, columns))
    for name, fits, read, names in _BY_COLUMNS:
        if fits(known):
            return _items_of(table, name, read, _roles(names, columns))
    return None


def _items_of(table: Table, name: str, read: Read, roles: Mapping[str, str]) -> ExportTable:
    return ExportTable(
        table.folder, table.records, name=name, products=read, roles=roles, file_notes=table.notes
    )


def _roles(names: Names, columns: Collection[str]) -> dict[str, str]:
    """Role → the first of its columns that a file has."""
    there: dict[str, str] = {}
    for column in columns:
        there.setdefault(bare(column), column)
    found = {role: next((there[n] for n in usual if n in there), role)
             for role, usual in names.items()}  # fmt: skip
    return found | {"model": "model"}
