"""Captions for a picture: sometimes its title, sometimes a few of the words that are true of it."""

import random
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coordi.data.vocabulary import CATEGORIES, COLORS, relation
from coordi.training.examples import Example

_PHRASES = ("{}", "{}", "{}", "a {}", "a photo of a {}", "{} on sale", "someone wearing a {}")


@dataclass(frozen=True, slots=True)
class Caption:
    """A sentence and what it claims, so that one can say of which other pictures it is true."""

    text: str
    category: str | None = None
    color: str | None = None
    specific: bool = False
    """A title or a sentence with further words: taken as true of its own picture only."""


def write_caption(example: Example, rng: random.Random) -> Caption:
    """A caption of `example`, drawn from its title and its attributes."""
    if example.title and rng.random() < 0.6:
        return Caption(_drop_words(example.title, rng).lower(), specific=True)
    color, category = example.color, example.category
    if color and category and rng.random() < 0.3:
        color, category = (color, None) if rng.random() < 0.3 else (None, category)
    if color is None and category is None:
        return Caption(example.title.lower() or "clothing", specific=True)
    extra = rng.choice(example.extras) if example.extras and rng.random() < 0.4 else ""
    words = [
        rng.choice(COLORS[color].words) if color else "",
        extra,
        rng.choice(CATEGORIES[category].words) if category else "",
    ]
    phrase = rng.choice(_PHRASES).format(" ".join(word for word in words if word))
    return Caption(phrase, category, color, specific=bool(extra))


def _drop_words(title: str, rng: random.Random, share: float = 0.15) -> str:
    """`title` without some of its words, so that no brand alone carries the match."""
    words = re.split(r"\s+", title)
    kept = [word for word in words if rng.random() >= share]
    return " ".join(kept or words)


def truth_matrix(examples: list[Example], captions: list[Caption]) -> NDArray[np.int8]:
    """Whether caption j is true of picture i: 1 yes, −1 no, 0 cannot be known → (N, N).

    A general caption ("navy dress") is true of every picture whose labels say so and unknown
    where a label is missing; a specific one is true of its own item, and unknown for a
    picture of the same group and colour.
    """
    truth = np.empty((len(examples), len(captions)), dtype=np.int8)
    cache: dict[tuple[str | None, str | None, str | None, str | None], int] = {}
    for i, example in enumerate(examples):
        for j, caption in enumerate(captions):
            if i == j or (example.item and example.item == examples[j].item):
                truth[i, j] = 1
            elif caption.specific:
                same = example.group == examples[j].group and example.color == examples[j].color
                truth[i, j] = 0 if same else -1
            else:
                key = (caption.category, caption.color, example.category, example.color)
                if key not in cache:
                    cache[key] = min(
                        relation(caption.category, example.category, CATEGORIES),
                        relation(caption.color, example.color, COLORS),
                    )
                truth[i, j] = cache[key]
    return truth
