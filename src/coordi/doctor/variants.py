"""Checks for what must stay together in a split: columns and titles whose rows look alike."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from coordi.data.collection import PhotoRows
from coordi.data.vocabulary import without_colors
from coordi.doctor.findings import Exhibit, Finding, Result, share
from coordi.doctor.subject import Subject, codes, label_columns, rows_alike

ALIKE = 0.85
"""Distance within a group, as a share of that of any two rows, from which down rows look alike."""
_PAIRS = 20_000
_SHOWN = 12
_ROW = 8


def split_keys(subject: Subject) -> Iterator[Result]:
    """Columns of many small groups (model, sender) whose pictures look alike."""
    labels = label_columns(subject)
    for name, cells in subject.columns.items():
        groups = rows_alike(cells)
        grouped = sum(map(len, groups.values()))
        if name in labels or grouped < 0.05 * subject.count or grouped < _ROW:
            continue
        ratio = likeness(subject, cells)
        if ratio <= ALIKE:
            yield Finding(
                "split keys",
                "warning",
                f"{name}: {grouped:,} rows share it with another, and their pictures look alike "
                f"({ratio:.2f} of the distance of any two)",
                f"Split by {name}: a random split asks about what it has nearly trained on.",
                grouped,
                subject.count,
                {"groups": len(groups), "distance": ratio},
                _shown(groups),
            )


def color_variants(subject: Subject) -> Iterator[Result]:
    """Items whose titles differ in colour words alone."""
    groups = rows_alike(map(without_colors, subject.titles))
    torn = {
        bare: rows
        for bare, rows in groups.items()
        if len({subject.titles[row].casefold() for row in rows}) > 1
    }
    count = sum(map(len, torn.values()))
    if count:
        yield Finding(
            "split keys",
            "warning" if count > 0.05 * subject.count else "note",
            f"{count:,} items ({share(count, subject.count)}) have a title that differs from "
            f"another's in the colour word alone ({len(torn):,} titles)",
            "Split by title without colour words. As (reference, new colour) → target they make "
            "edits.",
            count,
            subject.count,
            {"groups": len(torn)},
            _shown(torn),
        )


def likeness(subject: Subject, cells: Sequence[str]) -> float:
    """Mean distance of two rows of one group over that of any two rows; 1 where none has pictures.

    By the encoder's vectors where there are any, else by thumbnails.
    """
    rows = subject.readable
    features = _features(subject)[rows]
    numbers, _ = codes([cells[row] for row in rows])
    rng = np.random.default_rng(0)
    order = np.lexsort((rng.random(len(rows)), numbers))
    first, second = order[:-1], order[1:]  # random pairs of neighbours in a group
    inside = (numbers[first] == numbers[second]) & (numbers[first] >= 0)
    first, second = first[inside][:_PAIRS], second[inside][:_PAIRS]
    if not len(first):
        return 1.0
    anyone = rng.permutation(len(rows))
    apart = _distance(features, anyone[:-1][:_PAIRS], anyone[1:][:_PAIRS])
    return _distance(features, first, second) / max(apart, 1e-9)


def _features(subject: Subject) -> NDArray[np.float32]:
    if subject.vectors is not None:
        return subject.vectors
    return subject.looks["tiny"].reshape(subject.count, -1).astype(np.float32)


def _distance(features: NDArray[np.float32], first: PhotoRows, second: PhotoRows) -> float:
    return float(np.linalg.norm(features[first] - features[second], axis=1).mean())


def _shown(groups: Mapping[str, list[int]]) -> tuple[Exhibit, ...]:
    largest = sorted(groups.items(), key=lambda group: -len(group[1]))[:_SHOWN]
    return tuple(Exhibit(f"{cell} ({len(rows)})", tuple(rows[:_ROW])) for cell, rows in largest)
