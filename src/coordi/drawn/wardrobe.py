"""A whole wardrobe from one seed: garments in families, outfits, edits."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import Any

from coordi.drawn.edits import EDITABLE, make_edits
from coordi.drawn.garments import KINDS, Garment, Kind
from coordi.drawn.outfits import make_outfits
from coordi.drawn.palette import COLORS, contrast
from coordi.errors import InputError
from coordi.types import Edit, Outfit

MOST = 5000
"""Garments above which looks would begin to repeat."""

_PLAIN_SHARE = 0.55
_FAMILY = 5


@dataclass(frozen=True, slots=True)
class Wardrobe:
    """Garments, the outfits they make, and the edits that lead from one to another."""

    garments: tuple[Garment, ...]
    outfits: tuple[Outfit, ...]
    edits: tuple[Edit, ...]


def draw_wardrobe(count: int = 300, seed: int = 0) -> Wardrobe:
    """Invent `count` garments; no two look alike, and the same seed gives the same wardrobe.

    Garments come in families of about five: a first one, and others that differ from it in one
    attribute each, so that edits have exact targets. Kinds take turns, in the order of `KINDS`.
    """
    if not 1 <= count <= MOST:
        raise InputError(f"a drawn wardrobe holds 1 to {MOST} garments, not {count}")
    rng = random.Random(f"wardrobe {seed}")
    garments = tuple(
        replace(garment, id=f"d{seed}-{number:04d}")
        for number, garment in enumerate(islice(_distinct(rng), count))
    )
    outfits = make_outfits(garments, max(1, count // 2), rng)
    return Wardrobe(garments, tuple(outfits), tuple(make_edits(garments, rng)))


def _distinct(rng: random.Random) -> Iterator[Garment]:
    seen: set[tuple[str, ...]] = set()
    for kind in cycle(KINDS):
        for garment in _family(kind, rng):
            if garment.look not in seen:
                seen.add(garment.look)
                yield garment


def random_garment(kind: str, rng: random.Random) -> Garment:
    """Invent one garment of a kind."""
    spec = KINDS[kind]
    color = rng.choice(spec.colors or tuple(COLORS))
    plain = "plain" in spec.patterns and rng.random() < _PLAIN_SHARE
    return Garment(
        id="",
        kind=kind,
        color=color,
        pattern="plain" if plain else rng.choice(spec.patterns),
        second_color=rng.choice([name for name in COLORS if contrast(name, color)]),
        sleeve=_common(spec.sleeves, rng),
        neckline=_common(spec.necklines, rng),
        length=_common(spec.lengths, rng),
        silhouette=_common(spec.silhouettes, rng),
        material=rng.choice(spec.materials),
        occasion=rng.choice(spec.occasions),
        season=rng.choice(spec.seasons),
        price=rng.randint(*spec.price) + 0.95,
        jitter=rng.randrange(1 << 31),
    )


def _common(values: tuple[str, ...], rng: random.Random) -> str:
    return values[0] if rng.random() < 0.3 else rng.choice(values)


def _family(kind: str, rng: random.Random) -> Iterator[Garment]:
    first = random_garment(kind, rng)
    yield first
    spec = KINDS[kind]
    changes = [
        (name, value)
        for name in EDITABLE
        for value in _values(spec, name)
        if value != getattr(first, name)
        and (name != "color" or contrast(value, first.second_color))
    ]
    # Two new colours, and otherwise each attribute at most once: families stay varied.
    rng.shuffle(changes)
    left = {name: 2 if name == "color" else 1 for name in EDITABLE}
    made = 1
    for name, value in changes:
        if left[name] and made < _FAMILY:
            left[name] -= 1
            made += 1
            yield _changed(first, name, value)


def _changed(garment: Garment, name: str, value: str) -> Garment:
    change: dict[str, Any] = {name: value}
    return replace(garment, **change)


def _values(spec: Kind, name: str) -> tuple[str, ...]:
    return {
        "color": spec.colors or tuple(COLORS),
        "pattern": spec.patterns,
        "sleeve": spec.sleeves,
        "neckline": spec.necklines,
        "length": spec.lengths,
        "silhouette": spec.silhouettes,
    }[name]
