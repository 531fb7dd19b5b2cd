"""What a query's words ask for: a text for the encoder, and words to be found in the items' own.

This is the one place where a text becomes these two. Whoever understands more of it (another
language, an attribute, a negation) makes another `Reading` here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from coordi.tasks.spelling import corrected
from coordi.tasks.synonyms import Said, Synonyms, packaged_text, parse_synonyms
from coordi.types import WordIndex

_ENGLISH = """a an and are as at be but by for from i im in into is it its looking me my need of
    off on or our some something that the their these this to up very want we wear which who will
    with"""
_OTHERS = """al con de del della den der des di die do du e ein eine einen el en et fur il la las le
    les lo los mit o os ou para per por pour um uma un una und une y"""

FUNCTION_WORDS = frozenset(f"{_ENGLISH} {_OTHERS}".split())
"""Words that say nothing about a garment; they are not looked for in the items' own."""

_NOT = "not no without non ohne kein keine sans pas sin senza sem nao"
NEGATIONS = frozenset(_NOT.split())
"""Words behind which stands what is not wanted; that is not looked for either."""

Group = tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A query's words, read."""

    text: str
    """What the encoder is given."""
    groups: tuple[Group, ...] = ()
    """What to find in the items' own words: ways to say each thing, the typed one first."""
    suggestion: str = ""
    """The text, where its spelling was corrected; "" where it is as typed."""
    known: float = 0.0
    """Share of `groups` that some item has, in [0, 1]."""


def read(
    text: str, words: WordIndex, *, spelling: bool = True, synonyms: Synonyms | None = None
) -> Reading:
    """Read a text against the words of a catalogue; `synonyms` are the shop's own."""
    known = packaged(words)
    known = known if synonyms is None else known.joined(synonyms)
    meant = text
    if spelling:
        meant = corrected(text, words, known.known, lambda word: word in FUNCTION_WORDS | NEGATIONS)
    kept, wanted = _wanted(meant, words)
    groups = tuple(_groups(wanted, words, known))
    there = [group for group in groups if _there(group, words)]
    share = len(there) / len(groups) if groups else 0.0
    return Reading(kept or meant, groups, "" if meant.split() == text.split() else meant, share)


_packaged: list[Synonyms] = []


def packaged(words: WordIndex) -> Synonyms:
    """The list of synonyms that comes with coordi, read once."""
    if not _packaged:
        _packaged.append(parse_synonyms(packaged_text(), words, "synonyms.txt"))
    return _packaged[0]


def _there(group: Group, words: WordIndex) -> bool:
    return any(all(map(words.knows, way)) for way in group)


def _wanted(text: str, words: WordIndex) -> tuple[str, list[str]]:
    """A text without what it refuses, and the words of it that are looked for: none that only
    join others.

    The encoder does not understand a negation: to it "not black" is black.
    """
    kept: list[str] = []
    found: list[str] = []
    refused = False
    for chunk in text.split():
        parts = words.words(chunk)
        if len(parts) == 1 and parts[0] in NEGATIONS:
            refused = True
        elif refused:
            refused = bool(parts) and parts[-1] in FUNCTION_WORDS
        else:
            # Of "t-shirt" the joined form; of a text without spaces all pairs of signs.
            joined = len(parts) > 1 and "".join(parts[:-1]) == parts[-1]
            some = parts[-1:] if joined else parts
            found += [word for word in some if word not in FUNCTION_WORDS]
            kept.append(chunk)
    return " ".join(kept), found


def _groups(found: Sequence[str], words: WordIndex, synonyms: Synonyms) -> Iterator[Group]:
    """Each word, or the longest run of words that is an entry, with what means the same."""
    stems, at = words.stems(found), 0
    while at < len(found):
        for length in range(min(synonyms.longest, len(found) - at), 0, -1):
            said, key = tuple(found[at : at + length]), tuple(stems[at : at + length])
            if length == 1 or key in synonyms.also:
                yield (said, *(way for way in synonyms.also.get(key, ()) if way != said))
                at += length
                break
