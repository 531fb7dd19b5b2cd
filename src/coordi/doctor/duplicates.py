"""Checks for the same picture twice: exactly, nearly, under two labels, on two sides of a split."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from coordi.data.duplicates import near_pairs
from coordi.data.splits import connected_groups
from coordi.doctor.findings import Exhibit, Finding, Result
from coordi.doctor.subject import Subject, label_columns, rows_alike

_SHOWN = 12
_ROW = 8
Groups = list[tuple[int, ...]]


def exact_duplicates(subject: Subject) -> Iterator[Result]:
    """Pictures whose pixels are those of another."""
    groups = pixel_groups(subject.looks)
    if groups:
        rows = sum(map(len, groups))
        yield Finding(
            "duplicate pictures",
            "warning",
            f"{rows:,} pictures are pixel for pixel the same as another ({len(groups):,} groups)",
            "Keep each group on one side of a split, and count its members as one answer.",
            rows,
            len(subject.readable),
            {"groups": len(groups), "superfluous": rows - len(groups)},
            _exhibits(subject, groups),
        )
    yield from _label_conflicts(subject, groups)
    yield from _across_sides(subject, groups, "duplicate pictures", "the same picture")


def pixel_groups(looks: NDArray[np.void]) -> Groups:
    """Rows of pictures with the same pixels, groups of two and more, in the order of rows."""
    same: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in np.flatnonzero(looks["ok"]).tolist():
        high, low = looks["content"][row].tolist()
        same[high, low].append(row)
    return [tuple(rows) for rows in same.values() if len(rows) > 1]


def _label_conflicts(subject: Subject, groups: Groups) -> Iterator[Result]:
    for name, cells in label_columns(subject).items():
        torn = [g for g in groups if len({cells[row] for row in g} - {""}) > 1]
        if torn:
            yield Finding(
                "duplicate pictures",
                "warning",
                f"{name}: {len(torn):,} groups of identical pictures carry different labels",
                "One of the labels is wrong, or the column does not describe the picture.",
                sum(map(len, torn)),
                len(subject.readable),
                {"groups": len(torn)},
                _labelled(torn, [cell or "(empty)" for cell in cells]),
            )


def _across_sides(
    subject: Subject, groups: Iterable[Sequence[int]], check: str, what: str
) -> Iterator[Result]:
    """Groups that stand on two sides of the split: what was learned is asked about."""
    if not subject.sides:
        return
    torn = [g for g in groups if len({subject.sides[row] for row in g} - {""}) > 1]
    if torn:
        asked = sum(subject.sides[row] not in ("train", "") for g in torn for row in g)
        yield Finding(
            check,
            "error",
            f"{what} stands on two sides of the split in {len(torn):,} groups",
            "Leave these rows out of training: a model is asked about what it has seen.",
            asked,
            sum(side not in ("train", "") for side in subject.sides),
            {"groups": len(torn)},
            _labelled(torn, subject.sides),
        )


def _labelled(groups: Sequence[Sequence[int]], labels: Sequence[str]) -> tuple[Exhibit, ...]:
    return tuple(
        Exhibit(" / ".join(labels[row] for row in group[:_ROW]), tuple(group[:_ROW]))
        for group in groups[:_SHOWN]
    )


def _exhibits(subject: Subject, groups: Groups) -> tuple[Exhibit, ...]:
    largest = sorted(groups, key=len, reverse=True)[:_SHOWN]
    return tuple(Exhibit(_names(subject, g), g[:_ROW]) for g in largest)


def _names(subject: Subject, rows: Sequence[int]) -> str:
    rest = f" … {len(rows) - 3} more" if len(rows) > 3 else ""
    return ", ".join(subject.ids[row] for row in rows[:3]) + rest


def leaking_groups(subject: Subject) -> Iterator[Result]:
    """Groups (garments, titles, senders) that are trained on and asked about."""
    if not subject.groups:
        return
    trained: dict[str, int] = {subject.groups[row]: row for row in reversed(subject.train)}
    for name, trial in subject.trials.items():
        asked: dict[str, int] = {subject.groups[row]: row for row in reversed(trial.query)}
        rows = [row for row in trial.query.tolist() if subject.groups[row] in trained]
        if rows:
            yield Finding(
                "leaks across the split",
                "error",
                f"{name}: {len(rows):,} queries show what is trained on",
                "Leave their groups out of training: a model is asked about what it has seen.",
                len(rows),
                len(trial.query),
                {"groups": len(trained.keys() & asked.keys())},
                tuple(
                    Exhibit(group, (trained[group], asked[group]))
                    for group in sorted(trained.keys() & asked.keys())[:_SHOWN]
                ),
            )


def repeated_titles_across(subject: Subject) -> Iterator[Result]:
    """Items with one title on two sides of the split."""
    groups = rows_alike(title.casefold() for title in subject.titles).values()
    yield from _across_sides(subject, groups, "leaks across the split", "one title")


def copies_in_gallery(subject: Subject) -> Iterator[Result]:
    """Queries whose very picture stands in the gallery under another id."""
    groups = pixel_groups(subject.looks)
    for name, trial in subject.trials.items():
        asked, gallery = set(trial.query.tolist()), set(trial.gallery.tolist())
        found = [
            (row, *others)
            for group in groups
            for row in group
            if row in asked and (others := [r for r in group if r in gallery and r != row])
        ]
        if found:
            yield Finding(
                "copies in the gallery",
                "error",
                f"{name}: {len(found):,} queries find their own picture in the gallery",
                "Leave one of the two out: pixels alone answer such a query.",
                len(found),
                len(asked),
                exhibits=tuple(Exhibit(_names(subject, g), g[:_ROW]) for g in found[:_SHOWN]),
            )


def near_duplicates(subject: Subject) -> Iterator[Result]:
    """Pictures of the same thing: moved, framed differently, compressed again, retouched."""
    groups = _near_groups(subject.looks)
    if groups:
        rows = sum(map(len, groups))
        yield Finding(
            "near duplicates",
            "warning",
            f"{rows:,} pictures nearly are those of another item ({len(groups):,} groups)",
            "Keep each group on one side of a split, and do not count its members as wrong answers "
            "for each other.",
            rows,
            len(subject.readable),
            {"groups": len(groups)},
            _exhibits(subject, groups),
        )
    yield from _across_sides(subject, groups, "near duplicates", "nearly the same picture")


def _near_groups(looks: NDArray[np.void]) -> Groups:
    """Connected groups of rows whose garments look the same; of pixel duplicates one stands in."""
    doubles = {row for group in pixel_groups(looks) for row in group[1:]}
    usable = np.flatnonzero(looks["ok"] & (looks["filled"] > 0)).tolist()
    rows = np.array([row for row in usable if row not in doubles], np.int64)
    links = list(map(tuple, rows[near_pairs(looks[rows])].tolist()))
    linked = sorted({row for link in links for row in link})
    members: dict[int, list[int]] = defaultdict(list)
    for row, first in connected_groups(linked, links).items():
        members[first].append(row)
    return [tuple(group) for group in members.values()]
