"""Checks of outfits: doubles, items on both sides of a random split, unknown items."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coordi.data.splits import connected_groups, split_of
from coordi.doctor.findings import Exhibit, Figures, Finding, Result, places, share
from coordi.doctor.subject import Subject
from coordi.types import Problem

Outfits = Sequence[tuple[int, ...]]
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class OutfitSubject:
    """Outfits over the items of a catalogue."""

    items: Subject
    names: tuple[str, ...]
    outfits: tuple[tuple[int, ...], ...]
    """Rows of `items`, as the file lists them; items that the catalogue lacks are left out."""
    unknown: tuple[Problem, ...] = ()
    """Lines that name an item which the catalogue does not have, or that cannot be read."""

    @property
    def popularity(self) -> NDArray[np.int64]:
        """Outfits that every item is part of, (items,)."""
        used = [row for outfit in self.outfits for row in set(outfit)]
        return np.bincount(np.array(used, np.int64), minlength=self.items.count)


def unknown_items(subject: OutfitSubject) -> Iterator[Result]:
    """Lines of outfits that name no item of the catalogue."""
    if subject.unknown:
        total = sum(map(len, subject.outfits)) + len(subject.unknown)
        yield Finding(
            "unknown items",
            "error",
            f"{len(subject.unknown):,} lines name an item that the catalogue does not have",
            "Add the items, or drop their outfits whole: an outfit without one of its items is "
            "another outfit.",
            len(subject.unknown),
            total,
            exhibits=places(subject.unknown[:_SHOWN]),
        )


def odd_outfits(subject: OutfitSubject) -> Iterator[Result]:
    """Outfits of a single item, and those that list an item twice."""
    single = [at for at, o in enumerate(subject.outfits) if len(set(o)) < 2]
    twice = [at for at, o in enumerate(subject.outfits) if len(set(o)) < len(o)]
    for found, what, advice in (
        (single, "have fewer than two items", "Leave them out: they say nothing of what goes."),
        (twice, "list an item twice", "Count the item once, or it votes twice in a score."),
    ):
        if found:
            yield Finding(
                "odd outfits",
                "warning",
                f"{len(found):,} outfits {what}",
                advice,
                len(found),
                len(subject.outfits),
                exhibits=_shown(subject, found),
            )


def duplicate_outfits(subject: OutfitSubject) -> Iterator[Result]:
    """Outfits with the very items of another, and those that differ in one item."""
    same: dict[frozenset[int], list[int]] = defaultdict(list)
    for at, outfit in enumerate(subject.outfits):
        same[frozenset(outfit)].append(at)
    groups = sorted((g for g in same.values() if len(g) > 1), key=len, reverse=True)
    if groups:
        count = sum(map(len, groups))
        yield Finding(
            "duplicate outfits",
            "error",
            f"{count:,} outfits have a duplicate ({len(groups):,} groups, "
            f"{count - len(groups):,} superfluous)",
            "Keep one of each: in a random split the answer to a test question is trained on.",
            count,
            len(subject.outfits),
            {"groups": len(groups), "superfluous": count - len(groups)},
            _shown(subject, [group[0] for group in groups[:_SHOWN]]),
        )
    near = _all_but_one(list(same))
    if near:
        yield Finding(
            "duplicate outfits",
            "warning",
            f"{near:,} outfits, doubles counted once, differ from another in one item only",
            "Split them together (connected groups), and never draw as a negative what another "
            "outfit has in that place.",
            near,
            len(same),
        )


def _all_but_one(sets: Sequence[frozenset[int]]) -> int:
    """Sets of at least three that share all but one member with another set."""
    rests: dict[frozenset[int], list[int]] = defaultdict(list)
    for at, members in enumerate(sets):
        for member in members if len(members) > 2 else ():
            rests[members - {member}].append(at)
    return len({at for group in rests.values() if len(group) > 1 for at in group})


def shared_items(subject: OutfitSubject) -> Iterator[Result]:
    """What a random split by outfit would share between its sides, and what groups there are."""
    if not subject.outfits:
        return
    groups = _components(subject.outfits)
    largest = max(groups, default=0)
    sides = [split_of(name) for name in subject.names]
    trained = {
        r for o, side in zip(subject.outfits, sides, strict=True) if side != "test" for r in o
    }
    test = [at for at, side in enumerate(sides) if side == "test"]
    leaking = [at for at in test if trained & set(subject.outfits[at])]
    whole = [at for at in leaking if trained >= set(subject.outfits[at])]
    if leaking:
        yield Finding(
            "shared items",
            "error",
            f"in a random split {share(len(leaking), len(test))} of the test outfits share an item "
            f"with training, {share(len(whole), len(test))} all of their items",
            f"Split by connected groups (there are {len(groups):,}; the largest holds "
            f"{share(largest, len(subject.outfits))} of the outfits), or drop from training every "
            "outfit that shares an item with a test outfit.",
            len(leaking),
            len(test),
            {"groups": len(groups), "largest group": largest},
        )


def _components(outfits: Outfits) -> list[int]:
    """Outfits in each connected group over shared items."""
    links = [(item, outfit[0]) for outfit in outfits for item in outfit]
    groups = connected_groups({item for item, _ in links}, links)
    return list(Counter(groups[outfit[0]] for outfit in outfits if outfit).values())


def popularity(subject: OutfitSubject) -> Iterator[Result]:
    """How unevenly items are used: what a model can learn without looking."""
    used = np.sort(subject.popularity)[::-1]
    if not used.sum():
        return
    top = max(1, round(0.01 * len(used)))
    held = used[:top].sum() / used.sum()
    lengths = Counter(len(set(outfit)) for outfit in subject.outfits)
    yield Figures(
        "popularity",
        "Outfits and their items",
        ("what", "number"),
        (
            ("outfits", f"{len(subject.outfits):,}"),
            ("items used", f"{(used > 0).sum():,} of {subject.items.count:,}"),
            ("outfits of an item, median / most", f"{np.median(used):.0f} / {used[0]:,}"),
            ("share of the most used 1% of the items", f"{100 * held:.1f}%"),
            ("outfits by items", ", ".join(f"{n}: {c:,}" for n, c in sorted(lengths.items()))),
        ),
    )
    if held > 0.1:
        yield Finding(
            "popularity",
            "warning",
            f"the most used 1% of the items fill {100 * held:.0f}% of the places in outfits",
            "Draw negatives of the same popularity, or a model that knows nothing but popularity "
            "scores well.",
            int(used[:top].sum()),
            int(used.sum()),
        )
    idle = int((used == 0).sum())
    if idle:
        yield Finding(
            "popularity",
            "note",
            f"{idle:,} items are in no outfit",
            "As negatives they are told from right answers by that alone: leave them out.",
            idle,
            len(used),
        )


def _shown(subject: OutfitSubject, found: Sequence[int]) -> tuple[Exhibit, ...]:
    return tuple(Exhibit(subject.names[at], subject.outfits[at][:_SHOWN]) for at in found[:_SHOWN])


def values_of(subject: Subject, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Values of several columns per row."""
    picked: Mapping[str, tuple[str, ...]] = {name: subject.columns[name] for name in columns}
    return list(zip(*picked.values(), strict=True)) if picked else [()] * subject.count
