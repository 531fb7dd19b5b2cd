"""Small collections of photos for tests of measuring; their vectors have ties on purpose."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coordi.data.collection import Collection, Trial, group_of, key_of
from coordi.types import ImageRef, Photo


def world(
    seed: int,
    *,
    match: str = "item",
    apart: str = "photo",
    within: str = "all",
    queries: int = 23,
    gallery: int = 61,
    overlap: int = 7,
) -> Collection:
    """Photos of few garments, categories and colours; some queries stand in the gallery too."""
    rng = np.random.default_rng(seed)
    photos = tuple(_photo(number, rng) for number in range(queries + gallery))
    rows = rng.permutation(len(photos))
    asked, found = rows[:queries], rng.permutation(rows[queries - overlap :])
    trial = Trial(asked, found, match, apart, within)
    return Collection(f"world-{seed}", photos, np.empty(0, np.int64), trial)


def _photo(number: int, rng: np.random.Generator) -> Photo:
    item = f"item-{rng.integers(12)}"
    color = rng.choice(["", "red", "blue"])
    return Photo(
        id=f"photo-{number}",
        image=ImageRef(Path(f"{number}.png")),
        item=item,
        street=bool(rng.integers(2)),
        category=str(rng.choice(["", "dress", "shirt"])),
        attributes={"color": str(color)} if color else {},
        group=f"group-{item[5:]}-{rng.integers(3)}",
    )


def vectors_with_ties(count: int, seed: int) -> NDArray[np.float32]:
    """Rows of small whole numbers: every sum is exact, so equal scores are equal to the bit."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-1, 2, size=(count, 3)).astype(np.float32)
    rows[~rows.any(axis=1)] = 1
    return rows


def slow_ranking(
    collection: Collection,
    trial: Trial,
    queries: NDArray[np.float32],
    gallery: NDArray[np.float32],
    query: int,
) -> tuple[list[int], list[bool], int]:
    """Gallery positions best first, which of them answer, and how many answers there are."""
    photos = collection.photos
    asked = photos[trial.query[query]]
    scored: list[tuple[float, int]] = []
    right: dict[int, bool] = {}
    answers = 0
    for place, row in enumerate(trial.gallery):
        other = photos[row]
        if trial.apart == "photo" and other.id == asked.id:
            continue
        if trial.apart == "group" and group_of(other) == group_of(asked):
            continue
        if trial.within == "category" and other.category != asked.category:
            continue
        same = key_of(asked, trial.match) == key_of(other, trial.match) != ""
        answers += same
        if not queries[query].any() or not gallery[place].any():
            continue
        score = sum(
            float(a) * float(b) for a, b in zip(queries[query], gallery[place], strict=True)
        )
        scored.append((-score, place))
        right[place] = same
    order = [place for _, place in sorted(scored)]
    return order, [right[place] for place in order], answers


def slow_average_precision_at_r(right: Sequence[bool], answers: int) -> float:
    """AP@R by its definition."""
    total, found = 0.0, 0
    for rank, hit in enumerate(right[:answers], 1):
        if hit:
            found += 1
            total += found / rank
    return total / answers if answers else 0.0
