"""How texts are cut into words, the same way when they are stored and when they are asked for.

Letters lose case and Latin ones their accents. What stands between spaces is one word and, where
signs part it, its parts too ("t-shirt" → t, shirt, tshirt; "SHN-5014D" → shn, 5014d, shn5014d).
Chinese, Japanese and Korean, written without spaces or with endings, are cut into overlapping
pairs of signs, which is what search engines do without a dictionary (Manning et al. 2008,
Introduction to Information Retrieval, section 2.2.1).
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
_RUNS = re.compile(f"[{_CJK}]+|[^\\W_{_CJK}]+")
_POSSESSIVE = re.compile(r"['’`]s\b")
_MARKS = re.compile("[\u0300-\u036f]")
_ONE_WORD = frozenset({"tshirt", "tshirts"})
"""Garments with a sign inside of which the parts name another one: a t-shirt is no shirt."""

_LEAST_CODE = 4
"""Characters of the shortest code: shorter ones (2, xl, 3pc) are sizes and counts."""

MOST_CHARACTERS = 2000
"""Of a text, this much is cut into words."""

LONGEST = 64
"""Characters of the longest word."""


def folded(text: str) -> str:
    """A text without case, without the accents of Latin letters, in one width."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    if plain.isascii():
        return plain
    # Only marks that Latin letters bear: the voicing mark of a kana makes another letter.
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", plain)))


def words_of(text: str) -> list[str]:
    """The words of a text, as they are written but for case and accents."""
    found: list[str] = []
    for chunk in _POSSESSIVE.sub("s", folded(text[:MOST_CHARACTERS])).split():
        runs = _RUNS.findall(chunk)
        parts = [part for run in runs for part in (_pairs(run) if _is_cjk(run) else [run])]
        joined = "" if len(runs) < 2 or any(map(_is_cjk, runs)) else "".join(runs)
        found += [joined] if joined in _ONE_WORD else [*parts, joined]
    return [word for word in found if 0 < len(word) <= LONGEST]


def _is_cjk(run: str) -> bool:
    return re.match(f"[{_CJK}]", run) is not None


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def codes_of(text: str) -> list[str]:
    """The words of a text that may be codes: with a digit, and at least four characters."""
    return [word for word in words_of(text) if is_code(word)]


def code_of(text: str) -> str:
    """A whole text as one code: "47086303-08" → "4708630308"."""
    return "".join(sign for sign in folded(text[:MOST_CHARACTERS]) if sign.isalnum())


def is_code(word: str) -> bool:
    """Whether a word may be a code of a garment."""
    return _LEAST_CODE <= len(word) <= LONGEST and any(sign.isdigit() for sign in word)


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import tantivy

    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    return builder.filter(tantivy.Filter.stemmer("english")).build()


def stems_of(words: Sequence[str]) -> list[str]:
    """Each word's stem by Porter's English rules (Snowball): dresses → dress, striped → stripe.

    Words of other languages lose endings by the same rules, on both sides alike.
    """
    return list(_stemmer().analyze(" ".join(words))) if words else []
