"""The small words between names: what joins, what negates, what says nothing."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from coordi.errors import InputError
from coordi.words.normal import key
from coordi.words.vocabulary import LANGUAGES, rows

ROLES = ("without", "not", "less", "but", "with", "or", "and", "skip", "plain")
"""In the order of preference for a word that has several.

`without` negates whatever follows, known or not; `not` only what is known ("no. 21" is no
negation); `less` stands after what it negates (なし, 없는, 以外); `skip` says nothing: articles,
particles, wishes; `plain` is English although its letters name a garment in another language
(rock, hut): seen in a sentence, it speaks for English.
"""


@cache
def roles(language: str) -> Mapping[str, str]:
    """Small words of a language by key, each with its role; plain words are not among them."""
    return {word: role for word, role in _all()[language].items() if role != "plain"}


@cache
def plain_english() -> frozenset[str]:
    """Words that speak for English although they name something in another language."""
    return frozenset(word for word, role in _all()["en"].items() if role == "plain")


@cache
def _all() -> Mapping[str, Mapping[str, str]]:
    path = files(__package__) / "tables" / "small_words.txt"
    lists: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    for number, cells in rows(path.read_text(encoding="utf-8")):
        if len(cells) != 3 or cells[0] not in lists or cells[1] not in ROLES:
            raise InputError(
                f"{path}:{number}: wants LANGUAGE | ROLE | words. Languages: "
                f"{', '.join(LANGUAGES)}. Roles: {', '.join(ROLES)}."
            )
        lists[cells[0]][cells[1]] = cells[2]
    return {language: _by_word(by_role) for language, by_role in lists.items()}


def _by_word(by_role: Mapping[str, str]) -> Mapping[str, str]:
    out: dict[str, str] = {}
    for role in ROLES:
        for word in filter(None, map(str.strip, by_role.get(role, "").split(","))):
            out.setdefault(key(word) or word, role)
    return out
