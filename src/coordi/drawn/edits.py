"""Edits with exact targets: two garments that differ in one attribute, and the words between."""

import random
from collections import defaultdict
from collections.abc import Sequence

from coordi.drawn.garments import NECKLINE_WORDS, PATTERN_WORDS, Garment
from coordi.types import Edit

EDITABLE = ("color", "pattern", "sleeve", "neckline", "length", "silhouette")
"""The attributes in which a family's garments may differ."""

_FITS = ("slim", "regular", "loose")
_WITH_PATTERN = {
    "stripes": "with stripes",
    "checks": "with checks",
    "dots": "with polka dots",
    "floral": "with a floral print",
}


def changed_attributes(reference: Garment, target: Garment) -> list[str]:
    """Name what differs between two garments, id apart."""
    names = [name for name in Garment.__dataclass_fields__ if name != "id"]
    return [name for name in names if getattr(reference, name) != getattr(target, name)]


def make_edits(garments: Sequence[Garment], rng: random.Random) -> list[Edit]:
    """Pair all garments that differ in exactly one editable attribute, both ways."""
    families: dict[tuple[str, int], list[Garment]] = defaultdict(list)
    for garment in garments:
        families[garment.kind, garment.jitter].append(garment)
    edits = []
    for family in families.values():
        for reference in family:
            for target in family:
                changed = changed_attributes(reference, target)
                if len(changed) == 1 and changed[0] in EDITABLE:
                    edits.append(_edit(reference, target, changed[0], rng))
    return edits


def _edit(reference: Garment, target: Garment, attribute: str, rng: random.Random) -> Edit:
    old, new = getattr(reference, attribute), getattr(target, attribute)
    return Edit(reference.id, (rng.choice(_phrases(attribute, old, new)),), target.id)


def _phrases(attribute: str, old: str, new: str) -> list[str]:
    if attribute == "color":
        return [f"in {new} instead of {old}", f"the same in {new}", f"{new}, not {old}"]
    if attribute == "pattern":
        return _pattern_phrases(old, new)
    if attribute == "sleeve":
        return [f"with {new} sleeves" if new != "sleeveless" else "without sleeves"]
    if attribute == "neckline":
        was, now = (_neckline_noun(value) for value in (old, new))
        return [f"with a {now}", f"with a {now} instead of a {was}"]
    if attribute == "length":
        return [f"in {new} length instead of {old}", f"{new}, not {old}"]
    if new in _FITS:
        return [f"with a {new} fit", f"a {new} fit instead of a {old} one"]
    return [f"{new} instead of {old}", f"make it {new}"]


def _pattern_phrases(old: str, new: str) -> list[str]:
    if new == "plain":
        return [f"plain instead of {PATTERN_WORDS[old]}", f"without the {_pattern_noun(old)}"]
    return [_WITH_PATTERN[new], f"{PATTERN_WORDS[new]} instead of {PATTERN_WORDS[old] or 'plain'}"]


def _pattern_noun(pattern: str) -> str:
    return {"dots": "polka dots", "floral": "flowers"}.get(pattern, pattern)


def _neckline_noun(neckline: str) -> str:
    word = {"button-down": "button-down collar", "band": "band collar"}
    return word.get(neckline, NECKLINE_WORDS[neckline].replace("-neck", " neck"))
