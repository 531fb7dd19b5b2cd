"""A text cut into names, small words and what nobody knows, by one language's words."""

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import NamedTuple

from coordi.words.grammar import plain_english, roles
from coordi.words.normal import Atom, Normal, joined
from coordi.words.vocabulary import STEMS, Concept, Lexicon, emoji, lexicon, stemmed

CJK_LANGUAGES = ("ja", "ko", "zh")
LATIN_LANGUAGES = ("en", "es", "fr", "de", "it", "pt")
_LONGEST_ROLE = 8
_REACH = {"ja": 14, "ko": 12, "zh": 8}


class Piece(NamedTuple):
    """A stretch of the normalised text and what it is."""

    start: int
    stop: int
    kind: str
    """name, word (unknown), stop (punctuation), blank (taken by a price or a size), or a role of
    `grammar`."""
    meant: tuple[Concept, ...] = ()
    language: str | None = None
    negated: bool = False
    """The word itself says that it lacks what it names ("buttonless")."""


def pieces(text: Normal, language: str, taken: tuple[tuple[int, int], ...]) -> list[Piece]:
    """`text` in pieces, left to right, none overlapping; `taken` are read already."""
    out: list[Piece] = []
    atoms = text.atoms
    at = 0
    while at < len(atoms):
        atom = atoms[at]
        if any(start <= atom.start < stop for start, stop in taken):
            out.append(Piece(atom.start, atom.stop, "blank"))
            at += 1
            continue
        until = _limit(atoms, at, taken)
        length, found = _longest(atoms, at, until, language)
        out += found
        at += length
    return out


def _limit(atoms: tuple[Atom, ...], at: int, taken: tuple[tuple[int, int], ...]) -> int:
    """Names end at punctuation and at what is taken."""
    until = at + 1
    while until < len(atoms) and until - at < 16:
        atom = atoms[until]
        if atom.breaks or any(start <= atom.start < stop for start, stop in taken):
            break
        until += 1
    return until


def _longest(
    atoms: tuple[Atom, ...], at: int, until: int, language: str
) -> tuple[int, list[Piece]]:
    """How many atoms the longest reading at `at` takes, and its pieces."""
    first = atoms[at]
    small, role = _role(atoms, at, until, language)
    long, meant, spoken = _name(atoms, at, until, language)
    # German "für" is no fur: a small word of the language goes before English borrowed for it.
    if meant and (long > small or (long == small and spoken == language)):
        stop = atoms[at + long - 1].stop
        return long, [Piece(first.start, stop, "name", meant, spoken)]
    if role:
        return small, [Piece(first.start, atoms[at + small - 1].stop, role)]
    if first.breaks:
        return 1, [Piece(first.start, first.stop, "stop")]
    if first.text in emoji():
        return 1, [Piece(first.start, first.stop, "name", emoji()[first.text], "emoji")]
    if first.spaced and first.text.isalpha():
        parts = list(_inside(first, language))
        if parts:
            return 1, parts
    return 1, [Piece(first.start, first.stop, "word")]


def _role(atoms: tuple[Atom, ...], at: int, until: int, language: str) -> tuple[int, str | None]:
    known = roles(language)
    for length in range(min(_LONGEST_ROLE, until - at), 0, -1):
        role = known.get(joined(atoms[at : at + length]))
        if role and _whole(atoms, at, at + length, language, role):
            return length, role
    return (1, known[atoms[at].text]) if atoms[at].text in known else (0, None)


def _whole(atoms: tuple[Atom, ...], start: int, stop: int, language: str, role: str) -> bool:
    """Korean particles stand at the end of a word: 이 at its start is part of another."""
    if language != "ko" or role in ("less", "not"):
        return True
    return not atoms[start].after_space or stop >= len(atoms) or atoms[stop].after_space


def _name(
    atoms: tuple[Atom, ...], at: int, until: int, language: str
) -> tuple[int, tuple[Concept, ...], str | None]:
    """Atoms, meanings and language of the longest name at `at`."""
    tongues = (language,) if language == "en" else (language, "en")
    words = [lexicon(tongue) for tongue in tongues]
    reach = min(max(_REACH.get(tongue, words[n].longest) for n, tongue in enumerate(tongues)),
                until - at)  # fmt: skip
    for length in range(reach, 0, -1):
        here = atoms[at : at + length]
        spelling = joined(here)
        for tongue, known in zip(tongues, words, strict=True):
            meant = _look_up(spelling, tongue, known)
            if meant and _fits(atoms, at, at + length, language):
                return length, meant, tongue
    return 0, (), None


def _look_up(spelling: str, language: str, known: Lexicon) -> tuple[Concept, ...]:
    found = known.exact.get(spelling)
    if found is None and language in STEMS and len(spelling) > 3 and spelling.isascii():
        number, gender = _stems(spelling, language)
        found = known.plural.get(number) or known.gender.get(gender)
    return found or ()


@lru_cache(maxsize=8192)
def _stems(spelling: str, language: str) -> tuple[str, str]:
    number, gender = STEMS[language]
    return stemmed(spelling, number), stemmed(spelling, gender)


def _fits(atoms: tuple[Atom, ...], start: int, stop: int, language: str) -> bool:
    """One syllable of Korean, or one sign of kana, means a thing only where the word ends with it:
    most syllables are parts of other words."""
    if stop - start > 1 or atoms[start].spaced or language == "zh":
        return True
    letter = atoms[start].text
    if language == "ja":
        return not "\u30a1" <= letter <= "\u30ff"
    if stop >= len(atoms) or atoms[stop].after_space or atoms[stop].breaks:
        return True
    end = stop
    while end < len(atoms) and not (atoms[end].after_space or atoms[end].breaks):
        end += 1
    rest = joined(atoms[stop:end])
    return atoms[start].after_space and (rest in roles("ko") or rest in lexicon("ko").exact)


def _inside(atom: Atom, language: str) -> Iterator[Piece]:
    """Names inside one word: German compounds, and English words that end in -less or -free."""
    if language == "en":
        bare = atom.text.removesuffix("less")
        meant = _look_up(bare, "en", lexicon("en")) if bare != atom.text and len(bare) > 2 else ()
        if meant and any(m.aspect in ("detail", "neckline", "pattern") for m in meant):
            yield Piece(atom.start, atom.stop, "name", meant, "en", negated=True)
    elif language == "de":
        for start, stop, meant, negated in _compound(atom.text, 0):
            kind = "name" if meant else "word"
            yield Piece(atom.start + start, atom.start + stop, kind, meant, "de", negated)


_Part = tuple[int, int, tuple[Concept, ...], bool]


def _compound(word: str, depth: int) -> list[_Part]:
    """A German compound's parts; the last is its kind ("Leder|jacke"), () where it is none."""
    for old, new in (("ue", "u"), ("oe", "o"), ("ae", "a")):
        if old in word and (meant := _german(word.replace(old, new))):
            return [(0, len(word), meant, False)]
    for ending in ("frei", "los", "lose", "freie", "freies", "loses", "loser", "freier"):
        meant = _german(word.removesuffix(ending)) if word.endswith(ending) else ()
        if meant and depth == 0:
            return [(0, len(word), meant, True)]
    for cut in range(2, len(word) - 2):
        last = _german(word[cut:])
        if not last:
            continue
        before = _first(word[:cut], depth)
        if before:
            return [*before, (cut, len(word), last, False)]
    for cut in range(4, len(word) - 3):
        last = _german(word[cut:])
        if depth == 0 and len(word) - cut >= 4 and any(m.aspect == "category" for m in last):
            return [(0, cut, (), False), (cut, len(word), last, False)]
    return []


def _first(part: str, depth: int) -> list[_Part]:
    """The parts before the last of a compound, with the s or n that joins them."""
    for bare in (part, part.removesuffix("s"), part.removesuffix("n"), part.removesuffix("en")):
        meant = lexicon("de").compound.get(bare) or _german(bare)
        if meant and len(bare) > 2:
            return [(0, len(part), meant, False)]
    return _compound(part, depth + 1) if depth < 2 and len(part) > 5 else []


def _german(word: str) -> tuple[Concept, ...]:
    return _look_up(word, "de", lexicon("de")) if len(word) > 2 else ()


def guess(text: Normal, taken: tuple[tuple[int, int], ...]) -> tuple[str | None, list[Piece]]:
    """The language that explains most of `text`, None where none explains any, and its pieces."""
    letters = [atom.text for atom in text.atoms]
    spread = "".join(letters)
    if any("\uac00" <= letter <= "\ud7a3" for letter in spread):
        return "ko", pieces(text, "ko", taken)
    if any("\u30a1" <= letter <= "\u30fa" for letter in spread):
        return "ja", pieces(text, "ja", taken)
    han = any("\u3400" <= letter <= "\u9fff" for letter in spread)
    return _best(text, ("zh", "ja") if han else LATIN_LANGUAGES, taken)


def _best(
    text: Normal, languages: tuple[str, ...], taken: tuple[tuple[int, int], ...]
) -> tuple[str | None, list[Piece]]:
    english: list[Piece] = []
    best: tuple[tuple[int, int], str | None, list[Piece]] = ((0, 0), None, [])
    words = [atom for atom in text.atoms if atom.text[0].isalnum()]
    if len(words) == 1 and words[0].text in FRIENDS:
        return FRIENDS[words[0].text], pieces(text, FRIENDS[words[0].text], taken)
    for language in languages:
        found = pieces(text, language, taken)
        score = _explained(text, found, language)
        if language in STEMS and language != "en":
            english = english or pieces(text, "en", taken)
            if not _beats(text, found, language, english):
                continue
        if score > best[0]:
            best = (score, language, found)
        if language == "en" and score[0] >= len(words):
            break
    if best[1] is None:
        return None, pieces(text, languages[0], taken)
    return best[1], best[2]


def _explained(text: Normal, found: list[Piece], language: str) -> tuple[int, int]:
    """Atoms that `language` explains: with English for what it lacks, and by its own alone."""
    both = own = 0
    alone = len(text.atoms) == 1
    for piece in found:
        inside = [a for a in text.atoms if piece.start <= a.start < piece.stop]
        count = max(len(inside), 1 if piece.kind == "name" else 0)
        if piece.kind == "name" and piece.language != "emoji":
            both += count
            own += count * (piece.language == language)
        elif piece.kind in ("skip", "with", "and", "or", "but", "without", "not", "less"):
            both += count
            own += count
        elif piece.kind == "word" and language == "en" and inside:
            plain = inside[0].text in plain_english() and not alone
            both += plain
            own += plain
    return both, own


def _beats(text: Normal, theirs: list[Piece], language: str, english: list[Piece]) -> bool:
    """Whether a query is rather `language` than English: brands and odd words of English titles
    often look like some inflected word of the others ("Player" and Spanish playa), so
    that a draw counts only for words as the tables write them."""
    own = [piece for piece in theirs if _own(text, piece, language, "en")]
    score = sum(map(partial(_length, text), own))
    other = sum(_length(text, piece) for piece in english if _own(text, piece, "en", language))
    if score != other or not score:
        return score > other
    exact = lexicon(language).exact
    return any(text.text[piece.start : piece.stop] in exact for piece in own)


def _own(text: Normal, piece: Piece, language: str, other: str) -> bool:
    """Whether a piece names something by a word that `other` has not got for it."""
    if piece.kind != "name" or piece.language != language:
        return False
    shared = _look_up(text.text[piece.start : piece.stop].replace("-", " "), other, lexicon(other))
    return not set(shared) & set(piece.meant)


def _length(text: Normal, piece: Piece) -> int:
    return max(1, sum(piece.start <= atom.start < piece.stop for atom in text.atoms))


FRIENDS = {"rock": "de", "hut": "de", "hose": "de", "rot": "de"}
"""English words that, alone, are a query in another language rather."""
