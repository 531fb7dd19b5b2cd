"""Variants of products → records of items: sizes of one picture are one item, colours are several.

Every export says in its own way which rows belong together; from there on they are alike.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from coordi.data.prices import find_notation
from coordi.data.readers.table import Record
from coordi.types import Origin

SIZE = re.compile(
    r"\bsizes?\b|gr(ö|oe?)(ß|ss)e|taille|talla|tama[nñ]h?o|taglia|\bmaat|rozmiar|velikost|koko"
    r"|storlek|størrelse|méret|beden|サイズ|사이즈|尺码|尺碼|尺寸|размер",
    re.IGNORECASE,
)
"""Names of options that say a size."""

COLOR = re.compile(
    r"colou?r|farbe|couleur|colore|\bcor\b|kleur|kolor|barva|väri|farve|farge|färg|szín|renk"
    r"|カラー|^色$|색상|颜色|顏色|цвет",
    re.IGNORECASE,
)
"""Names of options that say a colour."""

HIGHEST = "highest_price"
"""Field with the highest price of an item whose sizes differ in price."""


@dataclass(slots=True)
class Variant:
    """One variant of a product as its export states it."""

    origin: Origin
    options: dict[str, str] = field(default_factory=dict)
    """Option → value, such as {"Size": "M", "Color": "Red"}."""
    pictures: list[object] = field(default_factory=list)
    """Its own pictures, the main one first; none where it has those of the product."""
    price: object = None
    id: str = ""
    """Its own id; "" where the export has none that is sure to stay."""
    values: dict[str, object] = field(default_factory=dict)
    """Further columns of its own."""


@dataclass(slots=True)
class Product:
    """A garment with its variants."""

    origin: Origin
    model: str
    title: object = ""
    description: object = ""
    pictures: list[object] = field(default_factory=list)
    price: object = None
    values: dict[str, object] = field(default_factory=dict)
    """Further columns: category, brand, url and whatever else the export has."""
    variants: list[Variant] = field(default_factory=list)


def records_of(product: Product) -> list[Record]:
    """One record an item: for every combination of options but the size, and every main picture."""
    groups: dict[tuple[object, ...], list[Variant]] = {}
    for variant in product.variants or [Variant(product.origin)]:
        groups.setdefault(_looks(variant), []).append(variant)
    looks = list(groups.values())
    pictures = _pictures_of(product, [group[0] for group in looks])
    return [
        _record(product, group, id, shown)
        for group, id, shown in zip(looks, _ids(product, looks), pictures, strict=True)
    ]


def _pictures_of(product: Product, looks: Sequence[Variant]) -> list[list[object]]:
    """The pictures of each look, its own first, then those of the product that may show it.

    Where the product's pictures hold a look's own one, those that follow it, up to another look's
    own, belong to that look alone, as shops order them. All others belong to every look, or, where
    looks have no picture of their own, to those alone.
    """
    shared = list(dict.fromkeys(map(_hashable, product.pictures)))
    own = [list(dict.fromkeys(map(_hashable, look.pictures))) for look in looks]
    starts = {pictures[0]: n for n, pictures in enumerate(own) if pictures}
    owner: int | None = None
    followers: dict[int | None, list[object]] = {}
    for picture in shared:
        owner = starts.get(picture, owner)
        followers.setdefault(owner, []).append(picture)
    if len(looks) == 1:
        return [list(dict.fromkeys((*own[0], *shared)))]
    common = followers.get(None, []) if all(own) else []
    return [
        list(dict.fromkeys((*pictures, *followers.get(n, ()), *common))) if pictures else shared
        for n, pictures in enumerate(own)
    ]


def sizes_of(variants: Iterable[Variant]) -> list[str]:
    """Their sizes, in the export's order."""
    found = (
        value for v in variants for name, value in v.options.items() if SIZE.search(name) and value
    )
    return list(dict.fromkeys(found))


def _looks(variant: Variant) -> tuple[object, ...]:
    """What tells two items of one product apart."""
    options = [o for o in variant.options.items() if not SIZE.search(o[0])]
    return (*options, str(variant.pictures[0]) if variant.pictures else "")


def _ids(product: Product, groups: Sequence[Sequence[Variant]]) -> list[str]:
    """Ids that stay when the shop exports again."""
    own = [group[0].id for group in groups]
    if all(own) and len(set(own)) == len(own):
        return own
    if len(groups) == 1:
        return [product.model]
    names = ["/".join((product.model, *_named(group[0]))) for group in groups]
    return [name if names.count(name) == 1 else f"{name}/{n}" for n, name in enumerate(names, 1)]


def _named(variant: Variant) -> list[str]:
    return [value for name, value in variant.options.items() if value and not SIZE.search(name)]


def _record(
    product: Product, group: Sequence[Variant], id: str, pictures: Sequence[object]
) -> Record:
    first = group[0]
    lowest, highest = price_range([v.price for v in group if _filled(v.price)])
    values: dict[str, object] = {
        "id": id,
        "image": list(pictures),
        "title": product.title,
        "description": product.description,
        "price": lowest or product.price,
        "model": product.model,
    }
    values |= {name: value for name, value in product.values.items() if name not in values}
    values |= {n: v for n, v in first.values.items() if n not in ("id", "image") and _filled(v)}
    for name, value in first.options.items():
        if not SIZE.search(name) and value:
            values["color" if COLOR.search(name) else name] = value
    if sizes := sizes_of(group):
        values["sizes"] = ";".join(sizes)
    if highest is not None:
        values[HIGHEST] = highest
    return Record(first.origin, values)


def price_range(prices: Sequence[object]) -> tuple[object, object]:
    """The lowest of prices in whatever notation, and the highest where it differs, else None.

    Where they cannot be compared the first stands for all; (None, None) where there are none.
    """
    texts = [str(price) for price in prices]
    notation = find_notation(Counter(texts))
    known = {n: read[0] for n, text in enumerate(texts) if (read := notation.read(text))}
    if not prices or not known:
        return (prices[0] if prices else None), None
    low, high = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    return prices[low], prices[high] if known[high] > known[low] else None


def _filled(value: object) -> bool:
    return value is not None and value != ""


def _hashable(picture: object) -> object:
    return picture if isinstance(picture, str | bytes) else str(picture)
