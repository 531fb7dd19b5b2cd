"""Which names of a query are negated, and by which words."""

from typing import NamedTuple

from coordi.words.matching import CJK_LANGUAGES, Piece
from coordi.words.normal import Normal

_PARTS = frozenset({"detail", "neckline", "sleeve", "pattern"})
_SAID_OF = frozenset({"color", "fabric", "pattern", "fit", "length", "style"})
_BEFORE = frozenset({"en", "de", *CJK_LANGUAGES})
"""Languages that say "red buttons", not "buttons red"."""


class Denied(NamedTuple):
    """What is negated, by place in the list of pieces."""

    pieces: frozenset[int]
    phrases: list[list[tuple[int, int]]]
    """Normalised places of the names of each negated phrase."""
    spent: frozenset[int]
    """Words that negate without being a word of negation: the "free" of "logo-free"."""
    cuts: list[tuple[int, int]]
    """Normalised places of the words that negate, with what stands between them and the names."""


def denied(found: list[Piece], form: Normal, language: str) -> Denied:
    """The negated names of `found`."""
    negated: set[int] = set()
    spent: set[int] = set()
    phrases: list[list[int]] = []
    cuts: list[tuple[int, int]] = []
    at = 0
    while at < len(found):
        piece = found[at]
        runs: list[list[int]] = []
        if piece.negated:
            runs = [[at]]
        elif piece.kind in ("without", "not"):
            runs = _after(found, at, language)
        if (not runs and piece.kind == "less") or (
            piece.kind == "not" and not runs and language == "zh"
        ):
            runs = _before(found, at, negated)
        if not runs and piece.kind == "word" and language == "en":
            runs = _free(found, at, form)
            spent.update([at] if runs else [])
        for run in runs:
            phrases.append(run)
            negated.update(run)
        if runs:
            places = [at, *(number for run in runs for number in run)]
            cuts.append((found[min(places)].start, found[max(places)].stop))
            at = max(places)
        at += 1
    spans = [[(found[n].start, found[n].stop) for n in run] for run in phrases]
    return Denied(frozenset(negated), spans, frozenset(spent), cuts)


def _after(found: list[Piece], cue: int, language: str) -> list[list[int]]:
    """The phrases that a word before them negates: "without red buttons or belt"."""
    at = _past(found, cue + 1, ("skip",))
    if at < len(found) and found[at].kind in ("with", "without", "not"):
        at = _past(found, at + 1, ("skip",))
    if at >= len(found):
        return []
    if found[at].kind == "word" and found[cue].kind == "without":
        return [[at]]
    run = _phrase(found, at, language)
    if not run:
        return []
    runs = [run]
    while (more := _joined(found, runs[-1], language)) is not None:
        runs.append(more)
    return runs


def _past(found: list[Piece], at: int, kinds: tuple[str, ...]) -> int:
    while at < len(found) and found[at].kind in kinds:
        at += 1
    return at


def _phrase(found: list[Piece], at: int, language: str) -> list[int]:
    """The names of one phrase: up to its part ("red buttons"), or the first alone ("black")."""
    if at >= len(found) or found[at].kind != "name":
        return []
    if language not in _BEFORE:
        return [at]
    end = at
    while end < len(found) and found[end].kind == "name" and _aspect(found[end]) in _SAID_OF:
        end += 1
    whole = end < len(found) and found[end].kind == "name" and _aspect(found[end]) == "detail"
    return list(range(at, end + 1)) if whole else [at]


def _aspect(piece: Piece) -> str:
    return piece.meant[0].aspect


def _joined(found: list[Piece], run: list[int], language: str) -> list[int] | None:
    """The next phrase under the negation: after "or" any, after "and" or a comma one like it."""
    at = run[-1] + 1
    link = None
    while at < len(found) and (found[at].kind in ("or", "and", "skip") or _comma(found, at)):
        kind = found[at].kind
        link = kind if kind in ("or", "and") else link or (None if kind == "skip" else "and")
        at += 1
    if link is None or at >= len(found) or found[at].kind != "name":
        return None
    more = _phrase(found, at, language)
    first, second = _aspect(found[run[-1]]), _aspect(found[more[-1]])
    alike = first == second or (first in _PARTS and second in _PARTS)
    # "nothing black or a dress": what is joined by "or" before a new garment is its own wish.
    return more if alike or (link == "or" and second != "category") or _worn(found, more) else None


def _worn(found: list[Piece], run: list[int]) -> bool:
    return _aspect(found[run[-1]]) == "category" and found[run[-1]].meant[0].name in (
        "belt", "scarf", "gloves", "hat", "tie", "cap",
    )  # fmt: skip


def _comma(found: list[Piece], at: int) -> bool:
    return found[at].kind == "stop" and found[at].stop - found[at].start == 1


def _before(found: list[Piece], cue: int, negated: set[int]) -> list[list[int]]:
    """The phrases that a word after them negates: ボタンとベルトなし, 黒以外."""
    at = cue - 1
    while at >= 0 and found[at].kind == "skip":
        at -= 1
    if at < 0 or found[at].kind != "name" or at in negated:
        return []
    runs = [[at]]
    first = _aspect(found[at])
    while at >= 2 and found[at - 1].kind in ("or", "and") and found[at - 2].kind == "name":
        aspect = _aspect(found[at - 2])
        if aspect != first and not (aspect in _PARTS and first in _PARTS):
            break
        at -= 2
        runs.insert(0, [at])
    return runs


def _free(found: list[Piece], at: int, form: Normal) -> list[list[int]]:
    """English "logo-free"."""
    piece = found[at]
    fused = form.text[piece.start : piece.stop] == "free" and form.text[piece.start - 1] == "-"
    return [[at - 1]] if fused and at and found[at - 1].kind == "name" else []
