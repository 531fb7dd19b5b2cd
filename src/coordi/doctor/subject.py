"""What the checks of pictures and labels are given, whatever kind of dataset it came from."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from coordi.data.collection import PhotoRows, Trial
from coordi.types import ImageRef, Problem, Vectors


@dataclass(frozen=True, slots=True)
class Subject:
    """Items or photos with their labels and the measurements of their pictures."""

    name: str
    ids: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    """Label column → its value for every row as the source writes it, "" where empty."""
    looks: NDArray[np.void]  # (n,) of looks.LOOK
    images: Callable[[Collection[int]], dict[int, ImageRef]]
    """The pictures of some rows, read from the source again."""
    titles: tuple[str, ...] = ()
    vectors: Vectors | None = None
    unreadable: tuple[Problem, ...] = ()
    """Pictures that are there and cannot be decoded."""
    missing: tuple[Problem, ...] = ()
    """Rows whose picture is not there; those of a collection are among `ids`, others are not."""
    repeated: tuple[Problem, ...] = ()
    """Rows with the id of an earlier row."""
    unusable: tuple[Problem, ...] = ()
    """Rows that cannot be used for any other reason."""
    notes: tuple[str, ...] = ()
    """What was guessed or passed over where the files were read."""
    sides: tuple[str, ...] = ()
    """Side of a split ("train", "val", "test", "" for none) per row; () where there is no split."""
    train: tuple[int, ...] = ()
    """Rows to learn from, where the dataset states trials."""
    groups: tuple[str, ...] = ()
    """Split key per row; () where none is known."""
    trials: Mapping[str, Trial] = field(default_factory=dict)
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """`match` of a trial → key of every row."""
    published: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Rows."""
        return len(self.ids)

    @property
    def stated(self) -> int:
        """Rows that the source states, those that were left out among them."""
        known = set(self.ids)
        left_out = sum(problem.id not in known for problem in self.missing)
        return self.count + left_out + len(self.repeated) + len(self.unusable)

    @property
    def readable(self) -> PhotoRows:
        """Rows that have a picture which could be read."""
        return np.flatnonzero(self.looks["ok"])


FEWEST, MOST = 2, 200
"""Distinct values that a column of labels has."""
ONE_SIDED = 0.9
"""Share of the commonest label from which on a column is only out of balance."""
MEMBERS = 5
"""Rows that a label needs on average before it can be learned or counted."""


def label_columns(subject: Subject) -> dict[str, tuple[str, ...]]:
    """The columns that could be asked for: few values, each of them often."""
    return {name: cells for name, cells in subject.columns.items() if _is_label(cells)}


def _is_label(cells: tuple[str, ...]) -> bool:
    filled = [cell for cell in cells if cell]
    distinct = len(set(filled))
    return FEWEST <= distinct <= MOST and len(filled) >= MEMBERS * distinct


def rows_alike(cells: Iterable[str]) -> dict[str, list[int]]:
    """Value of a column → its rows, where it fills two and more."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, cell in enumerate(cells):
        if cell:
            rows[cell].append(row)
    return {cell: members for cell, members in rows.items() if len(members) > 1}


def codes(cells: Collection[str]) -> tuple[NDArray[np.int64], list[str]]:
    """Number the values of a column → (code of every row, −1 where empty; the values, sorted)."""
    values = sorted({cell for cell in cells if cell})
    number = {value: code for code, value in enumerate(values)}
    return np.array([number.get(cell, -1) for cell in cells], np.int64), values
