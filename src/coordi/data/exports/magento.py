"""Magento 2 (Adobe Commerce): the CSV of its product export."""

import re
from collections.abc import Iterable, Iterator

from coordi.data.exports.columns import Row, rest, split, told_by
from coordi.data.exports.variants import COLOR, SIZE, Product, Variant
from coordi.data.readers.table import Record
from coordi.data.rolenames import bare

NAMES = {
    "id": ("sku",),
    "image": ("baseimage",),
    "title": ("name",),
    "description": ("description", "shortdescription"),
    "category": ("categories",),
    "price": ("price",),
}

is_csv = told_by("sku name producttype baseimage|attributesetcode|configurablevariations")

_PAIR = re.compile(r"(?:^|,)\s*(\w+)=((?:(?!,\s*\w+=).)*)", re.DOTALL)
_DROPPED = frozenset(
    (
        *("sku", "name", "description", "shortdescription", "price", "categories", "producttype"),
        *("baseimage", "smallimage", "thumbnailimage", "swatchimage", "additionalimages"),
        *("additionalattributes", "configurablevariations", "configurablevariationlabels"),
        *("baseimagelabel", "smallimagelabel", "thumbnailimagelabel", "swatchimagelabel"),
        *("additionalimagelabels", "storeviewcode", "attributesetcode", "productwebsites"),
    )
)


def products(records: Iterable[Record]) -> Iterator[Product]:
    """Simple products that a configurable one lists are its variants."""
    rows: dict[str, Row] = {}
    for record in records:
        row = Row(record)
        # Further rows of one SKU say the same for other store views.
        rows.setdefault(row.text("sku") or f"row-{record.origin.line}", row)
    parents: dict[str, tuple[str, dict[str, str]]] = {}
    for sku, row in rows.items():
        for options in _variations(row):
            child = options.pop("sku", "")
            if child in rows and child != sku:
                parents.setdefault(child, (sku, options))
    found = {sku: _product(sku, row) for sku, row in rows.items() if sku not in parents}
    for child, (sku, options) in parents.items():
        if sku in found:
            found[sku].variants.append(_variant(child, rows[child], options))
        else:
            found[child] = _product(child, rows[child])
    yield from found.values()


def _variations(row: Row) -> list[dict[str, str]]:
    return [_pairs(part) for part in split(row.get("configurablevariations"), "|")]


def _pairs(text: str) -> dict[str, str]:
    return {name: value.strip() for name, value in _PAIR.findall(text)}


def _product(sku: str, row: Row) -> Product:
    attributes = _pairs(row.text("additionalattributes"))
    values: dict[str, object] = {
        "category": _last(row.text("categories")),
        **rest(row, _DROPPED),
        **attributes,
    }
    return Product(
        row.record.origin,
        sku,
        row.get("name"),
        row.get("description", "shortdescription"),
        _pictures(row),
        row.get("price"),
        values,
    )


def _variant(sku: str, row: Row, options: dict[str, str]) -> Variant:
    known = {**_pairs(row.text("additionalattributes")), **options}
    shown = {n: v for n, v in known.items() if n in options or SIZE.search(n) or COLOR.search(n)}
    own = {n: v for n, v in row.record.values.items() if bare(n) == "specialprice"}
    return Variant(row.record.origin, shown, _pictures(row), row.get("price"), sku, own)


def _last(categories: str) -> str:
    """The narrowest of the categories "A/B/C,A/D": the deepest path of the first ones."""
    paths = split(categories)
    return max(paths, key=lambda path: path.count("/"), default="")


def _pictures(row: Row) -> list[object]:
    names = [row.text("baseimage", "smallimage", "thumbnailimage")]
    names += split(row.get("additionalimages"))
    # "/m/h/mh01.jpg" is meant from pub/media/catalog/product, not from the disk's root.
    return [name.lstrip("/") for name in names if name and name != "no_selection"]
