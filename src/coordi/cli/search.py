"""`coordi search`: by words, by picture, by item, or by several together."""

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordi.cli.options import (
    DebugOption,
    DimOption,
    EncoderOption,
    JsonOption,
    PicturesOption,
    RerankOption,
    StoreOption,
    SynonymsOption,
    box_of,
    open_engine,
    weights_of,
)
from coordi.cli.output import reporting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordi.engine import Engine
    from coordi.types import Image

TextArgument = Annotated[str | None, typer.Argument(help="Words, such as 'red summer dress'.")]
ImageOption = Annotated[
    str | None,
    typer.Option(metavar="PHOTO", help="A picture file; - reads one from standard input."),
]
CropOption = Annotated[
    str | None,
    typer.Option(
        metavar="L,T,R,B",
        help="Part of the picture: left,top,right,bottom as shares, such as 0.1,0,0.9,0.5.",
    ),
]
GarmentOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Which garment of the picture: best, a kind such as blouse, or top, outer, dress, "
        "bottom, shoes, bag … Default: whole, the picture as it is.",
    ),
]
ItemOption = Annotated[
    str | None,
    typer.Option(metavar="ID", help="More like this stored item."),
]
WeightOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PART=NUMBER",
        help="Weight of image, text or item among several, such as image=0.7. Default: 1.",
    ),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILTER",
        help="Such as \"category = 'dress' and price < 50\"; `coordi stats` lists the fields. Of "
        "several, all must hold.",
    ),
]


def search(
    text: TextArgument = None,
    image: ImageOption = None,
    crop: CropOption = None,
    garment: GarmentOption = None,
    item: ItemOption = None,
    weight: WeightOption = None,
    where: WhereOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="Hits per page, at most 1000.")] = 10,
    offset: Annotated[int, typer.Option(help="Hits to pass over.")] = 0,
    min_score: Annotated[
        float | None,
        typer.Option(help="Lowest cosine similarity, -1 to 1."),
    ] = None,
    collapse: Annotated[
        float | None,
        typer.Option(
            help="Fold items at least this similar to a better hit into it, such as 0.98."
        ),
    ] = None,
    fold: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD",
            help="Fold items of one value into their best hit, such as model: one hit a garment.",
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD",
            help="Order all that pass by a field, with - downwards: --sort price, --sort=-added.",
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show each part's share of the score.")
    ] = False,
    by: Annotated[
        str,
        typer.Option(
            help="What words are searched with: hybrid, words (only items that have them) or "
            "vectors (only the encoder)."
        ),
    ] = "hybrid",
    as_typed: Annotated[bool, typer.Option("--as-typed", help="Correct no spelling.")] = False,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHIP",
            help="Something that the words shall not mean, as the answer names it: "
            "--drop color:navy. Repeatable.",
        ),
    ] = None,
    rerank: RerankOption = None,
    depth: Annotated[
        int | None,
        typer.Option(min=1, help="With --rerank: how many hits it orders. Default: 50."),
    ] = None,
    pictures: PicturesOption = None,
    synonyms: SynonymsOption = None,
    encoder: EncoderOption = None,
    dim: DimOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Find items by words, by a picture, by another item, or by several of them together."""
    with reporting(as_json, debug) as out:
        _check(text, image, item, crop)
        if depth is not None and rerank is None:
            raise typer.BadParameter("needs --rerank DIR", param_hint="--depth")
        weights, box = weights_of(weight or []), box_of(crop) if crop else None
        from coordi.cli.display import show_answer
        from coordi.cli.shapes import answer_json
        from coordi.types import RERANK_DEPTH, Query

        with (
            open_engine(
                store, encoder=encoder, dim=dim, reranker=rerank, synonyms=synonyms
            ) as engine,
            _wrong_use(),
        ):
            query = Query(
                image=_picture(engine, image, box, garment is not None) if image else None,
                garment=garment,
                text=text,
                item=item,
                weights=weights,
                where=_joined(where or []),
                limit=limit,
                offset=offset,
                min_score=min_score,
                collapse=collapse,
                fold=fold,
                sort=sort,
                explain=explain,
                by=by,
                spelling=not as_typed,
                drop=tuple(drop or ()),
                # Said outright: who asks for it on words is told that it cannot be had.
                rerank=(depth or RERANK_DEPTH) if rerank else None,
            )
            answer = engine.view().search(query)
            out.json(answer_json(answer))
            show_answer(
                out,
                engine,
                answer,
                offset=offset,
                pictures=pictures,
                by_photo=image is not None,
            )


@contextmanager
def _wrong_use() -> "Iterator[None]":
    """A query that asks for something impossible is wrong use, like one that cannot be read."""
    from coordi.errors import QueryError

    try:
        yield
    except QueryError as error:
        raise typer.BadParameter(str(error)) from None


def _joined(filters: list[str]) -> str | None:
    """The filter that all of `filters` together are."""
    given = [one for one in filters if one.strip()]
    if len(given) < 2:
        return given[0] if given else None
    return " and ".join(f"({one})" for one in given)


def _check(text: str | None, image: str | None, item: str | None, crop: str | None) -> None:
    if not (text or image or item):
        raise typer.BadParameter("give words, --image PHOTO, --item ID, or several of them")
    if crop and not image:
        raise typer.BadParameter("needs --image", param_hint="--crop")


def _picture(
    engine: "Engine",
    source: str,
    box: tuple[float, float, float, float] | None,
    garments: bool,
) -> "Image":
    from coordi.data.files import MAX_BYTES
    from coordi.data.images import read_bytes
    from coordi.errors import ImageError
    from coordi.types import ImageRef

    if source.startswith(("http://", "https://")):
        raise ImageError(
            f"{source} is a web address, and searches fetch nothing. Download the picture and give "
            "its file, or pipe it: curl -s ADDRESS | coordi search --image -"
        )
    if source == "-":
        return engine.decode(sys.stdin.buffer.read(MAX_BYTES + 1), box=box, garments=garments)
    try:
        return engine.decode(read_bytes(ImageRef(path=Path(source))), box=box, garments=garments)
    except ImageError as error:
        raise ImageError(f"{source}: {error}" if source not in str(error) else str(error)) from None
