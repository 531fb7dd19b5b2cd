"""What the finder tells apart: kinds of garment, each of one family, and what is no garment."""

from coordi.errors import UnknownNameError

GROUND = ("background", "skin", "hair")
"""What a pixel can be beside a garment; background is class 0."""

FAMILIES: dict[str, tuple[str, ...]] = {
    "top": ("t-shirt", "top", "blouse", "shirt", "sweater", "sweatshirt", "vest", "bodysuit"),
    "outer": ("jacket", "blazer", "suit", "coat", "cape", "cardigan"),
    "dress": ("dress", "jumpsuit"),
    "bottom": ("trousers", "jeans", "shorts", "skirt", "leggings"),
    "legwear": ("tights", "socks"),
    "shoes": ("shoes", "boots", "sandals", "heels"),
    "bag": ("bag", "purse"),
    "hat": ("hat",),
    "scarf": ("scarf",),
    "glasses": ("sunglasses", "glasses"),
    "belt": ("belt",),
    "tie": ("tie",),
    "gloves": ("gloves",),
    "watch": ("watch",),
    "jewellery": ("jewellery",),
    "swimwear": ("swimwear",),
}
"""Family → its kinds. Where kinds of a family meet in one photo, they rarely lie side by side: a
garment is found as a region of its family, and its kind is told from the whole region."""

CLASSES = (*GROUND, *(kind for kinds in FAMILIES.values() for kind in kinds))
"""Every class by its number."""

FAMILY_OF = {kind: family for family, kinds in FAMILIES.items() for kind in kinds}

NUMBER = {name: number for number, name in enumerate(CLASSES)}


def numbers(*names: str) -> frozenset[int]:
    """Class numbers of kinds, families and what is no garment; `UnknownNameError` for others."""
    found: set[int] = set()
    for name in names:
        if name not in NUMBER and name not in FAMILIES:
            raise UnknownNameError("kind of garment", name, [*NUMBER, *FAMILIES])
        # A family that bears the name of one of its kinds ("dress") means the kind here.
        kinds = (name,) if name in NUMBER else FAMILIES[name]
        found.update(NUMBER[kind] for kind in kinds)
    return frozenset(found)
