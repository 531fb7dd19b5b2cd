"""The shapes of answers; they change only by addition within /v1.

They are typed dicts and not models: what is checked is what comes in (`asking`), while answers are
our own, and a page of hits as models would cost as much as finding them.
"""

import logging
from collections.abc import Sequence
from pathlib import PurePath
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from coordi.serve.ports import CatalogView
from coordi.types import Chip, Facet, FieldValue, Garment, Hit, Item, PictureInfo, Query

log = logging.getLogger("coordi.serve")


class PictureOut(TypedDict):
    """A further picture of a garment."""

    image: Annotated[str, Field(description="Address of the picture")]
    thumbnail: Annotated[str, Field(description="Address of a small JPEG of it")]


class ItemOut(TypedDict):
    """One garment."""

    id: str
    title: str
    description: str
    fields: dict[str, FieldValue]
    image: Annotated[
        str | None, Field(description="Address of the picture; null where there is none")
    ]
    thumbnail: Annotated[str | None, Field(description="Address of a small JPEG of it")]
    width: Annotated[
        int | None, Field(description="Pixels of the picture; null where it cannot be read")
    ]
    height: int | None
    more: Annotated[list[PictureOut], Field(description="Further pictures of the same garment")]


class OneItemOut(ItemOut):
    """One garment, asked for by itself."""

    token: Annotated[str, Field(description="The commit of the store that it was read from")]


def item_out(item: Item, view: CatalogView) -> ItemOut:
    """The wire shape of `item`."""
    info = _info(item, view)
    image, thumbnail = _addresses(item.id, info.version, 0) if item.image else (None, None)
    width, height = info.size or (None, None)
    return {
        "id": item.id,
        "title": item.title,
        "description": item.description,
        "fields": dict(item.fields),
        "image": image,
        "thumbnail": thumbnail,
        "width": width,
        "height": height,
        "more": [_picture_out(item, view, number) for number in range(1, len(item.more) + 1)],
    }


def _picture_out(item: Item, view: CatalogView, number: int) -> PictureOut:
    image, thumbnail = _addresses(item.id, view.picture_version(item, number), number)
    return {"image": image, "thumbnail": thumbnail}


def _info(item: Item, view: CatalogView) -> PictureInfo:
    """About an item's main picture; one that cannot be read is no reason to show no others."""
    try:
        return view.picture_info(item)
    except Exception as error:  # Pillow's errors have no common base
        log.warning("the picture of item %r cannot be read: %s", item.id, error)
        return PictureInfo("", None)


def _addresses(id: str, version: str, number: int) -> tuple[str, str]:
    """Addresses of an item's picture and of its thumbnail."""
    query = [f"v={version}"] if version else []
    if number:
        query.append(f"n={number}")
    # Clients take these two for steps in the path, however they are written.
    if id in (".", ".."):
        query.append(f"id={id}")
    place = "" if id in (".", "..") else quote(id, safe="")
    address = f"{place}?{'&'.join(query)}" if query else place
    return f"/v1/images/{address}", f"/v1/thumbnails/{address}"


def shown_name(name: str) -> str:
    """An encoder's or re-ranker's name as others may see it: of a folder, only its last part."""
    path = PurePath(name)
    return path.name if path.is_absolute() or name.startswith(("~", ".")) else name


class ItemsOut(TypedDict):
    """A page of the catalogue."""

    items: list[ItemOut]
    variants: Annotated[
        list[list[str]], Field(description="Of each item, the ids folded into it by `fold`")
    ]
    total: Annotated[
        int, Field(description="Items that pass the filter; with `fold`, groups of them")
    ]
    more: bool
    token: Annotated[str, Field(description="The commit of the store that all of it was read from")]


class WordMatchOut(TypedDict):
    """A word of the query that an item has."""

    word: Annotated[str, Field(description="As it was searched")]
    found: Annotated[str, Field(description="What the item has: the same, or a synonym")]
    fields: Annotated[list[str], Field(description="Where: id, title, description or fields")]


class HitOut(TypedDict):
    """One found item."""

    item: ItemOut
    score: Annotated[float, Field(description="Cosine similarity to the query, in [-1, 1]")]
    parts: Annotated[
        dict[str, float] | None,
        Field(description="Each query part's share of the score; the shares add up to it"),
    ]
    duplicates: Annotated[
        list[str], Field(description="Ids of near-duplicates folded into this hit")
    ]
    variants: Annotated[
        list[str], Field(description="Ids of items folded into this hit by `fold`, best first")
    ]
    match: Annotated[
        float | None,
        Field(
            description="Probability of a match in the re-ranker's view; null where not re-ranked"
        ),
    ]
    fused: Annotated[
        float | None,
        Field(
            description="What it ranks by where the query has words that items have: likeness "
            "and matched words; null where it ranks by score"
        ),
    ]
    fusion: Annotated[
        dict[str, float] | None,
        Field(description="With explain: words, likeness and code, which add up to fused"),
    ]
    words: Annotated[
        list[WordMatchOut], Field(description="With explain: the query's words that it has")
    ]


class GarmentOut(TypedDict):
    """One garment found in a picture."""

    kind: str
    family: str
    box: Annotated[
        list[float], Field(description="left, top, right, bottom as shares of the picture's size")
    ]
    score: Annotated[float, Field(description="How certain it is, in [0, 1]")]
    best: Annotated[bool, Field(description="Whether it is what the picture is mainly about")]


class FindOut(TypedDict):
    """The garments of a picture, the largest first."""

    garments: list[GarmentOut]
    width: Annotated[int, Field(description="Pixels of the picture as it was looked at, upright")]
    height: int
    token: Annotated[str, Field(description="The commit of the store that is served")]


class ChipOut(TypedDict):
    """One thing that a query's words ask for, or refuse."""

    id: Annotated[str, Field(description="How `drop` names it, such as color:navy")]
    aspect: Annotated[str, Field(description="category, color, pattern, price …")]
    value: Annotated[str, Field(description="In English; of a price <50, >20 or 20-40")]
    text: Annotated[str, Field(description="As written, at [start, stop) of the words searched")]
    start: int
    stop: int
    negative: Annotated[bool, Field(description="Whether it shall not be")]
    where: Annotated[str | None, Field(description="The part that it is said of, such as buttons")]


class KeptOut(TypedDict):
    """A photo that is kept."""

    id: Annotated[str, Field(description="What to search with: GET /v1/search?query=ID")]
    expires: Annotated[str, Field(description="When it goes at the latest: ISO 8601, UTC")]


class SearchOut(TypedDict):
    """A page of hits and how it was found."""

    hits: list[HitOut]
    total: Annotated[int, Field(description="Items that could have been found")]
    filtered_out: Annotated[int, Field(description="How many of them the filter excluded")]
    encoder: str
    fingerprint: str
    index: str
    seconds: dict[str, float]
    more: bool
    reranker: Annotated[str, Field(description='What ordered the first hits; "" where nothing did')]
    reranked: Annotated[
        int, Field(description="How many of the first hits, over all pages, it ordered")
    ]
    token: Annotated[str, Field(description="The commit of the store that all of it was read from")]
    without_vector: Annotated[
        int,
        Field(description="Items without a vector of this encoder, which could not be found"),
    ]
    notes: Annotated[
        list[str], Field(description="What else to know, such as words that are not known")
    ]
    suggestion: Annotated[
        str,
        Field(description='The words searched instead of those typed, corrected; "" if as typed'),
    ]
    floor: Annotated[
        float | None,
        Field(
            description="Where even the best hit scores less, nothing here is like what was asked; "
            "null where nothing tells"
        ),
    ]
    chips: Annotated[list[ChipOut], Field(description="What the words were taken to mean")]
    dropped: Annotated[list[str], Field(description="Ids of the chips that `drop` named")]
    language: Annotated[
        str | None, Field(description="Of the words, two letters; null where none told")
    ]
    garment: Annotated[
        GarmentOut | None,
        Field(description="What was cut out of the picture; null where it was taken whole"),
    ]
    garments: Annotated[
        list[GarmentOut], Field(description="All that were found, where `garment` was asked for")
    ]


def chip_out(chip: Chip) -> ChipOut:
    """The wire shape of a chip."""
    return {
        "id": chip.id,
        "aspect": chip.aspect,
        "value": chip.value,
        "text": chip.text,
        "start": chip.start,
        "stop": chip.stop,
        "negative": chip.negative,
        "where": chip.where,
    }


def garments_out(garments: Sequence[Garment], best: Garment | None) -> list[GarmentOut]:
    """The wire shape of garments, of which one may be the best."""
    return [garment_out(garment, best=garment is best) for garment in garments]


def garment_out(garment: Garment, *, best: bool) -> GarmentOut:
    """The wire shape of a garment."""
    return {
        "kind": garment.kind,
        "family": garment.family,
        "box": list(garment.box),
        "score": garment.score,
        "best": best,
    }


def found(query: Query, view: CatalogView) -> SearchOut:
    """What a search of `view` finds."""
    answer = view.search(query)
    used = answer.garment
    return {
        "hits": [_hit_out(hit, view) for hit in answer.hits],
        "total": answer.total,
        "filtered_out": answer.filtered_out,
        "encoder": shown_name(answer.encoder),
        "fingerprint": answer.fingerprint,
        "index": answer.index,
        "seconds": dict(answer.seconds),
        "more": answer.more,
        "reranker": shown_name(answer.reranker),
        "reranked": answer.reranked,
        "token": answer.token,
        "without_vector": answer.without_vector,
        "notes": list(answer.notes),
        "suggestion": answer.suggestion,
        "floor": answer.floor,
        "chips": [chip_out(chip) for chip in answer.chips],
        "dropped": list(query.drop),
        "language": answer.language,
        "garment": None if used is None else garment_out(used, best=True),
        "garments": garments_out(answer.garments, used),
    }


def _hit_out(hit: Hit, view: CatalogView) -> HitOut:
    return {
        "item": item_out(hit.item, view),
        "score": hit.score,
        "parts": None if hit.parts is None else dict(hit.parts),
        "duplicates": list(hit.duplicates),
        "variants": list(hit.variants),
        "match": hit.match,
        "fused": hit.fused,
        "fusion": None if hit.fusion is None else dict(hit.fusion),
        "words": [
            {"word": one.word, "found": one.found, "fields": list(one.fields)} for one in hit.words
        ],
    }


class ValueOut(TypedDict):
    """A value of a field and how many items have it."""

    value: str
    count: int


class FacetOut(TypedDict):
    """A field that can be filtered on."""

    name: str
    kind: Annotated[str, Field(description="text, integer, number or boolean")]
    values: list[ValueOut]
    distinct: Annotated[int, Field(description="Different values; with `contains`, of those")]
    minimum: float | None
    maximum: float | None
    more: Annotated[bool, Field(description="Whether there are values beyond these")]
    many: Annotated[
        bool, Field(description="Whether a cell holds several values, to be asked for with `has`")
    ]


def facet_out(facet: Facet) -> FacetOut:
    """The wire shape of `facet`."""
    return {
        "name": facet.name,
        "kind": facet.kind,
        "values": [{"value": value, "count": count} for value, count in facet.values],
        "distinct": facet.distinct,
        "minimum": facet.minimum,
        "maximum": facet.maximum,
        "more": facet.more,
        "many": facet.many,
    }


class FacetsOut(TypedDict):
    """The fields that can be filtered on."""

    facets: list[FacetOut]
    token: Annotated[str, Field(description="The commit of the store that they were read from")]


@with_config(ConfigDict(extra="allow"))
class StatsOut(TypedDict):
    """Figures about the store; more may be added."""

    items: int
    token: Annotated[str, Field(description="The commit of the store that is served")]


class LimitsOut(TypedDict):
    """What a request may cost."""

    upload_bytes: int
    upload_pixels: int
    page: int


class StatusOut(TypedDict):
    """Alive."""

    status: str


class ReadyOut(TypedDict):
    """Ready to search."""

    status: str
    message: str
    token: Annotated[str, Field(description="The commit of the store that is served")]
    without_vector: Annotated[
        dict[str, int], Field(description="Encoder → items that have no vector of it")
    ]


class ErrorBody(TypedDict):
    """What went wrong."""

    code: Annotated[str, Field(description="A word for programs")]
    message: Annotated[str, Field(description="A sentence for people")]
    field: Annotated[str | None, Field(description="The parameter at fault, where one is")]


class ErrorOut(TypedDict):
    """The shape of every failure."""

    error: ErrorBody


ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorOut, "description": "The request cannot be answered"},
    "5XX": {"model": ErrorOut, "description": "The server cannot answer now"},
}
