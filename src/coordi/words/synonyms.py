"""Other words for the same thing: what a lexical index looks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from coordi.types import Chip
from coordi.words.matching import Piece, pieces
from coordi.words.normal import read
from coordi.words.understanding import Understood, meaning
from coordi.words.vocabulary import Concept


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that a catalogue's text should say, in any of some words."""

    words: tuple[str, ...]
    """As a catalogue writes them, with accents and capitals; an index folds what it folds."""
    chip: Chip | None
    """What it stands for; None for a part that nobody understood."""


def synonyms_of(word: str) -> tuple[str, ...]:
    """The English words of what `word` means, itself left out; () where it means nothing known.

    Synonyms are words of one concept (trainers, sneakers); kinds of it (boots for shoes) are not.
    """
    return _synonyms(word)


@cache
def _synonyms(word: str) -> tuple[str, ...]:
    form = read(word)
    found: list[Piece] = pieces(form, "en", ())
    if len(found) != 1 or not found[0].meant:
        return ()
    itself = form.text.strip()
    words = [w for concept in found[0].meant for w in concept.words("en")]
    return tuple(w for w in dict.fromkeys(words) if w != itself)


def terms(understood: Understood, languages: Sequence[str] = ("en",)) -> tuple[Term, ...]:
    """What to look for in titles written in `languages`: for each chip that is wanted all words of
    its concept, what was written among them, then the parts nobody understood."""
    out = []
    for chip in understood.chips:
        concept = meaning(chip)
        if concept is not None and not chip.negative:
            out.append(Term(_words(concept, chip, languages), chip))
    return (*out, *(Term((part,), None) for part in understood.rest))


def _words(concept: Concept, chip: Chip, languages: Sequence[str]) -> tuple[str, ...]:
    words = [w for code in languages for w in concept.as_written(code) if not w.endswith("-")]
    return tuple(dict.fromkeys([chip.text, *words]))
