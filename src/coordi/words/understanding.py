"""What the words of a query mean: chips, what shall not be, prices, and the query in English."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from coordi.types import Chip
from coordi.words.english import rendered, said, trimmed
from coordi.words.matching import Piece, guess
from coordi.words.negation import denied
from coordi.words.normal import Normal, read
from coordi.words.numbers import Said, numbers
from coordi.words.vocabulary import Concept, by_id

PARTS = frozenset({"detail", "neckline"})
"""Aspects that are parts of a garment and can have a colour or a fabric of their own."""
_SAID_OF = frozenset({"color", "pattern", "fabric"})


@dataclass(frozen=True, slots=True)
class Understood:
    """A query, and what its words mean."""

    text: str
    chips: tuple[Chip, ...]
    """In the order of the text; their places do not overlap."""
    english: str
    """The query in English without what is negated or dropped and without prices. English text
    stays as it was written, but for blanks."""
    negatives: tuple[str, ...]
    """English phrases whose likeness shall lower a result."""
    rest: tuple[str, ...]
    """What nobody understood, as written: brands, codes, numbers, other words."""
    language: str | None
    """Two letters, None where no word told."""
    dropped: tuple[str, ...] = ()
    """Ids of the chips that were dropped."""


def understand(text: str, drop: Sequence[str] = ()) -> Understood:
    """What `text` means, without the chips whose ids are in `drop`; never raises on any text."""
    return _understand(text, tuple(dict.fromkeys(drop)))


def without(understood: Understood, chip: Chip | str) -> Understood:
    """`understood` less one chip, given as such or by its id."""
    return understand(
        understood.text, (*understood.dropped, chip if isinstance(chip, str) else chip.id)
    )


@lru_cache(maxsize=1024)
def _understand(text: str, drop: tuple[str, ...]) -> Understood:
    form = read(text)
    counted = numbers(form.text)
    language, found = guess(form, tuple((s.start, s.stop) for s in counted))
    found = _settled(found)
    no = denied(found, form, language or "en")
    chips = _chips(form, found, no.pieces, counted)
    kept = tuple(chip for chip in chips if chip.id not in drop)
    gone = [chip for chip in chips if chip.id in drop]
    rest = _rest(form, found, no.pieces | no.spent)
    english = _english(form, found, chips, kept, gone, rest, language, no.cuts)
    if language in (None, "en") and len(english) < len(" ".join(text.split())):
        # What was cut out can leave words that mean something together: "no without logo top".
        english = _understand(english, ()).english
    negatives = _negatives(form, kept, no.phrases)
    return Understood(text, kept, english, negatives, rest, language, drop)


def _settled(found: list[Piece]) -> list[Piece]:
    """Each name with one meaning: a word for a garment or for something said of one ("knit",
    "denim", "belt") is the garment only where no other word is one."""
    names = [piece for piece in found if piece.kind == "name"]
    sure = any(all(m.aspect == "category" for m in piece.meant) for piece in names)
    out, taken = [], sure
    for piece in found:
        if piece.kind == "name" and len(piece.meant) > 1:
            first = piece.meant[0]
            if first.aspect == "category" and taken:
                first = next((m for m in piece.meant if m.aspect != "category"), first)
            taken = taken or first.aspect == "category"
            piece = piece._replace(meant=(first,))
        out.append(piece)
    return out


def _chips(
    form: Normal, found: list[Piece], negated: frozenset[int], counted: tuple[Said, ...]
) -> tuple[Chip, ...]:
    chips = []
    for number, piece in enumerate(found):
        no = number in negated
        if piece.kind == "name" or (piece.kind == "word" and no):
            start, stop = form.span(piece.start, piece.stop)
            written = form.written[start:stop]
            meant = piece.meant[0] if piece.meant else None
            aspect, value = (meant.aspect, meant.name) if meant else ("word", written.casefold())
            chips.append(Chip(aspect, value, written, start, stop, no, _where(form, found, number)))
    chips += [_numbered(form, number) for number in counted]
    return tuple(_apart(sorted(chips, key=lambda chip: (chip.start, chip.stop))))


def _numbered(form: Normal, number: Said) -> Chip:
    start, stop = form.span(number.start, number.stop)
    written = form.written[start:stop]
    if number.price is not None:
        return Chip("price", number.price.value, written, start, stop, price=number.price)
    return Chip("size", number.size or "", written, start, stop)


def _apart(chips: list[Chip]) -> list[Chip]:
    """Chips whose places do not overlap: one written letter can become several ("㎏")."""
    out: list[Chip] = []
    for chip in chips:
        if not out or chip.start >= out[-1].stop:
            out.append(chip)
    return out


def _where(form: Normal, found: list[Piece], number: int) -> str | None:
    """The part in "with red buttons", "con botones rojos": said of it, not of the garment."""
    piece = found[number]
    if piece.kind != "name" or piece.meant[0].aspect not in _SAID_OF:
        return None
    if piece.language in ("en", "de"):
        after = _skipped(found, number, 1)
        part = found[after].meant[0] if after < len(found) and found[after].meant else None
        opened = part is not None and part.aspect in PARTS and _opened(found, number)
        return part.name if part is not None and opened else None
    before = found[number - 1] if number else piece
    if before.kind != "name" or before.meant[0].aspect not in PARTS:
        return None
    # Romance languages: "botones rojos" agree, "con botones, roja" does not.
    last, ending = form.text[piece.stop - 1], form.text[before.stop - 1]
    return before.meant[0].name if last == ending and last in "sxi" else None


def _skipped(found: list[Piece], at: int, step: int) -> int:
    """The next piece that is not said of something else."""
    at += step
    while 0 <= at < len(found) and found[at].kind == "name" and _says(found[at]):
        at += step
    return at


def _says(piece: Piece) -> bool:
    return piece.meant[0].aspect in _SAID_OF


def _opened(found: list[Piece], at: int) -> bool:
    """Whether "with" or "without" stands before a phrase."""
    at -= 1
    while at >= 0 and (found[at].kind == "skip" or (found[at].kind == "name" and _says(found[at]))):
        at -= 1
    return at >= 0 and found[at].kind in ("with", "without")


def _rest(form: Normal, found: list[Piece], negated: frozenset[int]) -> tuple[str, ...]:
    """Runs of unknown words as they were written."""
    out: list[str] = []
    last: int | None = None
    for number, piece in enumerate(found):
        if piece.kind != "word" or number in negated:
            last = None
            continue
        start, stop = form.span(piece.start, piece.stop)
        if last is not None and not form.written[last:start].strip(" -./'’&+"):
            out[-1] += form.written[last:stop] if stop > last else ""
        elif last is None or start >= last:
            out.append(form.written[start:stop])
        last = max(stop, last or 0)
    return tuple(out)


def _english(
    form: Normal,
    found: list[Piece],
    chips: tuple[Chip, ...],
    kept: tuple[Chip, ...],
    gone: list[Chip],
    rest: tuple[str, ...],
    language: str | None,
    cuts: list[tuple[int, int]],
) -> str:
    if language not in (None, "en"):
        return rendered(kept, rest)
    out = [(c.start, c.stop) for c in (*gone, *chips) if c in gone or c.negative or c.price]
    spans = [(form.span(a, b)) for a, b in cuts]
    small = [
        (*form.span(piece.start, piece.stop), piece.kind)
        for piece in found
        if piece.kind != "blank"
    ]
    emoji = {
        (chip.start, chip.stop): chip.value
        for chip in kept
        if not chip.text.isascii() and not any(letter.isalnum() for letter in chip.text)
    }
    return trimmed(form.written, [*out, *spans], small, emoji)


def _negatives(
    form: Normal, kept: tuple[Chip, ...], phrases: list[list[tuple[int, int]]]
) -> tuple[str, ...]:
    """One English phrase for each negated phrase, of its chips that were not dropped."""
    out = []
    by_place = {(chip.start, chip.stop): chip for chip in kept if chip.negative}
    for phrase in phrases:
        inside = [
            chip
            for start, stop in phrase
            if (chip := by_place.get(form.span(start, stop))) is not None
        ]
        if inside:
            ordered = sorted(inside, key=lambda chip: chip.aspect in PARTS)
            out.append(" ".join(said(chip.aspect, chip.value) for chip in ordered))
    return tuple(dict.fromkeys(out))


def meaning(chip: Chip) -> Concept | None:
    """The concept of a chip, None for prices, sizes and unknown words."""
    return by_id().get(f"{chip.aspect}:{chip.value}")
