"""What a drawn garment is: its kinds, the attributes of each kind, and its title in a shop."""

from dataclasses import dataclass

SLEEVE_WORDS = {
    "sleeveless": "sleeveless",
    "short": "short-sleeve",
    "three-quarter": "three-quarter-sleeve",
    "long": "long-sleeve",
}
NECKLINE_WORDS = {
    "crew": "crew-neck",
    "v-neck": "v-neck",
    "scoop": "scoop-neck",
    "boat": "boat-neck",
    "turtleneck": "turtleneck",
    "button-down": "button-down",
    "band": "band-collar",
}
PATTERN_WORDS = {
    "plain": "",
    "stripes": "striped",
    "checks": "checked",
    "dots": "polka-dot",
    "floral": "floral",
}


@dataclass(frozen=True, slots=True)
class Garment:
    """One drawn garment; "" where a kind lacks the attribute.

    Colour, pattern, second colour, sleeve, neckline, length and silhouette can be seen in its
    picture; material, occasion, season and price cannot.
    """

    id: str
    kind: str
    color: str
    pattern: str
    second_color: str
    """The pattern's colour; not seen while the pattern is "plain"."""
    sleeve: str
    neckline: str
    length: str
    silhouette: str
    material: str
    occasion: str
    season: str
    price: float
    """In whole currency units less five hundredths, as shops like it."""
    jitter: int
    """Seeds what differs between two garments of the same words: dye lot, proportions, folds."""

    @property
    def slot(self) -> str:
        """Where on the body it is worn."""
        return KINDS[self.kind].slot

    @property
    def title(self) -> str:
        """Its name in a shop: every attribute that can be seen, then what it is."""
        pattern = PATTERN_WORDS[self.pattern]
        color = self.color if not pattern else f"{self.color} and {self.second_color}"
        kind = KINDS[self.kind]
        words = (
            color,
            pattern,
            "" if self.silhouette == "regular" or kind.nouns else self.silhouette,
            "" if self.length == "regular" else self.length,
            SLEEVE_WORDS.get(self.sleeve, ""),
            self.material,
            NECKLINE_WORDS.get(self.neckline, ""),
            kind.noun(self.silhouette),
        )
        title = " ".join(word for word in words if word)
        return title[0].upper() + title[1:]

    @property
    def look(self) -> tuple[str, ...]:
        """All that a picture of it shows, apart from `jitter`: equal looks are twins."""
        second = "" if self.pattern == "plain" else self.second_color
        shape = (self.sleeve, self.neckline, self.length, self.silhouette)
        return (self.kind, self.color, self.pattern, second, *shape)


@dataclass(frozen=True, slots=True)
class Kind:
    """What garments of one kind can be; the first value of each attribute is the commonest."""

    slot: str
    price: tuple[int, int]
    materials: tuple[str, ...]
    occasions: tuple[str, ...]
    seasons: tuple[str, ...]
    patterns: tuple[str, ...] = ("plain", "stripes", "checks", "dots", "floral")
    sleeves: tuple[str, ...] = ("",)
    necklines: tuple[str, ...] = ("",)
    lengths: tuple[str, ...] = ("",)
    silhouettes: tuple[str, ...] = ("",)
    colors: tuple[str, ...] = ()
    """Empty: all of them."""
    name: str = ""
    """What a shop calls it at the end of a title."""
    nouns: tuple[str, ...] = ()
    """What a shop calls each silhouette, where that says it all: a beanie."""

    def noun(self, silhouette: str) -> str:
        """Name the garment at the end of its title."""
        return self.nouns[self.silhouettes.index(silhouette)] if self.nouns else self.name


_ALL_SLEEVES = ("short", "long", "sleeveless", "three-quarter")
_YEAR = ("all year", "summer", "winter")
_ALL_DAY = ("casual", "office", "evening")

KINDS: dict[str, Kind] = {
    "tee": Kind(
        "top",
        (12, 39),
        ("cotton", "jersey", "linen"),
        ("casual",),
        ("summer", "all year"),
        sleeves=_ALL_SLEEVES,
        necklines=("crew", "v-neck", "scoop", "boat"),
        lengths=("regular", "cropped"),
        silhouettes=("regular", "slim", "loose"),
        name="tee",
    ),
    "jeans": Kind(
        "bottom",
        (39, 119),
        ("denim",),
        ("casual",),
        ("all year",),
        ("plain",),
        lengths=("full-length", "cropped"),
        silhouettes=("straight", "slim", "wide-leg"),
        colors=("blue", "navy", "light blue", "black", "grey", "white"),
        name="jeans",
    ),
    "sneakers": Kind(
        "shoes",
        (49, 139),
        ("canvas", "leather"),
        ("casual",),
        ("all year", "summer"),
        ("plain", "stripes", "checks"),
        silhouettes=("low-top", "high-top"),
        name="sneakers",
    ),
    "dress": Kind(
        "dress",
        (39, 189),
        ("cotton", "viscose", "silk", "linen"),
        _ALL_DAY,
        _YEAR,
        sleeves=("short", "sleeveless", "long", "three-quarter"),
        necklines=("crew", "v-neck", "scoop", "boat"),
        lengths=("knee-length", "mini", "maxi"),
        silhouettes=("flared", "fitted"),
        name="dress",
    ),
    "jacket": Kind(
        "outer",
        (69, 249),
        ("leather", "nylon", "cotton"),
        ("casual",),
        ("all year", "winter"),
        ("plain", "checks"),
        necklines=("band", "button-down"),
        lengths=("regular", "cropped"),
        silhouettes=("regular", "slim", "loose"),
        name="jacket",
    ),
    "bag": Kind(
        "bag",
        (29, 219),
        ("leather", "canvas", "suede"),
        _ALL_DAY,
        ("all year",),
        ("plain", "stripes", "checks", "floral"),
        silhouettes=("tote", "shoulder", "backpack"),
        nouns=("tote bag", "shoulder bag", "backpack"),
    ),
    "shirt": Kind(
        "top",
        (29, 99),
        ("cotton", "linen", "poplin", "silk"),
        ("office", "casual", "evening"),
        ("all year", "summer"),
        sleeves=("long", "short", "sleeveless", "three-quarter"),
        necklines=("button-down", "band"),
        lengths=("regular", "cropped", "tunic"),
        silhouettes=("regular", "slim", "loose"),
        name="shirt",
    ),
    "trousers": Kind(
        "bottom",
        (39, 129),
        ("wool", "cotton", "linen"),
        ("office", "evening", "casual"),
        _YEAR,
        ("plain", "stripes", "checks"),
        lengths=("full-length", "cropped"),
        silhouettes=("straight", "slim", "wide-leg"),
        name="trousers",
    ),
    "pumps": Kind(
        "shoes",
        (59, 199),
        ("leather", "suede", "satin"),
        ("office", "evening"),
        ("all year",),
        ("plain", "dots", "floral"),
        silhouettes=("high-heel", "low-heel", "flat"),
        name="pumps",
    ),
    "blazer": Kind(
        "outer",
        (89, 299),
        ("wool", "linen", "cotton"),
        ("office", "evening"),
        _YEAR,
        ("plain", "stripes", "checks"),
        lengths=("regular", "cropped", "longline"),
        silhouettes=("single-breasted", "double-breasted"),
        name="blazer",
    ),
    "knit": Kind(
        "top",
        (39, 149),
        ("wool", "cashmere", "cotton"),
        ("casual", "office"),
        ("winter", "all year"),
        ("plain", "stripes", "checks", "dots"),
        sleeves=("long", "short", "sleeveless", "three-quarter"),
        necklines=("crew", "turtleneck", "v-neck"),
        lengths=("regular", "cropped"),
        silhouettes=("regular", "slim", "loose"),
        name="sweater",
    ),
    "skirt": Kind(
        "bottom",
        (29, 109),
        ("cotton", "wool", "viscose"),
        _ALL_DAY,
        _YEAR,
        lengths=("knee-length", "mini", "maxi"),
        silhouettes=("a-line", "pencil", "pleated"),
        name="skirt",
    ),
    "boots": Kind(
        "shoes",
        (89, 259),
        ("leather", "suede"),
        ("casual", "office"),
        ("winter", "all year"),
        ("plain",),
        lengths=("ankle", "knee-high"),
        silhouettes=("flat", "block-heel"),
        name="boots",
    ),
    "hat": Kind(
        "hat",
        (15, 79),
        ("wool", "cotton", "felt"),
        ("casual",),
        _YEAR,
        ("plain", "stripes", "checks"),
        silhouettes=("cap", "beanie", "wide-brim"),
        nouns=("cap", "beanie", "wide-brim hat"),
    ),
    "coat": Kind(
        "outer",
        (119, 399),
        ("wool", "cashmere", "cotton"),
        _ALL_DAY,
        ("winter", "all year"),
        ("plain", "checks"),
        lengths=("knee-length", "thigh-length", "maxi"),
        silhouettes=("single-breasted", "double-breasted", "belted"),
        name="coat",
    ),
    "hoodie": Kind(
        "top",
        (35, 99),
        ("cotton", "fleece"),
        ("casual",),
        ("all year", "winter"),
        ("plain", "stripes", "dots"),
        sleeves=("long", "short"),
        lengths=("regular", "cropped"),
        silhouettes=("pullover", "zip-up"),
        name="hoodie",
    ),
    "shorts": Kind(
        "bottom",
        (19, 69),
        ("cotton", "linen"),
        ("casual",),
        ("summer",),
        lengths=("short", "knee-length"),
        silhouettes=("regular", "slim", "loose"),
        name="shorts",
    ),
    "scarf": Kind(
        "scarf",
        (19, 89),
        ("wool", "cashmere", "silk"),
        _ALL_DAY,
        ("winter", "all year"),
        lengths=("long", "short"),
        name="scarf",
    ),
    "cardigan": Kind(
        "outer",
        (45, 159),
        ("wool", "cashmere", "cotton"),
        ("casual", "office"),
        ("all year", "winter"),
        ("plain", "stripes", "checks", "dots"),
        sleeves=("long", "three-quarter", "short"),
        necklines=("v-neck", "crew"),
        lengths=("regular", "cropped", "longline"),
        name="cardigan",
    ),
}
"""Every kind, in the order in which a wardrobe is filled: the first few make an outfit."""
