"""Items, hits and pictures as people read them in a terminal."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import typer

from coordi.cli.output import Output, printable
from coordi.errors import CoordiError
from coordi.types import AUTOMATIC, Answer, Chip, FieldValue, Hit, ImageRef, Item, WordMatch

if TYPE_CHECKING:
    from coordi.cli.terminal import Protocol
    from coordi.engine import Engine

ASIDE = re.compile(r"_(confidence|share_\d)$")
"""How names of numbers end that stand behind automatic fields."""

MAIN_FIELDS = ("category", "color", "brand", "price", "currency")
"""Fields that a list of hits has room for."""

PICTURE_ROWS, PICTURE_PIXELS = 8, 320


def show_answer(
    out: Output,
    engine: "Engine",
    answer: Answer,
    *,
    offset: int,
    pictures: bool | None,
    by_photo: bool,
) -> None:
    """List the hits, with pictures where wanted and possible, and say how they were found.

    `by_photo` says that a photo was searched with.
    """
    if out.as_json:
        return
    protocol = picture_protocol(pictures)
    if protocol:
        for rank, hit in enumerate(answer.hits, offset + 1):
            show_picture(engine, hit.item, protocol)
            out.text(f"{rank}. {_line(hit)}\n")
    else:
        _show_table(out, answer, offset)
    if answer.suggestion:
        out.note(f"Did you mean: {printable(answer.suggestion)}? (--as-typed searches as typed)")
    if answer.far:
        asked = "looks like this photo" if by_photo else "is like these words"
        out.note(f"Nothing here {asked}; the nearest are shown.")
    if answer.chips:
        out.note(f"Read as: {', '.join(map(_meaning, answer.chips))} (--drop ID takes one out)")
    for note in answer.notes:
        out.note(f"note: {printable(note)}")
    out.note(_summary(answer))
    if answer.more:
        out.note(f"More: --offset {offset + len(answer.hits)}")


def _meaning(chip: Chip) -> str:
    """A chip as its id, which `--drop` takes, and as it was typed where that differs."""
    typed = "" if chip.text.casefold() == chip.value else f" (“{printable(chip.text)}”)"
    return f"{printable(chip.id)}{typed}"


def picture_protocol(wanted: bool | None) -> "Protocol | None":
    """How to show pictures: not at all, as the terminal can, or with half blocks on request."""
    if wanted is False or (wanted is None and not sys.stdout.isatty()):
        return None
    from coordi.cli.terminal import protocol_of

    return protocol_of(os.environ) or ("blocks" if wanted else None)


def show_picture(engine: "Engine", item: Item, protocol: "Protocol") -> None:
    """Draw an item's picture into the terminal; say so where it cannot be read."""
    from coordi.cli.terminal import picture
    from coordi.data.images import decode_image

    if item.image is None:
        return
    try:
        image = decode_image(engine.thumbnail(item.id, PICTURE_PIXELS))
    except CoordiError as error:
        typer.echo(f"[{error}]")
    else:
        typer.echo(picture(image, protocol, PICTURE_ROWS), nl=False, color=True)


def show_item(out: Output, item: Item) -> None:
    """Print everything that is known of an item."""
    facts: dict[str, FieldValue] = {"id": item.id, "title": item.title}
    facts |= {"description": item.description, **dict(_told(item.fields))}
    facts["image"] = _place(item.image)
    facts |= {f"image {number}": _place(ref) for number, ref in enumerate(item.more, 2)}
    facts["origin"] = str(item.origin) if item.origin else None
    width = max(map(len, facts))
    for name, value in facts.items():
        if value not in (None, ""):
            out.text(f"{name:<{width}}  {printable(str(value))}")


def _told(fields: Mapping[str, FieldValue]) -> Iterator[tuple[str, FieldValue]]:
    """Fields as people read them: automatic ones as such, with how sure they are."""
    for name, value in fields.items():
        if not name.startswith(AUTOMATIC):
            yield name, value
        elif not ASIDE.search(name):
            sure = fields.get(f"{name}_confidence")
            share = f" ({sure:.0%} sure)" if isinstance(sure, float) else ""
            yield f"{name.removeprefix(AUTOMATIC)} (automatic)", f"{value}{share}"


def _place(picture: ImageRef | None) -> str | None:
    if picture is None:
        return None
    if picture.path is not None:
        return str(picture.path)
    return f"in the store, {len(picture.data or b''):,} bytes"


def _show_table(out: Output, answer: Answer, offset: int) -> None:
    if not answer.hits:
        out.text("Nothing found.")
        return
    names = [n for n in MAIN_FIELDS if any(n in hit.item.fields for hit in answer.hits)]
    explained = any(map(_why, answer.hits))
    matched = bool(answer.reranker)
    rows = []
    for rank, hit in enumerate(answer.hits, offset + 1):
        cells = [hit.item.id, str(rank), f"{hit.score:.3f}"]
        cells += [*([_match(hit)] if matched else []), hit.item.title]
        cells += [_text(hit.item.fields.get(name)) for name in names]
        rows.append(cells + ([_why(hit)] if explained else []))
    why, match = ["why"] if explained else [], ["match"] if matched else []
    out.table(("id", "rank", "score", *match, "title", *names, *why), rows)


def _line(hit: Hit) -> str:
    fields = (_text(hit.item.fields.get(name)) for name in MAIN_FIELDS)
    match = f"match {_match(hit)}" if hit.match is not None else ""
    parts = [f"{hit.score:.3f}", match, hit.item.id, hit.item.title, *fields, _why(hit)]
    return printable("  ".join(part for part in parts if part))


def _match(hit: Hit) -> str:
    """Probability of a match in the re-ranker's view."""
    return "" if hit.match is None else f"{hit.match:.0%}"


def _why(hit: Hit) -> str:
    shares = {**(hit.parts or {}), **(hit.fusion or {})}
    parts = " ".join(f"{name} {share:+.3f}" for name, share in shares.items())
    words = " ".join(f"{_found(one)} ({', '.join(one.fields)})" for one in hit.words)
    alike = f"(+{len(hit.duplicates)} alike)" if hit.duplicates else ""
    variants = f"(+{len(hit.variants)} variants)" if hit.variants else ""
    return " ".join(part for part in (parts, words, variants, alike) if part)


def _found(match: WordMatch) -> str:
    """A matched word, and what stands for it."""
    same = match.word == match.found
    return f"“{match.word}”" if same else f"“{match.word}” as “{match.found}”"


def _text(value: FieldValue) -> str:
    return "" if value is None else str(value)


def _summary(answer: Answer) -> str:
    kept = answer.total - answer.filtered_out
    of = f"{kept:,} of {answer.total:,}" if answer.filtered_out else f"{answer.total:,}"
    spent = 1000 * sum(answer.seconds.values())
    order = f", first {answer.reranked} by {answer.reranker}" if answer.reranker else ""
    missing = answer.without_vector
    without = f" ({missing:,} more have no vector of this encoder)" if missing else ""
    return f"{of} items{without}, {answer.encoder}, {answer.index}{order}, {spent:.0f} ms"
