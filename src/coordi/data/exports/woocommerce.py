"""WooCommerce: the CSV of its product exporter, which names columns in the shop's language."""

import re
from collections.abc import Iterable, Iterator, Mapping

from coordi.data.exports.columns import Row, told_by
from coordi.data.exports.variants import Product, Variant
from coordi.data.picturecells import entries
from coordi.data.readers.table import Record
from coordi.data.rolenames import KINDS_OF_PRODUCT, bare

_TRANSLATED: Mapping[str, tuple[str, ...]] = {
    "type": ("typ", "tipo", "rodzaj"),
    "sku": (
        *("artikelnummer", "artikelnummersku", "bestandseinheitartikelnummersku", "ugs", "cod"),
        "ugssku",
    ),
    "name": ("nom", "nome", "nombre", "naam", "nazwa"),
    "published": (
        *("veröffentlicht", "publié", "pubblicato", "publicado", "gepubliceerd"),
        "opublikowano",
    ),
    "description": (
        "beschreibung",
        "descrizione",
        "descripción",
        "descrição",
        "beschrijving",
        "opis",
    ),
    "shortdescription": (
        *("kurzbeschreibung", "descriptioncourte", "brevedescrizione", "descripcióncorta"),
        *("descriçãocurta", "kortebeschrijving", "krótkiopis"),
    ),
    "regularprice": (
        *("regulärerpreis", "normalpreis", "tarifrégulier", "prezzodilistino", "precionormal"),
        *("preço", "preçonormal", "normaleprijs", "reguliereprijs", "cena", "cenaregularna"),
    ),
    "saleprice": (
        *("angebotspreis", "tarifpromo", "prezzoinofferta", "preciorebajado", "preçopromocional"),
        *("actieprijs", "aanbiedingsprijs", "cenapromocyjna"),
    ),
    "categories": (
        *("kategorien", "catégories", "categorie", "categorías", "categorias", "categorieën"),
        "kategorie",
    ),
    "tags": ("schlagwörter", "étiquettes", "etichette", "etiquetas", "tagi"),
    "images": ("bilder", "immagine", "immagini", "imágenes", "imagens", "afbeeldingen", "obrazki"),
    "parent": (
        *("übergeordnetesprodukt", "parent", "genitore", "superior", "ascendente", "hoofd"),
        *("bovenliggend", "produktnadrzędny", "nadrzędny"),
    ),
    "brands": ("marken", "marques", "marche", "marchi", "marcas", "merken", "marki"),
}
"""What the exporter calls its columns in English → in German, French, Italian, Spanish,
Portuguese, Dutch and Polish; bare names."""
_ENGLISH = {name: english for english, names in _TRANSLATED.items() for name in names}
_NAME = re.compile(r"attribute(\d+)name$")
_ATTRIBUTE = re.compile(r"attri|atri|atry|eigenschap|kenmerk")

NAMES = {
    role: tuple(name for english in names for name in (english, *_TRANSLATED.get(english, ())))
    for role, names in {
        "id": ("id",),
        "image": ("images",),
        "title": ("name",),
        "description": ("description", "shortdescription"),
        "category": ("categories",),
        "price": ("regularprice", "price"),
    }.items()
}

_DROPPED = frozenset(
    ("id", "name", "description", "shortdescription", "images", "parent", "regularprice", "price")
)


_is_csv = told_by("id type name images regularprice|published|parent")


def is_csv(columns: frozenset[str]) -> bool:
    """Whether bare column names are those of the exporter, in any of its languages."""
    return _is_csv(frozenset(map(_english, columns)))


def _english(column: str) -> str:
    """What the exporter calls a column in English; bare names.

    Those of attributes are told by their stems: "Valeur(s) de l'attribut 1", "Attributo 1 nome".
    """
    number = re.search(r"\d+", column)
    if number is None or not _ATTRIBUTE.search(column):
        return _ENGLISH.get(column, column)
    if re.search(r"val|wert|waarde|wart", column):
        return f"attribute{number[0]}values"
    named = re.search(r"nam|nom|naam|nazw", column)
    return f"attribute{number[0]}{'name' if named else 'further'}"


def _row(record: Record) -> Row:
    row = Row(record)
    cells = list(row.cells.items())
    row.cells = {}
    for name, cell in cells:
        row.cells.setdefault(_english(name), cell)
    return row


def products(records: Iterable[Record]) -> Iterator[Product]:
    """A row of type "variation" belongs to the row that its `Parent` names, by SKU or "id:12"."""
    rows = [_row(record) for record in records]
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
    dropped = _DROPPED | {"categories", "type"}
    further = {
        name: value
        for name, value in row.record.values.items()
        if (english := _english(bare(name))) not in dropped
        and not re.match(r"attribute\d", english)
    }
    said = row.text("type")
    garment = said and said.casefold() not in KINDS_OF_PRODUCT  # a catalogue of the same columns
    values = {"category": row.get("categories") or (said if garment else None), **further}
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
    own = {
        name: value
        for name, value in row.record.values.items()
        if _english(bare(name)) in ("sku", "saleprice")
    }
    return Variant(
        row.record.origin,
        _attributes(row),
        _pictures(row),
        row.get("regularprice", "price"),
        row.text("id"),
        own,
    )


def _orphan(row: Row, found: dict[str, Product]) -> Product:
    """A product for a variation whose parent is not in the file."""
    product = _product(row)
    product.model = row.text("parent").removeprefix("id:") or product.model
    return found.setdefault(product.model, product)


def _attributes(row: Row) -> dict[str, str]:
    numbers = sorted({int(m[1]) for name in row.cells if (m := _NAME.match(name))})
    pairs = ((row.text(f"attribute{n}name"), row.text(f"attribute{n}values")) for n in numbers)
    return {name: value for name, value in pairs if name and value}


def _pictures(row: Row) -> list[object]:
    """Addresses one by one; other cells as they stand, since a file's own name may hold a comma,
    which only the finder can tell.
    """
    cell = row.get("images")
    if isinstance(cell, str) and "://" in cell:
        return list(entries(cell))
    return [] if cell is None else [cell]
