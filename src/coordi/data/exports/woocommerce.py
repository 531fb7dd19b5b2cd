"""WooCommerce: the CSV of its product exporter."""

import re
from collections.abc import Iterable, Iterator

from coordi.data.exports.columns import Row, rest
from coordi.data.exports.variants import Product, Variant
from coordi.data.readers.table import Record

NAMES = {
    "id": ("id",),
    "image": ("images",),
    "title": ("name",),
    "description": ("description", "shortdescription"),
    "category": ("categories",),
    "price": ("regularprice", "price"),
}

_ATTRIBUTE = re.compile(r"attribute(\d+)name$")
_DROPPED = frozenset(
    ("id", "name", "description", "shortdescription", "images", "parent", "regularprice", "price")
)


def is_csv(columns: frozenset[str]) -> bool:
    """Whether bare column names are those of the exporter."""
    return {"id", "type", "name", "images"} <= columns and bool(
        {"regularprice", "published", "parent"} & columns
    )


def products(records: Iterable[Record]) -> Iterator[Product]:
    """A row of type "variation" belongs to the row that its `Parent` names, by SKU or "id:12"."""
    rows = [Row(record) for record in records]
    found: dict[str, Product] = {}
    by_name: dict[str, Product] = {}
    for row in rows:
        if not _is_variation(row):
            product = _product(row)
            if not row.text("type").casefold().startswith("variable"):
                product.variants.append(_variant(row))
            found[product.model] = by_name[f"id:{product.model}"] = product
            if sku := row.text("sku"):
                by_name.setdefault(sku, product)
    for row in rows:
        if _is_variation(row):
            parent = row.text("parent")
            product = by_name.get(parent) or by_name.get(f"id:{parent}") or _orphan(row, found)
            product.variants.append(_variant(row))
    yield from found.values()


def _is_variation(row: Row) -> bool:
    return row.text("type").casefold().startswith("variation")


def _product(row: Row) -> Product:
    attributes = {n for name in row.cells if (m := _ATTRIBUTE.match(name)) for n in [m[1]]}
    dropped = _DROPPED | {"categories", "type"}
    dropped |= {
        f"attribute{n}{part}"
        for n in attributes
        for part in ("name", "values", "visible", "global", "default")
    }
    values = {"category": row.get("categories"), **rest(row, dropped)}
    return Product(
        row.record.origin,
        row.text("id") or row.text("sku"),
        row.get("name"),
        row.get("description", "shortdescription"),
        _pictures(row),
        row.get("regularprice", "price"),
        values,
    )


def _variant(row: Row) -> Variant:
    sku = row.text("sku")
    return Variant(
        row.record.origin,
        _attributes(row),
        _pictures(row),
        row.get("regularprice", "price"),
        row.text("id"),
        {"SKU": sku} if sku else {},
    )


def _orphan(row: Row, found: dict[str, Product]) -> Product:
    """A product for a variation whose parent is not in the file."""
    product = _product(row)
    product.model = row.text("parent").removeprefix("id:") or product.model
    return found.setdefault(product.model, product)


def _attributes(row: Row) -> dict[str, str]:
    numbers = sorted({int(m[1]) for name in row.cells if (m := _ATTRIBUTE.match(name))})
    pairs = ((row.text(f"attribute{n}name"), row.text(f"attribute{n}values")) for n in numbers)
    return {name: value for name, value in pairs if name and value}


def _pictures(row: Row) -> list[object]:
    """The cell as it stands: a file's own name may hold a comma, which only the finder can tell."""
    cell = row.get("images")
    return [] if cell is None else [cell]
