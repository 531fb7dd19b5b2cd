"""A query in English: as written without some places, or made anew from its chips."""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

ORDER = (
    "gender", "style", "occasion", "season", "fit", "pattern", "color", "fabric", "sleeve",
    "neckline", "length", "how", "category",
)  # fmt: skip
"""In which order an English product title says things; details follow with "with"."""

_POSSESSIVE = {
    "women": "women's", "men": "men's", "girls": "girls'", "boys": "boys'", "kids": "kids'",
    "unisex": "unisex", "baby": "baby", "teens": "teen",
}  # fmt: skip


_HOW = frozenset({
    "double-breasted", "single-breasted", "belted", "lace-up", "slip-on", "gathered", "ripped",
    "washed", "wrap", "collarless", "slingback", "pointed toe", "round toe", "square toe",
    "open toe", "cut-out",
})  # fmt: skip
"""Details that a garment is, not what it is "with"."""


class Said(Protocol):
    """What of a chip is needed to say it."""

    @property
    def aspect(self) -> str: ...  # noqa: D102
    @property
    def value(self) -> str: ...  # noqa: D102
    @property
    def negative(self) -> bool: ...  # noqa: D102
    @property
    def where(self) -> str | None: ...  # noqa: D102


def said(aspect: str, value: str) -> str:
    """A concept as an English title says it."""
    if aspect == "gender":
        return _POSSESSIVE.get(value, value)
    return f"size {value}" if aspect == "size" else value


def rendered(chips: Sequence[Said], rest: Sequence[str]) -> str:
    """Chips and unknown parts in the order of an English title."""
    wanted = [chip for chip in chips if not chip.negative and chip.aspect != "price"]
    words = [
        said(aspect, chip.value)
        for aspect in ORDER
        for chip in wanted
        if _place(chip) == aspect and chip.where is None
    ]
    parts = [_part(c, wanted) for c in wanted if c.aspect == "detail" and c.value not in _HOW]
    have = {chip.value for chip in wanted if chip.aspect == "detail"}
    parts += [f"{c.value} {c.where}" for c in wanted if c.where is not None and c.where not in have]
    if parts:
        words += (
            ["with", " and ".join(dict.fromkeys(parts))] if words else list(dict.fromkeys(parts))
        )
    words += [said("size", chip.value) for chip in wanted if chip.aspect == "size"]
    return " ".join([*dict.fromkeys(words), *rest])


def _place(chip: Said) -> str:
    return "how" if chip.aspect == "detail" and chip.value in _HOW else chip.aspect


def _part(detail: Said, chips: Sequence[Said]) -> str:
    return " ".join([*(c.value for c in chips if c.where == detail.value), detail.value])


_LEADS = frozenset({"with", "and", "or", "but", "without", "not"})


def trimmed(
    written: str,
    cuts: Sequence[tuple[int, int]],
    pieces: Sequence[tuple[int, int, str]],
    instead: Mapping[tuple[int, int], str],
) -> str:
    """`written` without the places `cuts` and the small words that led to them; blanks collapsed.

    `pieces` are (start, stop, kind) of all that the text consists of; `instead` replaces places.
    """
    if not cuts and not instead:
        return " ".join(written.split())
    gone = [any(a <= start and stop <= b for a, b in cuts) for start, stop, _ in pieces]
    places = list(cuts)
    for number, is_gone in enumerate(gone):
        if is_gone and (number + 1 == len(gone) or not gone[number + 1]):
            places += _dangling(pieces, gone, number)
    out, at = [], 0
    marks = sorted(
        [*((a, b, " ") for a, b in places), *((a, b, f" {w} ") for (a, b), w in instead.items())]
    )
    for start, stop, word in marks:
        if start >= at:
            out += [written[at:start], word]
        at = max(at, stop)
    text = " ".join(re.sub(r"\(\s*\)", " ", "".join([*out, written[at:]])).split())
    return re.sub(r"\s+([,;.])", r"\1", text).strip(" ,;-") if places else text


def _dangling(
    pieces: Sequence[tuple[int, int, str]], gone: list[bool], last: int
) -> list[tuple[int, int]]:
    """Small words around a cut that have nothing to join any more."""
    first = last
    while first > 0 and gone[first - 1]:
        first -= 1
    after = pieces[last + 1] if last + 1 < len(pieces) else None
    before = pieces[first - 1] if first else None
    if before and before[2] == "with" and after and after[2] in ("and", "or", "stop"):
        return [after[:2]]
    if (
        after
        and after[2] in ("name", "word")
        and not (before and before[2] in ("but", "and", "or"))
    ):
        return []
    if after and after[2] in ("but", "and", "or") and before is None:
        return [after[:2]]
    out = []
    at = first - 1
    while at >= 0 and (pieces[at][2] in _LEADS or pieces[at][2] == "skip"):
        if pieces[at][2] == "skip" and not _led(pieces, at):
            break
        out.append(pieces[at][:2])
        at -= 1
    return out


def _led(pieces: Sequence[tuple[int, int, str]], at: int) -> bool:
    while at >= 0 and pieces[at][2] == "skip":
        at -= 1
    return at >= 0 and pieces[at][2] in _LEADS
