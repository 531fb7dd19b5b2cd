"""What a query's words ask for: a text for the encoder, and words to be found in the items' own.

This is the one place where a text becomes these two: `coordi.words` says what it means, the
catalogue's own words how it is spelt.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from coordi.tasks.spelling import corrected
from coordi.tasks.synonyms import Said, Synonyms, packaged_text, parse_synonyms
from coordi.types import Chip, WordIndex
from coordi.words import Understood, synonyms_of, terms, understand

_ENGLISH = """a an and are as at be but by for from i im in into is it its looking me my need of
    off on or our some something that the their these this to up very want we wear which who will
    with"""
_OTHERS = """al con de del della den der des di die do du e ein eine einen el en et fur il la las le
    les lo los mit o os ou para per por pour um uma un una und une y"""

FUNCTION_WORDS = frozenset(f"{_ENGLISH} {_OTHERS}".split())
"""Words that say nothing about a garment; they are not looked for in the items' own."""

Group = tuple[Said, ...]

_AS_TYPED = (None, "en")
"""Languages whose words are looked for as they stand: items are taken to speak English too."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A query's words, read."""

    text: str
    """What the encoder is given: English, without what is refused."""
    groups: tuple[Group, ...] = ()
    """What to find in the items' own words: ways to say each thing, the typed one first."""
    refused: tuple[Group, ...] = ()
    """What items shall not have."""
    unlike: str = ""
    """What is refused, for the encoder."""
    chips: tuple[Chip, ...] = ()
    """What was understood."""
    language: str | None = None
    suggestion: str = ""
    """The text, where its spelling was corrected; "" where it is as typed."""
    known: float = 0.0
    """Share of `groups` that some item has, in [0, 1]."""


def read(
    text: str,
    words: WordIndex | None,
    *,
    spelling: bool = True,
    drop: Sequence[str] = (),
    synonyms: Synonyms | None = None,
) -> Reading:
    """Read a text, against the words of a catalogue where there are any.

    `drop` are ids of chips that it shall not mean; `synonyms` are the shop's own.
    """
    if words is None:
        meaning = understand(text, drop)
        unlike = ", ".join(meaning.negatives)
        return Reading(meaning.english, (), (), unlike, meaning.chips, meaning.language)
    known = packaged(words)
    known = known if synonyms is None else known.joined(synonyms)
    meant = text
    if spelling:
        meant = corrected(text, words, known.known, _means_something)
    meaning = understand(meant, drop)
    groups = tuple(_wanted(meaning, words, known))
    there = [group for group in groups if _there(group, words)]
    return Reading(
        meaning.english,
        groups,
        tuple(_refused(meaning, words)),
        ", ".join(meaning.negatives),
        meaning.chips,
        meaning.language,
        "" if meant.split() == text.split() else meant,
        len(there) / len(groups) if groups else 0.0,
    )


def _means_something(word: str) -> bool:
    """Whether a word is one of a language that we know; it is then not misspelt."""
    return word in FUNCTION_WORDS or not understand(word).rest


def _wanted(meaning: Understood, words: WordIndex, synonyms: Synonyms) -> Iterator[Group]:
    """What to look for. English words as they stand; those of other languages by what they mean,
    in English and as typed, for catalogues in either.
    """
    if meaning.language in _AS_TYPED:
        yield from _groups(_cut(meaning.english, words), words, synonyms)
        return
    for term in terms(meaning, ("en", meaning.language or "en")):
        if term.chip is None:
            yield from _groups(_cut(term.words[0], words), words, synonyms)
        else:
            yield from _ways(term.words, words)


def _refused(meaning: Understood, words: WordIndex) -> Iterator[Group]:
    """What items shall not have: the English words of what is refused."""
    for phrase in meaning.negatives:
        found = _cut(phrase, words)
        if found:
            yield (tuple(found), *_named_otherwise((phrase,), words))


def _ways(said: Sequence[str], words: WordIndex) -> Iterator[Group]:
    """A group of all that some words of one meaning come to."""
    ways = dict.fromkeys(tuple(_cut(way, words)) for way in said)
    ways.pop((), None)
    if ways:
        yield tuple(ways)


def _cut(text: str, words: WordIndex) -> list[str]:
    """The words of a text that are looked for: none that only join others."""
    found: list[str] = []
    for chunk in text.split():
        parts = words.words(chunk)
        # Of "t-shirt" the joined form; of a text without spaces all pairs of signs.
        joined = len(parts) > 1 and "".join(parts[:-1]) == parts[-1]
        some = parts[-1:] if joined else parts
        found += [word for word in some if word not in FUNCTION_WORDS]
    return found


_packaged: list[Synonyms] = []


def packaged(words: WordIndex) -> Synonyms:
    """The list of synonyms that comes with coordi, read once."""
    if not _packaged:
        _packaged.append(parse_synonyms(packaged_text(), words, "synonyms.txt"))
    return _packaged[0]


def _there(group: Group, words: WordIndex) -> bool:
    return any(all(map(words.knows, way)) for way in group)


def _groups(found: Sequence[str], words: WordIndex, synonyms: Synonyms) -> Iterator[Group]:
    """Each word, or the longest run of words that is an entry, with what means the same."""
    stems, at = words.stems(found), 0
    while at < len(found):
        for length in range(min(synonyms.longest, len(found) - at), 0, -1):
            said, key = tuple(found[at : at + length]), tuple(stems[at : at + length])
            if length == 1 or key in synonyms.also:
                also = (*synonyms.also.get(key, ()), *_named_otherwise(said, words))
                yield (said, *dict.fromkeys(way for way in also if way != said))
                at += length
                break


def _named_otherwise(said: Said, words: WordIndex) -> Iterator[Said]:
    """Other English words of what is said, as the index cuts them."""
    for other in synonyms_of(" ".join(said)):
        way = tuple(_cut(other, words))
        if way:
            yield way
