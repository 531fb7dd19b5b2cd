"""Words that nobody knows → the nearest word of the catalogue.

Nearest by optimal string alignment (a letter missing, too many, changed, or two that changed
places), among words that begin with the same letter, which slips rarely touch (Pollock and Zamora
1984, Automatic spelling correction in scientific and scholarly text: 3% of slips); of those
equally near the one that more items have.
"""

from collections.abc import Callable, Collection, Mapping

from coordi.types import WordIndex

SHORTEST = 4
"""Letters of the shortest word that is corrected."""

TWO_SLIPS = 7
"""Letters from which a word may have two slips."""


def corrected(
    text: str, words: WordIndex, known: Collection[str], passed: Callable[[str], bool]
) -> str:
    """The text with unknown words put right; the same where none is, or where one is left that
    nothing is near to: the text is then likelier one of another language.

    `known` are words that need no item to have them, `passed` tells of further ones that are left
    alone.
    """
    meant = [_nearest(chunk, words, known, passed) for chunk in text.split()]
    return text if "" in meant else " ".join(meant)


def _nearest(
    chunk: str, words: WordIndex, known: Collection[str], passed: Callable[[str], bool]
) -> str:
    """A word put right; "" where it is unknown and nothing is near."""
    found = words.words(chunk)
    # Of what has signs in it nobody can tell which part is wrong.
    if len(found) != 1 or not is_word(found[0]):
        return chunk
    word = found[0]
    if word in known or passed(word) or words.knows(word):
        return chunk
    vocabulary = words.vocabulary()
    return nearest(word, vocabulary, known) or parted(word, vocabulary, known)


def is_word(word: str) -> bool:
    """Whether it is a word that can be misspelt: long enough, of Latin letters alone."""
    return len(word) >= SHORTEST and word.isascii() and word.isalpha()


def nearest(word: str, vocabulary: Mapping[str, int], known: Collection[str]) -> str:
    """The word that was meant; "" where none is near."""
    from rapidfuzz.distance import OSA

    slips = 2 if len(word) >= TWO_SLIPS else 1
    best = (slips + 1, 0, "")
    for other in {*vocabulary, *known}:
        if abs(len(other) - len(word)) > slips or other[0] != word[0] or not is_word(other):
            continue
        distance = OSA.distance(word, other, score_cutoff=slips)
        best = min(best, (distance, -vocabulary.get(other, 0), other))
    return best[2] if best[0] <= slips else ""


def parted(word: str, vocabulary: Mapping[str, int], known: Collection[str]) -> str:
    """Two known words that were written as one ("flipflops"); "" where it is none.

    Of several ways the one whose rarer word is commonest.
    """
    best = (-1, "")
    for at in range(SHORTEST - 1, len(word) - SHORTEST + 2):
        halves = word[:at], word[at:]
        if all(half in vocabulary or half in known for half in halves):
            best = max(best, (min(vocabulary.get(half, 0) for half in halves), " ".join(halves)))
    return best[1]
