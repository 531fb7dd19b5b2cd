"""Controls: how far one cue that is no garment at all (background, size) solves the task."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from coordi.data.collection import PhotoRows, Trial
from coordi.doctor.findings import Figures, Finding, Result
from coordi.doctor.neighbors import nearest
from coordi.doctor.subject import ONE_SIDED, Subject, codes, label_columns

QUERIES = 2000
"""Rows asked about per cue, drawn with a fixed seed: ± 0.02 at most on a share."""
VOTERS = 9
SOLVED, HELPED = 0.5, 0.15
"""Share of the way from chance to perfect from which on a cue solves a task, or helps it.

A score must also be three standard errors above chance, so that few rows prove nothing.
"""


def background(looks: NDArray[np.void]) -> NDArray[np.float32]:
    """Colour of the frame around the picture and its unrest → (n, 4)."""
    return np.column_stack([looks["ground"], looks["unrest"]]).astype(np.float32)


def shape(looks: NDArray[np.void]) -> NDArray[np.float32]:
    """Width and height in pixels, logarithms → (n, 2)."""
    sides = np.column_stack([looks["width"], looks["height"]])
    return np.asarray(np.log(np.maximum(sides, 1)), np.float32)


def file_size(looks: NDArray[np.void]) -> NDArray[np.float32]:
    """Bytes of the file, logarithm → (n, 1)."""
    return np.asarray(np.log(np.maximum(looks["bytes"], 1)), np.float32)[:, None]


PICTURE_CUES: Mapping[str, Callable[[NDArray[np.void]], NDArray[np.float32]]] = {
    "background": background,
    "size in pixels": shape,
    "file size": file_size,
}
"""Cue → what of the measurements it is; Euclidean distance compares."""


def label_shortcuts(subject: Subject) -> Iterator[Result]:
    """Leave-one-out accuracy of each label from one cue alone, against always the commonest.

    Nine nearest neighbours vote; the cue "category" answers with the commonest label of the
    row's category.
    """
    rows = subject.readable
    if len(rows) <= VOTERS:
        return
    asked = np.random.default_rng(0).permutation(len(rows))[:QUERIES]
    near = {
        cue: _drawn(measure(subject.looks[rows]), asked) for cue, measure in PICTURE_CUES.items()
    }
    table: list[tuple[str, ...]] = []
    for name, cells in label_columns(subject).items():
        labels, values = codes([cells[row] for row in rows])
        if not (labels[asked] >= 0).any():
            continue
        scores = {cue: vote(labels, asked, found) for cue, found in near.items()}
        majority = np.bincount(labels[labels >= 0]).max() / (labels >= 0).sum()
        line = (name, f"{len(values)}", f"{majority:.2f}")
        cells_of_cues = (f"{score:.2f}" for score in scores.values())
        table.append((*line, *cells_of_cues, _category(subject, name, rows, labels)))
        yield from _judged(name, scores, majority, int((labels >= 0).sum()))
    yield Figures(
        "shortcuts",
        "Accuracy from one cue alone",
        ("column", "labels", "commonest", *PICTURE_CUES, "category"),
        tuple(table),
        f"Leave one out, {VOTERS} neighbours vote, on up to {QUERIES:,} rows. A cue far above "
        "the commonest label lets a model score without looking at the garment.",
    )


def _drawn(cue: NDArray[np.float32], asked: PhotoRows) -> PhotoRows:
    """Nearest rows in a cue, (q, 9); ties (all pictures of one size) are settled by lot."""
    lots = 0.01 * np.random.default_rng(1).standard_normal(len(cue))
    scaled = (cue - cue.mean(0)) / np.maximum(cue.std(0), 1e-6)
    return nearest(np.column_stack([scaled, lots]).astype(np.float32), asked, VOTERS)


def vote(labels: NDArray[np.int64], asked: PhotoRows, near: PhotoRows) -> float:
    """Share of the rows `asked` whose label is the commonest among those `near` (q, k) them.

    PhotoRows without a label (−1) are neither asked nor do they vote.
    """
    right = [
        np.bincount(around[around >= 0], minlength=1).argmax() == label
        for label, around in zip(labels[asked], labels[near], strict=True)
        if label >= 0
    ]
    return float(np.mean(right))


def _category(subject: Subject, name: str, rows: PhotoRows, labels: NDArray[np.int64]) -> str:
    """Accuracy of the commonest other label within the row's category, "" for the category."""
    if name == "category" or "category" not in subject.columns:
        return ""
    kinds, _ = codes([subject.columns["category"][row] for row in rows])
    kinds, labels = kinds[labels >= 0], labels[labels >= 0]
    counts = np.zeros((kinds.max() + 2, labels.max() + 1), np.int64)
    np.add.at(counts, (kinds, labels), 1)
    others = counts[kinds]
    others[np.arange(len(labels)), labels] -= 1
    return f"{(others.argmax(1) == labels).mean():.2f}"


def _judged(
    name: str, scores: Mapping[str, float], majority: float, total: int
) -> Iterator[Result]:
    if majority >= ONE_SIDED:
        return
    lifts = {cue: (score - majority) / (1 - majority) for cue, score in scores.items()}
    noise = 3 * sqrt(majority * (1 - majority) / min(QUERIES, total))
    for cue, lift in lifts.items():
        if lift >= HELPED and scores[cue] - majority > noise:
            yield Finding(
                "shortcuts",
                "error" if lift >= SOLVED else "warning",
                f"{name}: the {cue} alone gives {scores[cue]:.2f}, the commonest label "
                f"{majority:.2f}",
                f"Compare within pictures of one kind, or even out the {cue}; print this control "
                "beside every model.",
                round(scores[cue] * total),
                total,
                {"accuracy": scores[cue], "commonest": majority},
            )


def trial_shortcuts(subject: Subject) -> Iterator[Result]:
    """Hit at rank 1 of each trial from one cue alone, against chance."""
    table: list[tuple[str, ...]] = []
    for name, trial in subject.trials.items():
        if not len(trial.query):
            continue
        asked = np.random.default_rng(0).permutation(trial.query)[:QUERIES]
        cues = {cue: f(subject.looks) for cue, f in PICTURE_CUES.items()}
        if trial.match != "category" and "category" in subject.columns:
            kinds, _ = codes(subject.columns["category"])
            cues["category"] = kinds[:, None].astype(np.float32) * 1e3
        chance, scores = trial_scores(subject, trial, asked, cues)
        known = {cue: f"{score:.3f}" for cue, score in scores.items()}
        cells = (known.get(cue, "") for cue in (*PICTURE_CUES, "category"))
        table.append((name, f"{chance:.3f}", *cells))
        yield from _judged_trial(name, chance, scores, len(asked))
    if table:
        yield Figures(
            "shortcuts",
            "Hit at rank 1 from one cue alone",
            ("trial", "chance", *PICTURE_CUES, "category"),
            tuple(table),
            f"On up to {QUERIES:,} queries; ties count by their share of right answers.",
        )


def trial_scores(
    subject: Subject, trial: Trial, queries: PhotoRows, cues: Mapping[str, NDArray[np.float32]]
) -> tuple[float, dict[str, float]]:
    """Chance and every cue's expected hit at rank 1; queries without an answer are left out."""
    keys, _ = codes(subject.keys[trial.match])
    kinds, _ = codes(subject.columns.get("category", subject.ids))
    groups, _ = codes(subject.groups or subject.ids)
    hits: dict[str, list[float]] = defaultdict(list)
    for query in queries:
        free = trial.gallery != query
        if trial.apart == "group":
            free &= groups[trial.gallery] != groups[query]
        if trial.within == "category":
            free &= kinds[trial.gallery] == kinds[query]
        gallery = trial.gallery[free]
        right = (keys[gallery] == keys[query]) & (keys[query] >= 0)
        if not right.any():
            continue
        hits[""].append(right.mean())
        for name, cue in cues.items():
            distance = np.abs(cue[gallery] - cue[query]).sum(1)
            hits[name].append(right[distance <= distance.min() + 1e-6].mean())
    means = {name: float(np.mean(values)) for name, values in hits.items()}
    return means.pop("", 0.0), means


def _judged_trial(
    name: str, chance: float, scores: Mapping[str, float], total: int
) -> Iterator[Result]:
    for cue, score in scores.items():
        lift = (score - chance) / (1 - chance) if chance < 1 else 0.0
        if lift >= HELPED and score - chance > 3 * sqrt(chance * (1 - chance) / total):
            yield Finding(
                "shortcuts",
                "error" if lift >= SOLVED else "warning",
                f"{name}: the {cue} alone hits {score:.2f} at rank 1, chance is {chance:.3f}",
                f"Print this control beside every model, or draw a gallery that shares the {cue}.",
                round(score * total),
                total,
                {"hit": score, "chance": chance},
            )
