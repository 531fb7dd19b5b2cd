"""Words of fashion: which names mean the same garment or colour, and which name contains which.

Catalogues label the same thing differently ("Tshirts", "T-Shirt", "tee") and at different depth
("shoes" on one photo, "heels" on another). The tables below bring labels to one canonical name
each, give the other words people use for it, and say what it is a kind of. `relation` is what
training and evaluation ask: is a word true of a garment that carries this label?
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from coordi.errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class Concept:
    """A canonical name, the words used for it, and the wider concept it is a kind of."""

    name: str
    words: tuple[str, ...]
    """What people say, most usual first; these go into captions."""
    labels: tuple[str, ...] = ()
    """Further spellings that only catalogues use."""
    parent: str | None = None


def _c(name: str, words: str, labels: str = "", parent: str | None = None) -> Concept:
    return Concept(name, _split(words), _split(labels), parent)


def _split(words: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in words.split(",") if word.strip())


CATEGORIES: Mapping[str, Concept] = {
    c.name: c
    for c in (
        _c("top", "top", "tops, camisole, camisoles, baby dolls"),
        _c("t-shirt", "t-shirt, tee, tshirt", "tshirts, lounge tshirts, t shirt", "top"),
        _c("long-sleeve top", "long-sleeve top, long-sleeved tee", "longsleeve", "top"),
        _c("shirt", "shirt, button-up shirt, dress shirt", "shirts", "top"),
        _c("blouse", "blouse", "", "top"),
        _c("polo", "polo shirt, polo", "poloshirt, poloshirts", "top"),
        _c("tank top", "tank top, undershirt, vest top", "undershirt, innerwear vests", "top"),
        _c("bodysuit", "bodysuit, body", "body, bodysuits", "top"),
        _c("tunic", "tunic", "tunics", "top"),
        _c("kurta", "kurta, kurti, ethnic tunic", "kurtas, kurtis, kurta sets", "top"),
        _c("knitwear", "knitwear, knit"),
        _c("sweater", "sweater, jumper, pullover", "sweaters, jumper", "knitwear"),
        _c("cardigan", "cardigan", "cardigans, shrug", "knitwear"),
        _c("sweater vest", "sweater vest, knitted vest", "cardigan vest", "knitwear"),
        _c("sweatshirt", "sweatshirt", "sweatshirts", "top"),
        _c("hoodie", "hoodie, hooded sweatshirt", "", "sweatshirt"),
        _c("outerwear", "outerwear, jacket or coat", "outwear"),
        _c(
            "jacket",
            "jacket",
            "jackets, leather jacket, rain jacket, jacket (cazadora)",
            "outerwear",
        ),
        _c("blazer", "blazer, suit jacket", "blazers, nehru jackets", "outerwear"),
        _c("coat", "coat, overcoat", "coats, cape, poncho", "outerwear"),
        _c("trench coat", "trench coat, trenchcoat", "trenchcoats", "coat"),
        _c(
            "puffer coat",
            "puffer coat, puffer jacket, padded coat, parka",
            "puffer coats, parkas",
            "outerwear",
        ),
        _c("waistcoat", "waistcoat, vest, gilet", "outer vest"),
        _c("overshirt", "overshirt, shacket", "", "outerwear"),
        _c("dress", "dress, gown", "dresses, kaftan, pichi, nightdress, nightgown"),
        _c("saree", "saree, sari", "sarees, lehenga choli"),
        _c("jumpsuit", "jumpsuit, playsuit", "jumpsuits, romper, rompers, overall"),
        _c("skirt", "skirt", "skirts"),
        _c(
            "trousers",
            "trousers, pants, slacks",
            "capris, salwar, patiala, churidar, rain trousers",
        ),
        _c("jeans", "jeans, denim trousers", "jeggings", "trousers"),
        _c("joggers", "joggers, track pants, sweatpants", "lounge pants", "trousers"),
        _c("leggings", "leggings", "leggings and joggers", "trousers"),
        _c("shorts", "shorts", "lounge shorts, bermudas"),
        _c("suit", "suit, tracksuit", "tracksuits, clothing set"),
        _c("shoes", "shoes, footwear", "flats, loafers, clogs, slippers, casual shoes"),
        _c("trainers", "trainers, sneakers, sports shoes, running shoes", "", "shoes"),
        _c("formal shoes", "formal shoes, dress shoes", "", "shoes"),
        _c("heels", "heels, high heels, pumps", "wedges", "shoes"),
        _c("sandals", "sandals", "sandal, sports sandals", "shoes"),
        _c("flip flops", "flip flops", "", "sandals"),
        _c("boots", "boots, ankle boots", "booties, ankle boot", "shoes"),
        _c(
            "bag",
            "bag",
            "bags, laptop bag, duffel bag, messenger bag, trolley bag, waist pouch, "
            "bucket bag, citybag, basket, mini bag, belt bag",
        ),
        _c("handbag", "handbag, purse", "handbags", "bag"),
        _c("shoulder bag", "shoulder bag", "", "bag"),
        _c("crossbody bag", "crossbody bag", "", "bag"),
        _c("tote bag", "tote bag, shopper", "totes bag", "bag"),
        _c("backpack", "backpack, rucksack", "backpacks", "bag"),
        _c("clutch", "clutch, evening bag", "clutches, clutch and pochettes", "bag"),
        _c("wallet", "wallet", "wallets, card holder"),
        _c("hat", "hat", "hats, hats"),
        _c("cap", "cap, baseball cap", "caps", "hat"),
        _c("beanie", "beanie, knitted hat", "", "hat"),
        _c("scarf", "scarf, shawl", "scarves, stoles, mufflers, dupatta, foulard, kerchief"),
        _c("gloves", "gloves"),
        _c("belt", "belt", "belts"),
        _c("tie", "tie, necktie", "ties"),
        _c("sunglasses", "sunglasses, shades", "glasses"),
        _c("watch", "watch, wristwatch", "watches"),
        _c("jewellery", "jewellery, jewelry", "jewellery set, bangle, pendant, cufflinks"),
        _c("earrings", "earrings", "earring", "jewellery"),
        _c("necklace", "necklace, chain", "necklace and chains, pendant", "jewellery"),
        _c("ring", "ring", "", "jewellery"),
        _c("bracelet", "bracelet", "", "jewellery"),
        _c("socks", "socks, pair of socks", "stockings"),
        _c("tights", "tights, hosiery", ""),
        _c("bra", "bra, bralette", "bras"),
        _c("briefs", "briefs, underwear, panties", "trunk, boxers, panties"),
        _c("swimwear", "swimwear, swimsuit, bikini", "bikini top, bikini pantie, swimsuit"),
        _c(
            "nightwear",
            "nightwear, pyjamas, pajamas",
            "night suits, pyjama, pyjama trousers, "
            "pyjama shirt, pyjiama sweater, pyjama shorts, pyjama t-shirt, pyjama top, "
            "pyjama sweatshirt, pyjama cardigan, bath robe, dressing gown (bata)",
        ),
    )
}
"""Canonical garment categories."""

COLORS: Mapping[str, Concept] = {
    c.name: c
    for c in (
        _c("black", "black", "negro, tejano negro, blueblack, misterio"),
        _c("white", "white", "blanco"),
        _c(
            "off-white",
            "off-white, ecru, cream, ivory",
            "off white, crudo, offwhite, marfil, vainilla, perla, hielo",
            "white",
        ),
        _c(
            "grey",
            "grey, gray",
            "gris, steel, taupe grey, ceniza, piedra, gris medio vigore, "
            "gris claro vigore, gris oscuro vigore, grey melange, gunmetal, tejano gris oscuro, "
            "tejano gris claro",
        ),
        _c("charcoal", "charcoal, dark grey", "antracita, asfalto", "grey"),
        _c("silver", "silver", "plata, metallic"),
        _c("gold", "gold, golden", "oro"),
        _c("blue", "blue", "azul, tinta, indigo, prusia"),
        _c("navy", "navy, navy blue, dark blue", "navy blue, marino, azul noche", "blue"),
        _c("light blue", "light blue, sky blue", "celeste, agua, bleach", "blue"),
        _c(
            "denim blue",
            "denim blue",
            "tejano medio, tejano oscuro, tejano claro, tejano soft, "
            "dirty, dirty oscuro, dirty claro",
            "blue",
        ),
        _c("turquoise", "turquoise, teal", "turquoise blue, turquesa, petroleo, sea green"),
        _c(
            "green",
            "green",
            "verde, botella, esmeralda, billar, caza, lime green, fluorescent green, lima, musgo",
        ),
        _c("olive", "olive, khaki green", "oliva", "green"),
        _c("mint", "mint, pastel green", "verde pastel, menta", "green"),
        _c("khaki", "khaki", ""),
        _c("red", "red", "rojo, cereza, fresa, blood"),
        _c("burgundy", "burgundy, maroon, wine red", "burdeos, granate, vino, ciruela", "red"),
        _c("orange", "orange", "naranja, mandarina, naranja pastel"),
        _c("rust", "rust, terracotta, copper", "terracota, caldero, cobre, bronze"),
        _c("coral", "coral, peach, salmon", "salmon"),
        _c("yellow", "yellow", "amarillo, amarillo pastel"),
        _c("mustard", "mustard, ochre", "mostaza, ocre", "yellow"),
        _c("pink", "pink", "rosa, rosa pastel, rosa palo, rosa light, rose, chicle"),
        _c("fuchsia", "fuchsia, magenta, hot pink", "fucsia", "pink"),
        _c("purple", "purple, violet", "morado, violeta"),
        _c("lavender", "lavender, lilac, mauve", "malva, lila", "purple"),
        _c(
            "brown",
            "brown",
            "marron, chocolate, tabaco, coffee, coffee brown, mushroom brown, topo, taupe",
        ),
        _c("camel", "camel, tan", "cuero, caramelo, cognac", "brown"),
        _c("beige", "beige, sand, nude", "arena, vison, skin"),
        _c("multicolour", "multicolour, multicolored", "multi"),
    )
}
"""Canonical colours."""


def canonical(label: str, table: Mapping[str, Concept]) -> str | None:
    """The canonical name that `label` means in `table`, or None where no entry knows it."""
    return _lookup(table).get(_normal(label))


_LOOKUPS: dict[int, dict[str, str]] = {}


def _lookup(table: Mapping[str, Concept]) -> dict[str, str]:
    found = _LOOKUPS.get(id(table))
    if found is None:
        found = {}
        for concept in table.values():
            for label in (concept.name, *concept.words, *concept.labels):
                found.setdefault(_normal(label), concept.name)
        # A canonical name always means itself, whoever else lists it as a synonym.
        found.update({_normal(name): name for name in table})
        _LOOKUPS[id(table)] = found
    return found


def _normal(label: str) -> str:
    return re.sub(r"[\s_]+", " ", label.strip().lower())


def ancestors(name: str, table: Mapping[str, Concept]) -> tuple[str, ...]:
    """The wider concepts of `name`, nearest first; `UnknownNameError` where it has no entry."""
    if name not in table:
        raise UnknownNameError("concept", name, table)
    out: list[str] = []
    parent = table[name].parent
    while parent is not None:
        out.append(parent)
        parent = table[parent].parent
    return tuple(out)


def relation(word: str | None, label: str | None, table: Mapping[str, Concept]) -> int:
    """Whether `word` is true of a garment labelled `label`: 1 yes, −1 no, 0 cannot be known.

    A garment labelled "heels" is "shoes" (1); one labelled "shoes" may be "heels" (0). A word
    of None asks for nothing and is true of everything; a garment without a label is unknown.
    """
    if word is None:
        return 1
    if label is None:
        return 0
    if word == label or word in ancestors(label, table):
        return 1
    return 0 if label in ancestors(word, table) else -1


_COLOR_WORDS = re.compile(
    r"\b("
    + "|".join(
        sorted(
            {re.escape(w) for c in COLORS.values() for w in (c.name, *c.words)},
            key=len,
            reverse=True,
        )
    )
    + r")\b",
    re.IGNORECASE,
)


def without_colors(title: str) -> str:
    """`title` in lower case without its colour words: the same garment whatever its colour."""
    return re.sub(r"\s+", " ", _COLOR_WORDS.sub(" ", title)).strip().lower()
