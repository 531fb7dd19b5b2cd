"""Words that mean the same to shoppers: a packaged list, and a shop's own.

A file has one group a line. In `trainers, sneakers, runners` each means the others; in
`handbag => bag` who asks for the left finds the right too, and not the other way round. `#` begins
a comment. What is said is one word or several; case does not matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from coordi.errors import InputError
from coordi.types import WordIndex

Said = tuple[str, ...]
"""The words of one way to say something."""

MOST_WORDS = 4
"""Words of the longest way to say something."""

_MOST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Synonyms:
    """What else to look for where something is asked for."""

    also: Mapping[Said, tuple[Said, ...]] = field(default_factory=dict)
    """Stems of what is asked for → the words of what else to look for."""
    known: frozenset[str] = frozenset()
    """Every word of the list: whoever types it means it."""

    @property
    def longest(self) -> int:
        """Words of the longest entry."""
        return max(map(len, self.also), default=1)

    def joined(self, other: "Synonyms") -> "Synonyms":
        """Both lists; where both have an entry, the other's ways come first."""
        also = {**self.also, **other.also}
        for said in self.also.keys() & other.also.keys():
            also[said] = tuple(dict.fromkeys([*other.also[said], *self.also[said]]))
        return Synonyms(also, self.known | other.known)


def parse_synonyms(text: str, words: WordIndex, where: str) -> Synonyms:
    """Read a list; `words` cuts it into words, `where` is what errors call it.

    Raises `InputError` with the number of the first line that cannot be used.
    """
    also: dict[Said, dict[Said, None]] = {}
    known: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        try:
            asked, found = _sides(line, words)
        except ValueError as error:
            raise InputError(f"{where}:{number}: {error}") from None
        known.update(word for said in (*asked, *found) for word in said)
        for said in asked:
            ways = also.setdefault(tuple(words.stems(said)), {})
            ways.update(dict.fromkeys(way for way in found if way != said))
    return Synonyms({said: tuple(ways) for said, ways in also.items()}, frozenset(known))


def _sides(line: str, words: WordIndex) -> tuple[list[Said], list[Said]]:
    """What is asked for, and what is then looked for."""
    left, arrow, right = line.partition("=>")
    if "=>" in right:
        raise ValueError("there are two arrows; write one line for each")
    asked = _said(left, words)
    if not arrow and len(asked) < 2:
        raise ValueError("one name alone means nothing else; separate names by commas")
    return asked, _said(right, words) if arrow else asked


def _said(text: str, words: WordIndex) -> list[Said]:
    found = [tuple(_plain(part, words)) for part in text.split(",")]
    if any(not said for said in found):
        raise ValueError("a name is empty; separate names by single commas")
    for said in found:
        if len(said) > MOST_WORDS:
            raise ValueError(f"{' '.join(said)!r} has more than {MOST_WORDS} words")
    return found


def _plain(text: str, words: WordIndex) -> list[str]:
    """The words of a name; of one with a sign inside ("t-shirt") the joined form alone."""
    return [part for chunk in text.split() for part in words.words(chunk)[-1:]]


def read_synonyms(path: Path, words: WordIndex) -> Synonyms:
    """Read a shop's own file; raises `InputError` where it cannot be read or used."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise InputError(f"{path} is larger than {_MOST_BYTES >> 20} MiB: it is no list")
        return parse_synonyms(data.decode("utf-8-sig"), words, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the synonyms {path}: {error}") from error


def packaged_text() -> str:
    """The list that comes with coordi."""
    return resources.files("coordi.tasks").joinpath("synonyms.txt").read_text("utf-8")
