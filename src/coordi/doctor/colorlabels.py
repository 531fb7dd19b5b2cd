"""Checks of colour labels: against the picture, and of one column against another."""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from coordi.data.colors import same_color
from coordi.data.vocabulary import COLORS, canonical
from coordi.doctor.colors import contradicted, measured_words
from coordi.doctor.findings import Exhibit, Figures, Finding, Result, share
from coordi.doctor.subject import Subject, label_columns

FEWEST = 20
"""Rows of a label that are compared before it is called wrong."""
OFTEN = 0.4
"""Share of a label's pictures that must contradict it."""
PLAIN = 0.15
"""Share of a picture that stands before the background, below which its colour is not trusted."""
_SHOWN = 12


def color_columns(subject: Subject) -> dict[str, list[str | None]]:
    """Columns most of whose values are colours → canonical colour of every row."""
    found = {}
    for name, cells in label_columns(subject).items():
        words = [canonical(cell, COLORS) if cell else None for cell in cells]
        words = [None if word == "multicolour" else word for word in words]
        if sum(word is not None for word in words) >= 0.5 * sum(map(bool, cells)):
            found[name] = words
    return found


def color_labels(subject: Subject) -> Iterator[Result]:
    """Colour labels that the pictures contradict.

    The picture's colour is the median of what stands before the background. People in the
    picture, prints and shadows disturb it, so single rows are no evidence; a label that many of
    its pictures contradict is.
    """
    columns = color_columns(subject)
    rows = np.flatnonzero(subject.looks["ok"] & (subject.looks["filled"] > PLAIN))
    colors = subject.looks["color"][rows]
    seen = measured_words(colors) if len(rows) else []
    table = []
    for name, words in columns.items():
        said = [words[row] for row in rows]
        wrong = _contradicted(said, colors)
        compared = sum(word is not None for word in said)
        table.append((name, f"{compared:,}", share(int(wrong.sum()), compared)))
        yield from _wrong_labels(subject, name, rows, wrong, seen)
    if table:
        yield Figures(
            "colour labels",
            "Colour labels that the picture contradicts",
            ("column", "rows compared", "contradicted"),
            tuple(table),
            "By the median colour of what stands before the background; people, prints and "
            "shadows make some of it.",
        )
    yield from _between(subject, columns)


def _contradicted(said: list[str | None], colors: NDArray[np.float32]) -> NDArray[np.bool_]:
    out = np.zeros(len(said), bool)
    for word in {word for word in said if word}:
        rows = np.array([at for at, other in enumerate(said) if other == word])
        out[rows] = contradicted(word, colors[rows])
    return out


def _wrong_labels(
    subject: Subject,
    name: str,
    rows: NDArray[np.int64],
    wrong: NDArray[np.bool_],
    seen: list[str | None],
) -> Iterator[Result]:
    """Labels that many of their pictures contradict."""
    cells = [subject.columns[name][row] for row in rows]
    for label, compared in Counter(cells).most_common():
        torn = [at for at in np.flatnonzero(wrong) if cells[at] == label]
        if compared < FEWEST or len(torn) <= OFTEN * compared:
            continue
        looks = Counter(seen[at] or "something else" for at in torn).most_common(2)
        named = ", ".join(f"{color} ({count:,})" for color, count in looks)
        yield Finding(
            "colour labels",
            "warning",
            f"{name}: {label!r} is contradicted by {len(torn):,} of {compared:,} pictures, which "
            f"look {named}",
            f"Do not take {name} for the colour without mending {label!r}; see whether another "
            "column says it.",
            len(torn),
            compared,
            {"share": len(torn) / compared},
            tuple(
                Exhibit(f"{label}, looks {seen[at] or 'unclear'}", (int(rows[at]),))
                for at in torn[:_SHOWN]
            ),
        )


def _between(subject: Subject, columns: dict[str, list[str | None]]) -> Iterator[Result]:
    """Two colour columns that contradict each other."""
    for first, second in combinations(columns, 2):
        pairs = enumerate(zip(columns[first], columns[second], strict=True))
        both = [(row, a, b) for row, (a, b) in pairs if a and b]
        torn = [(row, a, b) for row, a, b in both if not same_color(a, b)]
        if len(torn) < 0.02 * len(both) or not torn:
            continue
        often = Counter((a, b) for _, a, b in torn).most_common(5)
        named = "; ".join(f"{a} is {b} ({n:,})" for (a, b), n in often)
        yield Finding(
            "colour labels",
            "warning",
            f"{first} and {second} name different colours in {share(len(torn), len(both))} of "
            f"the rows: {named}",
            "One of the two is wrong; the pictures and the table above tell which.",
            len(torn),
            len(both),
            {f"{a} is {b}": float(n) for (a, b), n in often},
            tuple(
                Exhibit(f"{subject.columns[first][r]} / {subject.columns[second][r]}", (r,))
                for r, _, _ in torn[:_SHOWN]
            ),
        )
