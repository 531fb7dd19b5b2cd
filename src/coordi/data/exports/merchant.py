"""Google Merchant Center and what takes its feeds (Meta, Pinterest, TikTok, Bing)."""

import re
from collections.abc import Iterable, Iterator

from coordi.data.exports.columns import Row, grouped, rest, told_by
from coordi.data.exports.variants import Product, Variant
from coordi.data.picturecells import entries
from coordi.data.readers.table import Record
from coordi.data.rolenames import bare

NAMES = {
    "id": ("id",),
    "image": ("imagelink", "image0url"),
    "title": ("title",),
    "description": ("description",),
    "category": ("producttype", "googleproductcategory"),
    "price": ("price",),
    "url": ("link",),
}

is_feed = told_by("id title imagelink|image0url link|availability|itemgroupid|additionalimagelink")

_NUMBERED = re.compile(r"image\d+url$")
"""Meta's columns of several pictures: "image[0].url"."""
_DROPPED = frozenset(
    ("id", "title", "description", "imagelink", "additionalimagelink", "price", "itemgroupid",
     "size", "link", "producttype", "googleproductcategory")
)  # fmt: skip


def products(records: Iterable[Record]) -> Iterator[Product]:
    """Rows of one item_group_id are variants of one product; a row without one stands alone."""
    return map(_product, grouped(records, _key).values())


def _key(row: Row) -> str:
    group, id_ = row.text("itemgroupid"), row.text("id")
    return f"group {group}" if group else id_ and f"id {id_}"


def _product(rows: list[Row]) -> Product:
    head = rows[0]
    product = Product(
        head.record.origin,
        head.text("itemgroupid") or head.text("id"),
        head.get("title"),
        head.get("description"),
        values={
            "category": head.get("producttype", "googleproductcategory"),
            "url": head.get("link"),
        },
    )
    product.variants = [_variant(row, grouped=len(rows) > 1) for row in rows]
    return product


def _variant(row: Row, *, grouped: bool) -> Variant:
    options = {"size": row.text("size")}
    if grouped:
        options |= {name: row.text(name) for name in ("color", "colour", "pattern", "material")}
    names = ("imagelink", "additionalimagelink", *filter(_NUMBERED.match, row.cells))
    pictures = [picture for name in names for picture in entries(row.get(name))]
    others = {n: v for n, v in rest(row, _DROPPED).items() if not _NUMBERED.match(bare(n))}
    return Variant(
        row.record.origin,
        {name: value for name, value in options.items() if value},
        list(pictures),
        row.get("price"),
        row.text("id"),
        {"title": row.get("title"), "url": row.get("link"), **others},
    )
