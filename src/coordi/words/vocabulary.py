"""The packaged words of fashion: concepts, what nine languages call them, and how words bend.

The tables are plain text (`tables/*.txt`, one a kind of meaning, one line a concept); docs/words.md
says how to read and add to them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from coordi.errors import InputError, UnknownNameError
from coordi.words.normal import normal, quick_key

LANGUAGES = ("en", "ja", "ko", "zh", "es", "fr", "de", "it", "pt")
"""In the order of the columns, and of preference where a query fits several."""

ASPECTS = (
    "category", "color", "pattern", "fabric", "sleeve", "neckline", "length", "detail", "fit",
    "gender", "season", "occasion", "style",
)  # fmt: skip
"""Kinds of meaning, one table each, in the order of preference for a word that has several."""


class Concept(NamedTuple):
    """One meaning: its English name, what it is a kind of, and its words by language."""

    aspect: str
    name: str
    parent: str | None
    written: tuple[str, ...]
    """The cells of the table's row in the order of `LANGUAGES`."""

    @property
    def id(self) -> str:
        """Aspect and name, as chips and the table of emoji write it."""
        return f"{self.aspect}:{self.name}"

    def words(self, language: str) -> tuple[str, ...]:
        """Normalised words; for German a trailing "-" marks a first part of compounds only."""
        return self.split(normal(self.written[_column(language)]), language)

    def as_written(self, language: str) -> tuple[str, ...]:
        """Words with their accents, capitals and small kana, as a catalogue has them."""
        return self.split(self.written[_column(language)], language)

    def split(self, cell: str, language: str) -> tuple[str, ...]:
        """The words of a cell, in English the name before them."""
        words = [word for part in cell.split(",") if (word := part.strip())]
        return (self.name, *words) if language == "en" else tuple(words)


def _column(language: str) -> int:
    try:
        return LANGUAGES.index(language)
    except ValueError:
        raise UnknownNameError("language", language, LANGUAGES) from None


@cache
def concepts() -> tuple[Concept, ...]:
    """All concepts of all tables, in the order of `ASPECTS` and of the rows."""
    folder = files(__package__) / "tables"
    found: list[Concept] = []
    for aspect in ASPECTS:
        path = folder / f"{aspect}.txt"
        found += read_table(aspect, path.read_text(encoding="utf-8"), str(path))
    return tuple(found)


def read_table(aspect: str, text: str, path: str) -> list[Concept]:
    """The concepts of one table; `InputError` names file and line of a bad row."""
    found: dict[str, tuple[int, Concept]] = {}
    for number, cells in rows(text):
        where = f"{path}:{number}"
        if cells[0] == "name":
            continue
        if len(cells) != 2 + len(LANGUAGES):
            wanted = ", ".join(("name", "parent", *LANGUAGES))
            raise InputError(
                f"{where}: {len(cells)} cells where {2 + len(LANGUAGES)} belong ({wanted}), "
                "separated by |. Add or remove a |."
            )
        name = cells[0]
        if not name or name in found:
            problem = f"{name!r} stands twice" if name else "a row without a name"
            raise InputError(f"{where}: {problem}. Give each concept one row and one name.")
        found[name] = number, Concept(aspect, name, cells[1] or None, tuple(cells[2:]))
    for number, concept in found.values():
        if concept.parent is not None and concept.parent not in found:
            raise InputError(
                f"{path}:{number}: the parent {concept.parent!r} of {concept.name!r} has no row. "
                "Add one, or leave the cell empty."
            )
    return [concept for _, concept in found.values()]


def rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row of a table, without comments."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line and line[0] != "#" and not line.isspace():
            yield number, [cell.strip() for cell in line.split("|")]


@cache
def by_id() -> Mapping[str, Concept]:
    """Concepts by id ("color:navy")."""
    return {concept.id: concept for concept in concepts()}


@cache
def emoji() -> Mapping[str, tuple[Concept, ...]]:
    """What emoji mean."""
    path = files(__package__) / "tables" / "emoji.txt"
    known = by_id()
    out: dict[str, tuple[Concept, ...]] = {}
    for number, cells in rows(path.read_text(encoding="utf-8")):
        if len(cells) != 2 or cells[1] not in known:
            raise InputError(f"{path}:{number}: wants EMOJI | aspect:name of a table's row.")
        out[cells[0]] = (known[cells[1]],)
    return out


class Lexicon(NamedTuple):
    """One language's words by key; a word with several meanings has them all."""

    exact: Mapping[str, tuple[Concept, ...]]
    plural: Mapping[str, tuple[Concept, ...]]
    """By the words' stems without number."""
    gender: Mapping[str, tuple[Concept, ...]]
    """By the stems without number and gender: of what is said of a garment, not of garments."""
    compound: Mapping[str, tuple[Concept, ...]]
    """First parts of German compounds that are no words on their own ("baumwoll")."""
    longest: int
    """Atoms of the longest entry."""


@cache
def lexicon(language: str) -> Lexicon:
    """The words of `language`; built when it is first asked for."""
    exact: dict[str, tuple[Concept, ...]] = {}
    compound: dict[str, tuple[Concept, ...]] = {}
    # One text normalised at once costs a tenth of so many words.
    column = _column(language)
    cells = normal("\n".join(concept.written[column] for concept in concepts())).split("\n")
    for concept, cell in zip(concepts(), cells, strict=True):
        for word in concept.split(cell, language):
            table = compound if word.endswith("-") else exact
            for spelling in _spellings(word.removesuffix("-"), language):
                meant = table.get(spelling, ())
                if concept not in meant:
                    table[spelling] = (*meant, concept)
    bend = STEMS.get(language)
    plural: dict[str, tuple[Concept, ...]] = {}
    gender: dict[str, tuple[Concept, ...]] = {}
    for spelling, meant in exact.items():
        if bend is None:
            break
        plural.setdefault(stemmed(spelling, bend[0]), meant)
        said = tuple(concept for concept in meant if concept.aspect != "category")
        if said:
            gender.setdefault(stemmed(spelling, bend[1]), said)
    longest = max((word.count(" ") + 1 if bend else len(word) for word in exact), default=1)
    return Lexicon(exact, plural, gender, compound, longest)


def _spellings(word: str, language: str) -> Iterable[str]:
    """A word as it may be written: katakana's last long vowel and German umlauts have two ways."""
    spelling = quick_key(word)
    if language == "ja" and spelling.endswith("ー") and len(spelling) > 2:
        return spelling, spelling[:-1]
    return (spelling,)


def stemmed(spelling: str, bend: Callable[[str], str]) -> str:
    """Each word of a key without its ending."""
    return " ".join(map(bend, spelling.split(" "))) if " " in spelling else bend(spelling)


def _english(word: str) -> str:
    if len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word.removesuffix("s")


def _spanish(word: str) -> str:
    return word.removesuffix("s").removesuffix("e") if len(word) > 3 else word


def _spanish_gender(word: str) -> str:
    bare = _spanish(word)
    return bare[:-1] if len(bare) > 3 and bare[-1] in "oa" else bare


_PORTUGUESE = (("oes", "ao"), ("aes", "ao"), ("ais", "al"), ("eis", "el"), ("ns", "m"))


def _portuguese(word: str) -> str:
    for plural, one in _PORTUGUESE:
        if word.endswith(plural) and len(word) > 4:
            return word[: -len(plural)] + one
    return _spanish(word)


def _portuguese_gender(word: str) -> str:
    bare = _portuguese(word)
    return bare[:-1] if len(bare) > 3 and bare[-1] in "oa" else bare


def _french(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] in "sx" else word


def _french_gender(word: str) -> str:
    return word.rstrip("sx").rstrip("e").rstrip("s") if len(word) > 3 else word


def _italian(word: str) -> str:
    if len(word) < 4 or word[-1] not in "aeio":
        return word
    bare = word[:-1].removesuffix("i")
    return bare[:-1] if bare.endswith(("ch", "gh")) else bare


_GERMAN = ("ern", "em", "en", "er", "es", "e", "n", "s")


def _german(word: str) -> str:
    """All endings off: "weisses", "weisse" and "weiss" must meet although "weiss" ends in one."""
    while True:
        for ending in _GERMAN:
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                word = word[: -len(ending)]
                break
        else:
            return word


STEMS: Mapping[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "en": (_english, _english),
    "es": (_spanish, _spanish_gender),
    "fr": (_french, _french_gender),
    "de": (_german, _german),
    "it": (_italian, _italian),
    "pt": (_portuguese, _portuguese_gender),
}
"""How words of a language lose number, and number and gender; the others' words do not bend."""
