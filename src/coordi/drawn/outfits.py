"""Which drawn garments go together: four stated rules, and outfits that follow them.

1. **Slots.** Every slot at most once; shoes; and either a dress, or a top with a bottom.
2. **Occasion and season.** One occasion for all; never summer and winter pieces together.
3. **Colour.** Neutrals (black, white, grey, navy, beige, brown) and blue jeans go with
   everything. The other main colours are neighbours on the colour wheel (at most 60° apart) or
   opposites (at least 150°), each with each.
4. **Pattern.** At most one patterned piece.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from coordi.drawn.garments import Garment
from coordi.drawn.palette import HUES, NEUTRALS
from coordi.types import Outfit

_TRIED_ON = 60
NEAR, OPPOSITE = 60, 150
"""Degrees on the colour wheel up to which two hues are neighbours, from which opposites."""


def goes_together(garments: Sequence[Garment]) -> list[str]:
    """Name the rules that an outfit breaks, one sentence each; empty where it breaks none."""
    return [*_slots(garments), *_occasion(garments), *_colors(garments), *_patterns(garments)]


def _slots(garments: Sequence[Garment]) -> list[str]:
    slots = Counter(garment.slot for garment in garments)
    broken = [f"slots: {n} garments for {slot}" for slot, n in sorted(slots.items()) if n > 1]
    if not slots["shoes"]:
        broken.append("slots: no shoes")
    if slots["dress"] and (slots["top"] or slots["bottom"]):
        broken.append("slots: a dress with a top or bottom")
    elif not slots["dress"] and not (slots["top"] and slots["bottom"]):
        broken.append("slots: neither a dress nor a top with a bottom")
    return broken


def _occasion(garments: Sequence[Garment]) -> list[str]:
    occasions = sorted({garment.occasion for garment in garments})
    broken = [f"occasion: {' with '.join(occasions)}"] if len(occasions) > 1 else []
    if {"summer", "winter"} <= {garment.season for garment in garments}:
        broken.append("season: summer with winter")
    return broken


def _colors(garments: Sequence[Garment]) -> list[str]:
    names = sorted({g.color for g in garments if not _is_neutral(g)})
    return [
        f"colour: {first} with {second}"
        for index, first in enumerate(names)
        for second in names[index + 1 :]
        if NEAR < hue_distance(first, second) < OPPOSITE
    ]


def _is_neutral(garment: Garment) -> bool:
    return garment.color in NEUTRALS or garment.kind == "jeans"


def hue_distance(first: str, second: str) -> int:
    """Degrees between two coloured names on the wheel, 0 to 180."""
    apart = abs(HUES[first] - HUES[second])
    return min(apart, 360 - apart)


def _patterns(garments: Sequence[Garment]) -> list[str]:
    patterned = sum(garment.pattern != "plain" for garment in garments)
    return [f"pattern: {patterned} patterned garments"] if patterned > 1 else []


def make_outfits(garments: Sequence[Garment], count: int, rng: random.Random) -> list[Outfit]:
    """Put together up to `count` different outfits that break no rule.

    Each starts from a garment drawn by chance and takes, slot by slot, one that still fits;
    fewer come back where a small wardrobe does not hold that many.
    """
    by_slot: dict[str, list[Garment]] = defaultdict(list)
    for garment in garments:
        by_slot[garment.slot].append(garment)
    found: dict[frozenset[str], Outfit] = {}
    for _ in range(count * 8):
        if len(found) == count:
            break
        worn = _put_together(by_slot, rng)
        ids = tuple(garment.id for garment in worn)
        if worn and frozenset(ids) not in found:
            text = f"{worn[0].occasion} {worn[0].season} outfit"
            found[frozenset(ids)] = Outfit(f"o{len(found):04d}", ids, text)
    return list(found.values())


def _put_together(by_slot: dict[str, list[Garment]], rng: random.Random) -> list[Garment]:
    base = ["dress"] if rng.random() < 0.3 else ["top", "bottom"]
    extras = [slot for slot in ("outer", "bag", "hat", "scarf") if rng.random() < 0.45]
    worn: list[Garment] = []
    for slot in [*base, "shoes", *extras]:
        offered = rng.sample(by_slot[slot], min(_TRIED_ON, len(by_slot[slot])))
        fitting = next((g for g in offered if not _clash(worn, g)), None)
        if fitting is not None:
            worn.append(fitting)
    return worn if not goes_together(worn) else []


def _clash(worn: Sequence[Garment], garment: Garment) -> bool:
    both = [*worn, garment]
    return bool(_occasion(both) or _colors(both) or _patterns(both))
