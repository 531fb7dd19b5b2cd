"""Magento 1 (OpenMage): the CSV of its product export, a product in several rows.

Rows without a SKU go on with the product above: further categories, pictures, and the simple
products that a configurable one has, a row for each of their options.
"""

from collections.abc import Iterable, Iterator

from coordi.data.exports import magento
from coordi.data.exports.columns import Row, told_by
from coordi.data.exports.variants import Product
from coordi.data.readers.table import Record
from coordi.data.rolenames import bare

NAMES = {
    "id": ("sku",),
    "image": ("image",),
    "title": ("name",),
    "description": ("description", "shortdescription"),
    "category": ("category",),
    "price": ("price",),
}
is_csv = told_by("sku name type attributeset superproductssku|mediaimage")

_DROPPED = frozenset(("image", "smallimage", "thumbnail", "mediagallery", "type"))


def products(records: Iterable[Record]) -> Iterator[Product]:
    """The products, each told in the columns of Magento 2."""
    groups: list[list[Row]] = []
    for row in map(Row, records):
        if row.text("sku") or not groups:
            groups.append([])
        groups[-1].append(row)
    return magento.products(map(_in_one_row, groups))


def _in_one_row(rows: list[Row]) -> Record:
    head = rows[0].record
    values = {
        name: value
        for name, value in head.values.items()
        if not name.startswith("_") and bare(name) not in _DROPPED
    }
    pictures = [row.text(name) for name in ("image", "mediaimage") for row in rows]
    pictures = list(dict.fromkeys(one for one in pictures if one and one != "no_selection"))
    categories = dict.fromkeys(row.text("category") for row in rows)
    values |= {
        "base_image": pictures[0] if pictures else None,
        "additional_images": ",".join(pictures[1:]),
        "categories": ",".join(filter(None, categories)),
        "configurable_variations": _variations(rows),
    }
    return Record(head.origin, values)


def _variations(rows: list[Row]) -> str:
    """Its simple products as Magento 2 writes them: "sku=A,color=Red,size=S|sku=B,…"."""
    children: dict[str, list[str]] = {}
    for row in rows:
        child, option = row.text("superproductssku"), row.text("superattributeoption")
        if child:
            told = children.setdefault(child, [f"sku={child}"])
            if option:
                told.append(f"{row.text('superattributecode')}={option}")
    return "|".join(map(",".join, children.values()))
