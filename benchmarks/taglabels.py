"""Pictures whose tags are known, for `benchmarks/tags.py`: labels that people gave.

Kinds, colours and genders are columns. Patterns, sleeves and necklines of kaggle are what titles
say ("Striped", "Sleeveless", "V Neck"); sleeves of closet follow from its labels (people told a
T-shirt from a longsleeve and an undershirt); patterns/ says what a worn dress shows. Titles say so
little of sleeves, necklines and lengths that somebody looked at 538 pictures (`EYES`). What a label
means is said by the vocabulary (`coordi.words`), or below where that does not know it.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from coordi.data.splits import Split, split_of
from coordi.data.vocabulary import COLORS, canonical, without_colors
from coordi.types import ImageRef
from coordi.words import by_id, concepts, understand

KINDS: Mapping[str, str] = {
    "Innerwear Vests": "tank top", "Outwear": "outerwear", "Ties": "tie", "Kurtis": "kurta",
    "Scarves": "scarf", "Trunk": "boxers", "Waist Pouch": "bag", "Kerchief": "scarf",
    "Citybag": "bag", "Basket": "bag", "Overall": "jumpsuit", "Outer vest": "waistcoat",
    "Messenger Bag": "bag", "Flats": "shoes", "Jeggings": "leggings", "Track Pants": "joggers",
    "Cardigan Vest": "sweater vest", "Glasses": "glasses", "Camisoles": "tank top",
    "Accessory Gift Set": "", "Fragrance Gift Set": "", "Face Scrub and Exfoliator": "",
    "Body Wash and Scrub": "", "Key chain": "", "Plaid": "", "Shoe Accessories": "",
    "Salwar and Dupatta": "salwar kameez", "Salwar": "salwar kameez", "Other": "", "Skip": "",
    "Not sure": "", "Ties and Cufflinks": "", "Nightdress": "nightwear", "Nightgown": "nightwear",
}  # fmt: skip
"""Labels of kinds that the vocabulary reads otherwise than these sources mean them; "" is none."""

PATTERNS: Mapping[str, str] = {
    "squares": "checked", "animal": "animal print", "ikat": "geometric", "geometry": "geometric",
    "tribal": "geometric", "chevron": "geometric", "cartoon": "graphic", "scales": "",
    "skull": "graphic", "other": "", "stripes": "striped", "polka-dot": "polka dot",
}  # fmt: skip
"""Labels of patterns/ as the vocabulary calls them; tribal, ikat and chevron are geometric."""

SLEEVES = {"T-Shirt": "short sleeve", "Longsleeve": "long sleeve", "Undershirt": "sleeveless",
           "Polo": "short sleeve", "Hoodie": "long sleeve", "Blazer": "long sleeve"}  # fmt: skip
"""What a label of closet says of sleeves."""

TITLED = ("pattern", "sleeve", "neckline", "length")
"""Attributes that are read from titles."""

SCARCE = {
    "printed": "printed", "logo": "graphic", "lettering": "graphic", "stars": "printed",
    "hearts": "printed", "plaid": "checked", "gingham": "checked", "snake print": "",
}  # fmt: skip
"""Patterns of titles with too few pictures of their own, under what they are a kind of. "Crocs" is
a brand, no snake print."""

LENGTHS = frozenset({"mini", "knee length", "midi", "maxi"})
"""Lengths of garments; "short" and "long" in a title are sleeves, shorts and wallets."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One picture and what is known of it."""

    source: str
    id: str
    image: ImageRef
    side: Split
    labels: Mapping[str, str] = field(default_factory=dict)
    """Attribute → name in the vocabulary."""
    group: str = ""
    """Pictures of one group never stand on two sides."""


def gather(data: Path) -> list[Labelled]:
    """All labelled pictures, of the sources that are there."""
    readers = (_kaggle, _mango, _closet, _patterns, _seen)
    return [one for reader in readers for one in reader(data)]


@cache
def kind_of(label: str) -> str | None:
    """The vocabulary's name of a kind."""
    if label in KINDS:
        return KINDS[label] or None
    return _named(label, "category")


@cache
def color_of(label: str) -> str | None:
    """The vocabulary's name of a colour; several in one are none of them."""
    found = canonical(label, COLORS)
    return None if found == "multicolour" else found


@cache
def _named(text: str, aspect: str) -> str | None:
    chips = [chip for chip in understand(text).chips if chip.aspect == aspect]
    return chips[0].value if chips and not chips[0].negative else None


@cache
def _telling() -> re.Pattern[str]:
    """What a title must have to say anything: reading every title would take half a minute."""
    words = {word for one in concepts() if one.aspect in TITLED for word in one.words("en")}
    return re.compile("|".join(sorted(map(re.escape, words), key=len, reverse=True)))


def _of_title(title: str) -> Iterator[tuple[str, str]]:
    if not _telling().search(title.lower()):
        return
    chips = [chip for chip in understand(title).chips if not chip.negative and chip.where is None]
    for attribute in TITLED:
        said = {chip.value for chip in chips if chip.aspect == attribute}
        if attribute == "pattern":
            said = {name for one in said if (name := SCARCE.get(one, one))}
            said = said - {"printed"} or said  # "floral print" is floral
        elif attribute == "length":
            said &= LENGTHS
        if len(said) == 1:
            yield attribute, said.pop()


def _kaggle(data: Path) -> Iterator[Labelled]:
    import pyarrow.parquet as pq

    for file in sorted((data / "kaggle").glob("*.parquet")):
        for row in pq.read_table(file).to_pylist():
            if row["masterCategory"] not in ("Apparel", "Accessories", "Footwear"):
                continue
            title = row["productDisplayName"] or ""
            larger = data / "kaggle224" / f"{row['id']}.webp"
            image = ImageRef(larger) if larger.exists() else ImageRef(data=row["image"]["bytes"])
            labels = _known({"category": kind_of(row["articleType"] or ""),
                             "color": color_of(row["baseColour"] or ""),
                             "gender": _named(row["gender"] or "", "gender")})  # fmt: skip
            if row["masterCategory"] == "Apparel":
                labels |= dict(_of_title(title))
            bare = without_colors(title)
            yield Labelled("kaggle", row["id"], image, split_of(bare), labels, bare)


def _mango(data: Path) -> Iterator[Labelled]:
    for row in _rows(data / "mango" / "products.csv"):
        labels = {"category": kind_of(row["type"]), "color": color_of(row["color_es"])}
        if split_of(row["model"]) == "test":  # a shop for women: nothing to learn, much to ask
            labels["gender"] = {"Female": "women", "Male": "men"}.get(row["sex"])
        image = ImageRef(data / "mango" / row["image"])
        yield Labelled("mango", row["id"], image, split_of(row["model"]), _known(labels),
                       row["model"])  # fmt: skip


def _closet(data: Path) -> Iterator[Labelled]:
    for row in _rows(data / "closet" / "images.csv"):
        labels = {"category": kind_of(row["label"]), "sleeve": SLEEVES.get(row["label"])}
        image = ImageRef(data / "closet" / row["image"])
        sender = row["sender_id"]
        yield Labelled("closet", row["image"], image, split_of(sender), _known(labels), sender)


def _patterns(data: Path) -> Iterator[Labelled]:
    for row in _rows(data / "patterns" / "images.csv"):
        said = row["pattern"]
        pattern = PATTERNS.get(said, said if f"pattern:{said}" in by_id() else None)
        image = ImageRef(data / "patterns" / row["image"])
        labels = _known({"pattern": pattern})
        yield Labelled("patterns", row["id"], image, split_of(row["id"]), labels, row["id"])


EYES = Path(__file__).with_name("tag-eyes.csv")
"""Sleeves, necklines and lengths that somebody saw on shop photos of worn/ and mango/: tops and
dresses drawn by a hash, a contact sheet at a time, left empty where the picture does not tell."""


def _seen(data: Path) -> Iterator[Labelled]:
    """What was seen; few, so that more of them are held out than elsewhere."""
    garments = {row["id"]: row for row in _rows(data / "mango" / "products.csv")}
    for row in _rows(EYES):
        mango = row["source"] == "mango"
        place = garments[row["id"]]["image"] if mango else f"shop/{row['id']}.webp"
        key = garments[row["id"]]["model"] if mango else row["id"]
        labels = _known({name: row[name] for name in ("sleeve", "neckline", "length")})
        image = ImageRef(data / row["source"] / place)
        side = split_of(key, val=0.25, test=0.3)
        yield Labelled(f"{row['source']} seen", row["id"], image, side, labels, key)


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    if not path.exists():
        return ()
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _known(labels: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if value}
