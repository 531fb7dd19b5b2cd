"""Shopify: the product CSV of the admin, old and new headers, and products.json."""

from collections.abc import Iterable, Iterator, Mapping

from coordi.data.exports.columns import Row, grouped, rest, told_by
from coordi.data.exports.variants import Product, Variant
from coordi.data.readers.table import Record

NAMES = {
    "id": ("handle", "urlhandle"),
    "image": ("imagesrc", "productimageurl"),
    "title": ("title",),
    "description": ("bodyhtml", "description"),
    "category": ("productcategory",),
    "brand": ("vendor",),
    "price": ("variantprice", "price"),
}
JSON_NAMES = {
    "id": ("handle", "id"),
    "image": ("images",),
    "title": ("title",),
    "description": ("bodyhtml",),
    "category": ("producttype",),
    "brand": ("vendor",),
}

FORMER = "compare_at_price"
"""Field with the price before a reduction."""

NO_OPTION = "Default Title"
"""What Shopify writes for a product that has no options."""

is_csv = told_by("handle|urlhandle option1value|variantprice|imagesrc|productimageurl")

_PRODUCT = ("title", "bodyhtml", "description", "handle", "urlhandle")
_PICTURES = ("imagesrc", "productimageurl", "imageposition", "imagealttext")
_VARIANT = (
    "variantprice", "price", "variantsku", "sku", "variantimage", "variantimageurl",
    "variantcompareatprice", "compareatprice", "variantbarcode", "barcode",
    "variantinventoryqty", "inventoryquantity",
)  # fmt: skip


def is_json(record: Mapping[str, object]) -> bool:
    """Whether an object is a product of products.json."""
    variants = record.get("variants")
    return isinstance(variants, list) and bool({"handle", "body_html", "options"} & record.keys())


def csv_products(records: Iterable[Record]) -> Iterator[Product]:
    """Rows of one handle are one product, wherever they stand."""
    groups = grouped(records, lambda row: row.text("handle", "urlhandle"))
    for handle, rows in groups.items():
        yield _csv_product(handle, rows)


def _csv_product(handle: str, rows: list[Row]) -> Product:
    head = next((row for row in rows if row.text("title")), rows[0])
    names = [head.text(f"option{n}name") for n in (1, 2, 3)]
    product = Product(
        head.record.origin,
        handle,
        head.get("title"),
        head.get("bodyhtml", "description"),
        [row.get("imagesrc", "productimageurl") for row in _by_position(rows)],
        head.get("variantprice", "price"),
        _product_values(head),
    )
    for row in rows:
        values = [row.text(f"option{n}value") for n in (1, 2, 3)]
        if any(values):
            product.variants.append(_csv_variant(row, names, values))
    return product


def _product_values(head: Row) -> dict[str, object]:
    dropped = {*_PRODUCT, *_PICTURES, *_VARIANT, "vendor", "productcategory"}
    dropped |= {f"option{n}{part}" for n in (1, 2, 3) for part in ("name", "value", "linkedto")}
    values = rest(head, dropped)
    category = head.get("productcategory") or head.get("type")
    former = head.get("variantcompareatprice", "compareatprice")
    found = {"category": category, "brand": head.get("vendor"), **values}
    return found if former is None else {**found, FORMER: former}


def _csv_variant(row: Row, names: list[str], values: list[str]) -> Variant:
    options = {
        name: value
        for name, value in zip(names, values, strict=True)
        if name and value and value != NO_OPTION
    }
    picture = row.get("variantimage", "variantimageurl")
    sku = row.text("variantsku", "sku")
    return Variant(
        row.record.origin,
        options,
        [picture] if picture else [],
        row.get("variantprice", "price"),
        values={"sku": sku, FORMER: row.get("variantcompareatprice", "compareatprice")},
    )


def _by_position(rows: list[Row]) -> list[Row]:
    """Rows that have a picture, in the order that the shop shows them."""
    pictured = [row for row in rows if row.get("imagesrc", "productimageurl")]
    return sorted(pictured, key=lambda row: row.number("imageposition"))


def json_products(records: Iterable[Record]) -> Iterator[Product]:
    """Objects of products.json, of the storefront and of the admin API."""
    for record in records:
        yield _json_product(record)


def _json_product(record: Record) -> Product:
    found = record.values
    images = [image for image in _dicts(found.get("images")) if image.get("src")]
    names = [str(option.get("name", "")) for option in _dicts(found.get("options"))]
    known = {"id", "handle", "title", "body_html", "images", "image", "options", "variants"}
    known |= {"vendor", "product_type", "tags"}
    tags = found.get("tags")
    values = {
        "category": found.get("product_type"),
        "brand": found.get("vendor"),
        "tags": ", ".join(map(str, tags)) if isinstance(tags, list) else tags,
        **{name: value for name, value in found.items() if name not in known},
    }
    model = str(found.get("handle") or found.get("id") or "")
    pictures = [image["src"] for image in images]
    product = Product(
        record.origin, model, found.get("title"), found.get("body_html"), pictures, None, values
    )
    for variant in _dicts(found.get("variants")):
        product.variants.append(_json_variant(record, variant, images, names))
    return product


def _json_variant(
    record: Record,
    found: Mapping[str, object],
    images: list[Mapping[str, object]],
    names: list[str],
) -> Variant:
    options = {}
    for n, name in enumerate(names or ["Title", "Option 2", "Option 3"], 1):
        value = found.get(f"option{n}")
        if isinstance(value, str) and value and value != NO_OPTION:
            options[name] = value
    featured = found.get("featured_image")
    own = [featured["src"]] if isinstance(featured, dict) and featured.get("src") else []
    for image in images:
        ids = image.get("variant_ids")
        if isinstance(ids, list) and found.get("id") in ids:
            own.append(image["src"])
    values: dict[str, object] = {"sku": found.get("sku"), FORMER: found.get("compare_at_price")}
    if "available" in found:
        values["available"] = found["available"]
    return Variant(record.origin, options, own, found.get("price"), values=values)


def _dicts(value: object) -> list[Mapping[str, object]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
