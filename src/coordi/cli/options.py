"""The options that several commands share, each stated once."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from coordi.engine import Engine

DEFAULT_STORE = "coordi-store"
STORE_VARIABLE = "COORDI_STORE"

StoreOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help=f"The store's folder. Default: ${STORE_VARIABLE}, else ./{DEFAULT_STORE}.",
    ),
]
EncoderOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Encoder: a name of `coordi encoders`, a hub repository or a folder. "
        "Default: the one the store was made with, else coordi-mini.",
    ),
]
DimOption = Annotated[
    int | None,
    typer.Option(min=1, help="Keep this many of the encoder's columns, where it allows that."),
]
RerankOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="A trained re-ranker's folder: it orders the first hits for a picture.",
    ),
]
SynonymsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The shop's own synonyms, one group a line: `trainers, sneakers`, or one way: "
        "`handbag => bag`. `ingest` keeps them in the store.",
    ),
]
PicturesOption = Annotated[
    bool | None,
    typer.Option(
        "--images/--no-images",
        help="Show pictures. Default: where the terminal can (kitty, iTerm2 and their like); "
        "--images draws coloured half blocks elsewhere.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def store_folder(given: Path | None) -> Path:
    """The store that a command means: the option, else the environment, else the default."""
    return given or Path(os.environ.get(STORE_VARIABLE) or DEFAULT_STORE)


def open_engine(
    store: Path | None,
    *,
    encoder: str | None = None,
    dim: int | None = None,
    reranker: Path | None = None,
    synonyms: Path | None = None,
) -> "Engine":
    """Open the store that a command means, which must be there."""
    from coordi.engine import Engine
    from coordi.errors import NotFoundError

    try:
        folder = store_folder(store)
        return Engine.open(folder, encoder=encoder, dim=dim, reranker=reranker, synonyms=synonyms)
    except NotFoundError as error:
        if store is not None:
            raise
        hint = f"--store was not given; the default is ${STORE_VARIABLE}, else ./{DEFAULT_STORE}"
        raise NotFoundError(f"{error} ({hint})") from None


def mapping_of(pairs: Sequence[str]) -> dict[str, str]:
    """Read the role=column pairs of `--map`."""
    for pair in pairs:
        if "=" not in pair:
            raise typer.BadParameter(f"{pair!r} is not role=column", param_hint="--map")
    return dict(pair.split("=", 1) for pair in pairs)


def weights_of(pairs: Sequence[str]) -> dict[str, float]:
    """Read the part=weight pairs of `--weight`."""
    weights: dict[str, float] = {}
    for pair in pairs:
        part, _, value = pair.partition("=")
        try:
            weights[part] = float(value)
        except ValueError:
            raise typer.BadParameter(
                f"{pair!r} is not part=number, such as image=0.7", param_hint="--weight"
            ) from None
    return weights


def box_of(text: str) -> tuple[float, float, float, float]:
    """Read the "left,top,right,bottom" of `--crop`."""
    try:
        left, top, right, bottom = (float(side) for side in text.split(","))
    except ValueError:
        left = top = right = bottom = 0.0
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise typer.BadParameter(
            f"{text!r} is not left,top,right,bottom as shares of the picture, such as "
            "0.1,0,0.9,0.5 for its upper half",
            param_hint="--crop",
        )
    return left, top, right, bottom
