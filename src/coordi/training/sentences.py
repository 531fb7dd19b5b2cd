"""Captions for a picture: sometimes its title, sometimes a few of the words that are true of it.

In English, or in any of the languages of `coordi.words`.
"""

import random
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from coordi.data.vocabulary import CATEGORIES, COLORS, relation
from coordi.training.examples import Example
from coordi.words.vocabulary import LANGUAGES, Concept, concepts

Key = TypeVar("Key", bound=Hashable)

Claim = tuple[str | None, str | None, str | None]
"""Category, colour, pattern."""

_PHRASES = ("{}", "{}", "{}", "a {}", "a photo of a {}", "{} on sale", "someone wearing a {}")


@dataclass(frozen=True, slots=True)
class Caption:
    """A sentence and what it claims, so that one can say of which other pictures it is true."""

    text: str
    category: str | None = None
    color: str | None = None
    pattern: str | None = None
    specific: bool = False
    """A title or a sentence with further words: taken as true of its own picture only."""


def write_caption(
    example: Example, rng: random.Random, *, titles: float = 0.6, foreign: float = 0.0
) -> Caption:
    """A caption of `example`, drawn from its title and its attributes.

    `titles` is the share of titles where there is one, `foreign` that of captions of attributes
    in another language than English.
    """
    if example.title and rng.random() < titles:
        return Caption(_drop_words(example.title, rng).lower(), specific=True)
    if foreign and rng.random() < foreign and (caption := _foreign(example, rng)):
        return caption
    if example.pattern and rng.random() < (0.2 if example.color else 0.7):
        return _of_pattern(example, rng)
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


def _of_pattern(example: Example, rng: random.Random) -> Caption:
    """ "striped dress", or "stripes" alone."""
    category = example.category if rng.random() < 0.6 else None
    said = _patterns().get(example.pattern, {}).get("en") or (example.pattern,)
    words = [rng.choice(said), rng.choice(CATEGORIES[category].words) if category else ""]
    text = rng.choice(_PHRASES).format(" ".join(word for word in words if word))
    return Caption(text, category, pattern=example.pattern)


def _foreign(example: Example, rng: random.Random) -> Caption | None:
    """A few words in another language; None where nothing is known that it has words for."""
    language = rng.choice(LANGUAGES[1:])
    known = {
        "color": (_said("color"), example.color),
        "category": (_said("category"), example.category),
        "pattern": (_patterns(), example.pattern),
    }
    words = {k: said[v][language] for k, (said, v) in known.items() if v and v in said}
    words = {kind: there for kind, there in words.items() if there}
    if not words:
        return None
    if len(words) > 1 and rng.random() < 0.3:
        del words[rng.choice(sorted(words))]
    order = sorted(words, reverse=rng.random() < 0.5)  # languages differ in where the noun stands
    blank = "" if language in {"ja", "zh"} and rng.random() < 0.5 else " "
    text = blank.join(rng.choice(words[kind]) for kind in order).lower()
    parts = {kind: known[kind][1] for kind in words}
    return Caption(text, parts.get("category"), parts.get("color"), parts.get("pattern"))


Said = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Canonical name → language → words."""


@cache
def _said(aspect: str) -> Said:
    """What the languages call the names that labels are brought to (`coordi.data.vocabulary`)."""
    table = {"category": CATEGORIES, "color": COLORS}[aspect]
    found = {word: c for c in concepts() if c.aspect == aspect for word in c.words("en")}
    return {name: _words(found[name]) for name in table if name in found}


def _words(concept: Concept) -> Mapping[str, tuple[str, ...]]:
    """Of German first parts of compounds ("blumen-") nothing: they are no words."""
    return {
        language: tuple(w for w in concept.as_written(language) if not w.endswith("-"))
        for language in LANGUAGES
    }


@cache
def _patterns() -> Said:
    """The same of patterns, by every English word for them."""
    named = [(w, c) for c in concepts() if c.aspect == "pattern" for w in c.words("en")]
    return {word: _words(concept) for word, concept in named}


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
    shown, picture = _numbered([(e.category, e.color, e.pattern) for e in examples])
    said, sentence = _numbered([(c.category, c.color, c.pattern) for c in captions])
    general = np.array([[_relation(claim, known) for claim in said] for known in shown], np.int8)
    _, kin = _numbered([(e.group, e.color) for e in examples])
    _, item = _numbered([e.item or i for i, e in enumerate(examples)])
    specific = np.array([caption.specific for caption in captions], bool)
    alike = np.where(kin[:, None] == kin, 0, -1)
    truth = np.where(specific, alike, general[picture][:, sentence])
    return np.where(item[:, None] == item, 1, truth).astype(np.int8)


def _numbered(keys: Sequence[Key]) -> tuple[list[Key], NDArray[np.intp]]:
    """Distinct keys in the order in which they come, and which of them each is."""
    numbers: dict[Key, int] = {}
    rows = np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.intp)
    return list(numbers), rows


def _relation(said: Claim, known: Claim) -> int:
    """Whether all that is said is true where so much is known: 1 yes, −1 no, 0 unknown."""
    return min(
        relation(said[0], known[0], CATEGORIES),
        relation(said[1], known[1], COLORS),
        _same_pattern(said[2], known[2]),
    )


def _same_pattern(said: str | None, known: str | None) -> int:
    """As `relation`: 1 yes (or nothing is said), −1 no, 0 where the source does not know it."""
    if not said or said == known:
        return 1
    return -1 if known else 0
