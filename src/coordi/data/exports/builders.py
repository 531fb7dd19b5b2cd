"""Squarespace, Wix and Amazon: variants stand in rows of their own below their product's."""

from collections.abc import Iterable, Iterator, Mapping

from coordi.data.exports.columns import Row, rest
from coordi.data.exports.variants import Product, Variant
from coordi.data.readers.table import Record

SQUARESPACE = {
    "id": ("productidnoneditable",),
    "image": ("hostedimageurls",),
    "title": ("title",),
    "description": ("description",),
    "category": ("categories",),
    "price": ("price",),
    "url": ("producturl",),
}
WIX = {
    "id": ("handleid",),
    "image": ("productimageurl",),
    "title": ("name",),
    "description": ("description",),
    "category": ("collection",),
    "brand": ("brand",),
    "price": ("price",),
}
AMAZON = {
    "id": ("itemsku",),
    "image": ("mainimageurl",),
    "title": ("itemname",),
    "description": ("productdescription",),
    "brand": ("brandname",),
    "price": ("standardprice",),
}


def is_squarespace(columns: frozenset[str]) -> bool:
    """Whether bare column names are those of Squarespace's product export."""
    return {"productidnoneditable", "hostedimageurls", "title"} <= columns


def squarespace_products(records: Iterable[Record]) -> Iterator[Product]:
    """A row without a product id is a further variant of the product above it."""
    product: Product | None = None
    for row in map(Row, records):
        if product is None or row.text("productidnoneditable"):
            if product is not None:
                yield product
            product = _product(row, SQUARESPACE, row.text("productidnoneditable"))
        names = [(row.text(f"optionname{n}"), row.text(f"optionvalue{n}")) for n in range(1, 7)]
        product.variants.append(_variant(row, dict(names), row.get("price")))
    if product is not None:
        yield product


def is_wix(columns: frozenset[str]) -> bool:
    """Whether bare column names are those of Wix's product export."""
    return {"handleid", "fieldtype", "productimageurl"} <= columns


def wix_products(records: Iterable[Record]) -> Iterator[Product]:
    """Rows of one handleId: the product names its options, its variants their values."""
    groups: dict[str, list[Row]] = {}
    for row in map(Row, records):
        groups.setdefault(row.text("handleid"), []).append(row)
    for handle, rows in groups.items():
        head = next((row for row in rows if row.text("fieldtype") == "Product"), rows[0])
        product = _product(head, WIX, handle)
        names = {n: head.text(f"productoptionname{n}") for n in range(1, 7)}
        for row in rows:
            if row is not head:
                options = {
                    name: row.text(f"productoptiondescription{n}", f"productoptiontype{n}")
                    for n, name in names.items()
                }
                product.variants.append(_variant(row, options, None))
        yield product


def is_amazon(columns: frozenset[str]) -> bool:
    """Whether bare column names are those of Amazon's flat files."""
    return {"itemsku", "itemname", "mainimageurl"} <= columns


def amazon_products(records: Iterable[Record]) -> Iterator[Product]:
    """Rows of one parent_sku; the parent itself is no garment that can be bought."""
    rows = {row.text("itemsku"): row for row in map(Row, records)}
    groups: dict[str, list[tuple[str, Row]]] = {}
    for sku, row in rows.items():
        if row.text("parentchild", "parentage").casefold() != "parent":
            groups.setdefault(row.text("parentsku") or sku, []).append((sku, row))
    for parent, children in groups.items():
        product = _product(rows.get(parent, children[0][1]), AMAZON, parent)
        product.pictures = _amazon_pictures(rows.get(parent, children[0][1]))
        for sku, row in children:
            options = {"size": row.text("sizename", "size"), "color": row.text("colorname")}
            variant = _variant(row, options, row.get("standardprice"))
            variant.id, variant.pictures = sku, _amazon_pictures(row)
            product.variants.append(variant)
        yield product


def _amazon_pictures(row: Row) -> list[object]:
    names = ("mainimageurl", *(f"otherimageurl{n}" for n in range(1, 9)))
    return [picture for name in names if (picture := row.get(name)) is not None]


def _product(row: Row, names: Mapping[str, tuple[str, ...]], model: str) -> Product:
    picture = row.get(*names["image"])
    dropped = {name for usual in names.values() for name in usual}
    dropped |= {name for name in row.cells if name.startswith(("option", "productoption"))}
    dropped |= {"variantidnoneditable", "fieldtype", "sizename", "colorname", "parentsku"}
    dropped |= {name for name in row.cells if name.startswith("otherimageurl")}
    roles: dict[str, object] = {
        role: row.get(*names[role]) for role in ("category", "brand", "url") if role in names
    }
    return Product(
        row.record.origin,
        model,
        row.get(*names["title"]),
        row.get(*names["description"]),
        [] if picture is None else [picture],
        row.get(*names["price"]),
        {**roles, **rest(row, dropped)},
    )


def _variant(row: Row, options: dict[str, str], price: object) -> Variant:
    known = {name: value for name, value in options.items() if name and value}
    return Variant(row.record.origin, known, price=price)
