"""Checks of Polyvore's outfits and of the two tests that are made of them."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from coordi.data.polyvore import PUBLISHED, Polyvore, split
from coordi.doctor import blanks
from coordi.doctor.findings import (
    Exhibit,
    Figures,
    Finding,
    Result,
    against_published,
    share,
)
from coordi.doctor.looks import LOOK
from coordi.doctor.outfits import OutfitSubject
from coordi.doctor.subject import Subject

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class PolyvoreSubject:
    """Polyvore as read, and all its outfits as the checks of outfits take them."""

    data: Polyvore
    outfits: OutfitSubject


def polyvore_subject(data: Polyvore) -> PolyvoreSubject:
    """Number the items; there are no pictures."""
    row_of = {id_: row for row, id_ in enumerate(data.items)}
    garments = data.items.values()
    items = Subject(
        name=data.name,
        ids=tuple(data.items),
        columns={
            "category": tuple(garment.category for garment in garments),
            "type": tuple(garment.kind for garment in garments),
        },
        looks=np.zeros(len(row_of), LOOK),
        images=lambda rows: {},  # noqa: ARG005 - none are read
        titles=tuple(garment.name for garment in garments),
    )
    every = [(side, outfit) for side, listed in data.outfits.items() for outfit in listed]
    return PolyvoreSubject(
        data,
        OutfitSubject(
            items,
            tuple(f"{side} {outfit.id}" for side, outfit in every),
            tuple(tuple(row_of[item] for item in outfit.items) for _, outfit in every),
        ),
    )


def published_counts(subject: PolyvoreSubject) -> Iterator[Result]:
    """Outfits of each side against the published numbers."""
    return against_published(
        PUBLISHED[subject.data.dataset], subject.data.counts, f"a reduced {subject.data.dataset}"
    )


def unusable(subject: PolyvoreSubject) -> Iterator[Result]:
    """Entries and lines that are not as published, by what is wrong with them."""
    for reason, count in Counter(p.reason for p in subject.data.problems).most_common():
        found = [problem for problem in subject.data.problems if problem.reason == reason]
        yield Finding(
            "unusable entries",
            "error",
            f"{count:,} entries are not as published: {reason}",
            "Mend or fetch the files again, or say with every number what it leaves out.",
            count,
            len(subject.outfits.outfits) + _tested(subject.data) + len(subject.data.problems),
            exhibits=tuple(Exhibit(f"{p.origin} {p.id or ''}") for p in found[:_SHOWN]),
        )


def _tested(data: Polyvore) -> int:
    return sum(map(len, (*data.questions.values(), *data.labelled.values())))


def shared_across(subject: PolyvoreSubject) -> Iterator[Result]:
    """Outfits of valid and test that share items with the training outfits."""
    rows: dict[str, list[frozenset[str]]] = defaultdict(list)
    for side, listed in subject.data.outfits.items():
        rows[split(side)] += [frozenset(outfit.items) for outfit in listed]
    whole = set(rows["train"])
    trained = frozenset[str]().union(*whole)
    for side in ("valid", "test"):
        leaking = [items for items in rows[side] if items & trained]
        if leaking:
            again = sum(items in whole for items in leaking)
            yield Finding(
                "shared items",
                "error",
                f"{len(leaking):,} of the {len(rows[side]):,} {side} outfits share an item with "
                f"training ({share(len(leaking), len(rows[side]))}); {again:,} are training "
                "outfits whole",
                "Measure on the disjoint split, or give the outfits without a shared item apart.",
                len(leaking),
                len(rows[side]),
                {"whole": again},
            )


def questions(subject: PolyvoreSubject) -> Iterator[Result]:
    """Whether the place or the ids of the choices answer the questions."""
    for side, asked in subject.data.questions.items():
        first = sum(question.right == 0 for question in asked)
        if asked and first > len(asked) / 2:
            yield Finding(
                "questions",
                "error",
                f"the right choice of {first:,} of the {len(asked):,} {side} questions stands "
                "first",
                "Shuffle the choices, and count a tie by its share: a scorer that answers the "
                "same for all is right otherwise.",
                first,
                len(asked),
            )
        if asked:
            yield Finding(
                "questions",
                "warning",
                f"the file names the items of the {len(asked):,} {side} questions by their outfit: "
                "the right choice carries the outfit's own id",
                "Give no model SETID_INDEX, nor what is sorted or seeded by it.",
                len(asked),
                len(asked),
                exhibits=tuple(
                    Exhibit(f"{q.outfit}: {q.choices[q.right]} of {', '.join(q.choices)}")
                    for q in asked[:_SHOWN]
                ),
            )


def labelled(subject: PolyvoreSubject) -> Iterator[Result]:
    """Positives and negatives by file, and outfits that are labelled both ways."""
    table = []
    for side, lines in subject.data.labelled.items():
        found: dict[bool, list[frozenset[str]]] = {True: [], False: []}
        for line in lines:
            found[line.label].append(frozenset(line.items))
        table.append((side, *(f"{len(sets):,}" for sets in found.values())))
        both = set(found[True]) & set(found[False])
        if both:
            yield Finding(
                "labelled outfits",
                "error",
                f"{len(both):,} {side} outfits are labelled both 1 and 0",
                "Leave them out: no score of them is right.",
                len(both),
                len(lines),
                exhibits=tuple(Exhibit(", ".join(sorted(items))) for items in both)[:_SHOWN],
            )
    if table:
        title = "Labelled outfits"
        yield Figures("labelled outfits", title, ("side", "positives", "negatives"), tuple(table))


def order(subject: PolyvoreSubject) -> Iterator[Result]:
    """Whether the order of the items tells outfits from shuffled ones."""
    return blanks.telling_order(subject.outfits, "category")
