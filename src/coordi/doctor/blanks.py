"""Fill in the blank answered by cues that see no garment, under three ways to draw negatives.

One item of an outfit is hidden and must be told from three others (Han et al. 2017, section 5.2).
What scores above 1/4 here without looking at garments is what a model may learn instead.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from coordi.doctor.findings import Figures, Finding, Result
from coordi.doctor.outfits import OutfitSubject, values_of
from coordi.doctor.shortcuts import PICTURE_CUES
from coordi.doctor.subject import codes, label_columns

CHOICES = 4
FINEST = ("family", "category", "article_type", "type")
"""Columns that make a negative the same kind of thing; the first one that is there counts."""
Score = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""(candidates (4,), other items of the outfit (m,)) → scores (4,), higher is better."""
_HELPED, _SOLVED = 0.35, 0.55


def blank_shortcuts(subject: OutfitSubject) -> Iterator[Result]:
    """Accuracy of each cue on fill-in-the-blank, for negatives drawn more and more fairly."""
    pools, named = _pools(subject)
    cues = _cues(subject)
    scores = {kind: accuracy(subject, draw, cues) for kind, draw in pools.items()}
    asked = {kind: count for kind, (count, _) in scores.items()}
    if not max(asked.values(), default=0):
        return
    yield Figures(
        "shortcuts",
        f"Fill in the blank, {CHOICES} choices, chance {1 / CHOICES:.2f}",
        ("cue", *scores),
        (
            ("questions", *(f"{count:,}" for count in asked.values())),
            *(
                (cue, *(f"{figures.get(cue, float('nan')):.2f}" for _, figures in scores.values()))
                for cue in cues
            ),
        ),
        f"Same kind: same {named or 'nothing, for no column tells'}. Popularity counts the outfit "
        "asked about, as a model that was trained on all outfits would; ties count by their share.",
    )
    for kind, (count, figures) in scores.items():
        yield from _judged(kind, count, figures)


Draw = Callable[[int, NDArray[np.int64], np.random.Generator], NDArray[np.int64]]


def _pools(subject: OutfitSubject) -> tuple[dict[str, Draw], str]:
    """Ways to draw negatives: anywhere, of the same kind, and matched in popularity too."""
    columns = [name for name in ("season",) if name in subject.items.columns]
    columns += [kind for kind in (_finest(subject),) if kind]
    kinds = values_of(subject.items, columns)
    members: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, kind in enumerate(kinds):
        members[kind].append(row)
    same = {kind: np.array(rows, np.int64) for kind, rows in members.items()}
    everything = np.arange(subject.items.count)
    used = subject.popularity

    def anywhere(
        hidden: int,  # noqa: ARG001 - one signature for all draws
        outfit: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> NDArray[np.int64]:
        return _some(np.setdiff1d(everything, outfit), rng)

    def alike(
        hidden: int, outfit: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        return _some(np.setdiff1d(same[kinds[hidden]], outfit), rng)

    def matched(
        hidden: int, outfit: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        pool = rng.permutation(np.setdiff1d(same[kinds[hidden]], outfit))
        distance = np.abs(np.log1p(used[pool]) - np.log1p(used[hidden]))
        return pool[np.argsort(distance, kind="stable")[: CHOICES - 1]]

    draws: dict[str, Draw] = {"anywhere": anywhere}
    if columns:
        draws["same kind"] = alike
    draws["same kind, same popularity" if columns else "same popularity"] = matched
    return draws, " and ".join(columns)


def _some(pool: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    if len(pool) < CHOICES - 1:
        return pool
    return rng.choice(pool, CHOICES - 1, replace=False)


def _cues(subject: OutfitSubject) -> dict[str, Score]:
    items = subject.items
    used = subject.popularity.astype(float)
    cues: dict[str, Score] = {"popularity": lambda candidates, _: used[candidates]}
    if len(items.readable):
        for name, measure in PICTURE_CUES.items():
            cues[name] = _nearest_cue(measure(items.looks))
    if kind := _finest(subject):
        cues[f"{kind} pairs"] = _pairs(subject, codes(items.columns[kind])[0])
    for name, cells in label_columns(items).items():
        cues[f"same {name}"] = _same(codes(cells)[0])
    return cues


def _finest(subject: OutfitSubject) -> str:
    """The column that tells kinds apart, "" where there is none."""
    labels = label_columns(subject.items)
    return next((name for name in FINEST if name in labels), "")


def _pairs(subject: OutfitSubject, kinds: NDArray[np.int64]) -> Score:
    """How often a kind goes with the others' kinds, without the outfit that is asked about.

    Category co-occurrence, the control that reaches .62 on Maryland Polyvore.
    """
    together = np.zeros((kinds.max() + 2,) * 2)
    for members in map(_members, subject.outfits):
        mine = kinds[members]
        np.add.at(together, (mine[:, None], mine[None, :]), 1)
        np.add.at(together, (mine, mine), -1)

    def score(candidates: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float64]:
        own = kinds[candidates] == kinds[candidates[0]]  # the hidden item stands first
        counts = together[kinds[candidates][:, None], kinds[others]] - own[:, None]
        per_kind = np.maximum(together[kinds[candidates]].sum(1, keepdims=True), 1)
        return np.asarray(np.log((counts + 0.1) / per_kind).mean(1), np.float64)

    return score


def _nearest_cue(cue: NDArray[np.float32]) -> Score:
    scaled = (cue - cue.mean(0)) / np.maximum(cue.std(0), 1e-6)

    def score(candidates: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float64]:
        gaps = np.linalg.norm(scaled[candidates][:, None] - scaled[others], axis=2)
        return np.asarray(-gaps.min(1), np.float64)

    return score


def _same(labels: NDArray[np.int64]) -> Score:
    def score(candidates: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray((labels[candidates][:, None] == labels[others]).mean(1), np.float64)

    return score


def accuracy(
    subject: OutfitSubject, draw: Draw, cues: Mapping[str, Score], seed: int = 0
) -> tuple[int, dict[str, float]]:
    """Ask one question per outfit → (questions, accuracy of every cue).

    An outfit whose hidden item finds no three negatives is passed over.
    """
    rng = np.random.default_rng(seed)
    hits: dict[str, list[float]] = defaultdict(list)
    asked = 0
    for members in map(_members, subject.outfits):
        if len(members) < 2:
            continue
        at = rng.integers(len(members))
        negatives = draw(int(members[at]), members, rng)
        if len(negatives) < CHOICES - 1:
            continue
        asked += 1
        candidates = np.concatenate([members[at : at + 1], negatives])
        others = np.delete(members, at)
        for name, score in cues.items():
            hits[name].append(_won(score(candidates, others)))
    return asked, {name: float(np.mean(values)) for name, values in hits.items()}


def _members(outfit: Sequence[int]) -> NDArray[np.int64]:
    return np.unique(np.array(outfit, np.int64))


def _won(scores: NDArray[np.float64]) -> float:
    """The first candidate's share of the best place."""
    best = scores >= scores.max() - 1e-9
    return float(best[0] / best.sum())


def _judged(kind: str, count: int, figures: Mapping[str, float]) -> Iterator[Result]:
    chance = 1 / CHOICES
    noise = 3 * sqrt(chance * (1 - chance) / max(1, count))
    least = max(_HELPED, chance + noise)
    helped = {cue: score for cue, score in figures.items() if score >= least}
    if not helped:
        return
    named = ", ".join(
        f"{cue} {score:.2f}" for cue, score in sorted(helped.items(), key=lambda c: -c[1])
    )
    yield Finding(
        "shortcuts",
        "error" if max(helped.values()) >= _SOLVED else "warning",
        f"fill in the blank with negatives {'from ' if kind == 'anywhere' else 'of the '}{kind} is "
        f"answered without looking: {named} (chance {1 / CHOICES:.2f})",
        "Draw negatives of the same season, the same kind and the same popularity; print these "
        "controls beside every model.",
        round(max(helped.values()) * count),
        count,
        helped,
    )


def telling_order(subject: OutfitSubject, kind: str = "") -> Iterator[Result]:
    """Whether the order in which outfits list their items tells them from shuffled ones.

    The usual place of every kind is learned from one half of the outfits; the other half is
    told from its own shuffles by how well it keeps to those places (AUC, .5 is chance). `kind` is
    the column that tells kinds apart, by default the finest.
    """
    kind = kind or _finest(subject)
    if not kind:
        return
    auc, count = order_auc(subject.outfits, codes(subject.items.columns[kind])[0])
    if count >= 20 and auc >= 0.6:
        yield Finding(
            "order",
            "warning",
            f"the order of the items tells outfits from shuffled ones: AUC {auc:.2f}, by {kind} "
            "alone",
            "Shuffle the items wherever outfits are read, for a model that sees an order learns "
            "it.",
            count,
            len(subject.outfits),
            {"auc": auc},
        )


def order_auc(
    outfits: Sequence[tuple[int, ...]], kinds: NDArray[np.int64], seed: int = 0
) -> tuple[float, int]:
    """AUC of listed against shuffled order → (AUC, outfits asked about)."""
    rng = np.random.default_rng(seed)
    places: dict[int, list[float]] = defaultdict(list)
    for outfit in outfits[::2]:
        for place, row in enumerate(outfit):
            places[int(kinds[row])].append(place / max(1, len(outfit) - 1))
    usual = {kind: float(np.mean(at)) for kind, at in places.items()}
    listed, mixed = [], []
    for outfit in outfits[1::2]:
        where = np.array([usual.get(int(kinds[row]), 0.5) for row in outfit])
        if len(set(where.tolist())) > 1:
            steps = np.arange(len(where)) - (len(where) - 1) / 2
            listed.append(float(steps @ where))
            mixed.append(float(steps @ rng.permutation(where)))
    if not listed:
        return 0.5, 0
    ranked = np.sort(mixed)
    beaten = ranked.searchsorted(listed, "left") + ranked.searchsorted(listed, "right")
    return float(beaten.mean() / (2 * len(mixed))), len(listed)
