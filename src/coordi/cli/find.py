"""`coordi find`: the garments of a photo, as a list and drawn into it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordi.cli.options import DebugOption, JsonOption
from coordi.cli.output import Output, reporting

if TYPE_CHECKING:
    from coordi.types import Garment, Image

PhotoArgument = Annotated[
    str, typer.Argument(metavar="PHOTO", help="A picture file; - reads one from standard input.")
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="PNG", help="Draw what was found into a copy of the photo."),
]
FinderOption = Annotated[
    Path | None,
    typer.Option("--finder", metavar="DIR", help="A trained finder's folder, instead of our own."),
]


def find(
    photo: PhotoArgument,
    out: OutOption = None,
    finder: FinderOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Find the garments of a photo: what each is, where, and how certain that is.

    The best, marked *, is what `coordi search --image PHOTO --garment best` looks for.
    """
    with reporting(as_json, debug) as output:
        from coordi.data import decoding
        from coordi.data.images import MAX_PIXELS
        from coordi.models.finder.choice import best
        from coordi.models.finder.opening import open_finder

        picture = decoding.shared().decode(
            _bytes(photo), target=_SIDE, box=None, max_pixels=MAX_PIXELS
        )
        garments = open_finder(finder).find(picture)
        chosen = best(garments)
        output.json(_document(picture, garments, chosen))
        _show(output, garments, chosen)
        if out is not None:
            _draw(picture, garments, chosen, out)
            output.note(f"drawn into {out}")


_SIDE = 640
"""Pixels of the shorter side of the photo as it is drawn."""


def _bytes(photo: str) -> bytes:
    from coordi.data.files import MAX_BYTES
    from coordi.data.images import read_bytes
    from coordi.types import ImageRef

    if photo == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    return read_bytes(ImageRef(path=Path(photo)))


def _document(
    picture: "Image", garments: "tuple[Garment, ...]", chosen: "Garment | None"
) -> dict[str, object]:
    from coordi.cli.shapes import garment_json

    return {
        "garments": [{**garment_json(one), "best": one is chosen} for one in garments],
        "width": picture.shape[1],
        "height": picture.shape[0],
    }


def _show(output: Output, garments: "tuple[Garment, ...]", chosen: "Garment | None") -> None:
    if not garments:
        output.text("No garment found.")
        return
    rows = [
        (
            f"{one.kind}{' *' if one is chosen else ''}",
            one.family,
            f"{one.score:.2f}",
            ",".join(f"{edge:.2f}" for edge in one.box),
        )
        for one in garments
    ]
    output.table(("garment", "family", "score", "left,top,right,bottom"), rows)


def _draw(
    picture: "Image", garments: "tuple[Garment, ...]", chosen: "Garment | None", file: Path
) -> None:
    """A tint over each garment, its box and its name."""
    import colorsys

    from PIL import Image as Pillow
    from PIL import ImageDraw

    from coordi.artifacts import atomic_file

    canvas = Pillow.fromarray(picture).convert("RGB")
    for number, one in enumerate(garments):
        red, green, blue = colorsys.hsv_to_rgb(number * 0.618 % 1, 0.8, 0.95)
        color = round(255 * red), round(255 * green), round(255 * blue)
        tint = Pillow.fromarray(one.mask).resize(canvas.size).convert("L").point(lambda v: v // 3)
        canvas.paste(color, mask=tint)
        pen = ImageDraw.Draw(canvas)
        left, top, right, bottom = (
            round(edge * size) for edge, size in zip(one.box, canvas.size * 2, strict=True)
        )
        pen.rectangle((left, top, right, bottom), outline=color, width=4 if one is chosen else 2)
        pen.text((left + 4, top + 2), f"{one.kind} {one.score:.2f}", fill=color)
    with atomic_file(file) as draft:
        canvas.save(draft, "PNG")
