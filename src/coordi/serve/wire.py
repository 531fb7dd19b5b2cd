"""The shapes that go over the wire; they change only by addition within /v1."""

import logging
from collections.abc import Callable
from pathlib import PurePath
from typing import Annotated, Any, Self
from urllib.parse import quote

from fastapi import UploadFile
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from coordi.serve.caching import image_version
from coordi.types import Answer, Box, Facet, FieldValue, Hit, ImageRef, Item

log = logging.getLogger("coordi.serve")

Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]
Filter = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)]
Weight = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Id = Annotated[
    str | None,
    Field(description="The item's id, where it does not stand in the path", max_length=4000),
]


def joined(filters: list[str]) -> str | None:
    """The filter that all of `filters` together are; None where there is none."""
    given = [one for one in filters if one]
    if len(given) < 2:
        return given[0] if given else None
    return " and ".join(f"({one})" for one in given)


class Asked(BaseModel):
    """Parameters; a misspelt one is refused."""

    model_config = ConfigDict(extra="forbid")


class ItemParams(Asked):
    """Which item, where its id cannot stand in a path (".", "..")."""

    id: Id = None


class PictureParams(ItemParams):
    """Which picture of an item."""

    v: Annotated[str, Field(description="Its version; makes the answer cacheable for ever")] = ""
    n: Annotated[int, Field(ge=0, le=1000, description="Its number; 0 is the main one")] = 0


class ThumbnailParams(PictureParams):
    """Which picture, and how large."""

    side: Annotated[int, Field(ge=32, le=1024, description="Pixels of the longer side")] = 320


class Page(Asked):
    """Which part of a long list."""

    where: Annotated[
        list[Filter],
        Field(
            max_length=20,
            description="Filter, e.g. category = 'dress' and price < 50; of several, all hold",
        ),
    ] = []
    limit: Annotated[int, Field(ge=1, description="Items in the answer")] = 20
    offset: Annotated[int, Field(ge=0, le=1_000_000, description="Items to pass over")] = 0


class RankedPage(Page):
    """Which part of a ranking."""

    min_score: Annotated[
        float | None, Field(ge=-1, le=1, description="Lowest cosine similarity")
    ] = None
    collapse: Annotated[
        float | None,
        Field(gt=0, le=1, description="Fold items at least this similar to a better hit into it"),
    ] = None
    explain: Annotated[bool, Field(description="Give each query part's share of the score")] = False


class SimilarParams(RankedPage, ItemParams):
    """How to look for items like a given one."""


class SearchParams(RankedPage):
    """A search by words, by a stored item, or both."""

    text: Annotated[Words | None, Field(description="Words")] = None
    item: Annotated[str | None, Field(description="Id of a stored item")] = None
    text_weight: Weight = 1.0
    item_weight: Weight = 1.0
    rerank: Annotated[
        int | None,
        Field(ge=0, le=1000, description="How many of the first hits the re-ranker orders"),
    ] = None


class SearchForm(SearchParams):
    """A search that may also have a picture."""

    image: Annotated[UploadFile | None, Field(description="A picture")] = None
    image_weight: Weight = 1.0
    box: Annotated[
        str | None,
        Field(
            description="Crop of the picture: left,top,right,bottom as shares of its size",
            examples=["0.1,0.2,0.9,0.8"],
        ),
    ] = None

    @field_validator("image", mode="before")
    @classmethod
    def _image_is_a_file(cls, image: Any) -> Any:
        if isinstance(image, str):
            raise ValueError(
                "send the picture itself as a file of the form, not its name or address "
                "(curl: -F image=@photo.jpg)"
            )
        return image

    @field_validator("box")
    @classmethod
    def _box_is_a_box(cls, box: str | None) -> str | None:
        _as_box(box or "0,0,1,1")
        return box or None

    def crop(self) -> Box | None:
        """`box` as numbers."""
        return _as_box(self.box) if self.box else None


def _as_box(text: str) -> Box:
    try:
        left, top, right, bottom = (float(side) for side in text.split(","))
    except ValueError:
        raise ValueError("give four numbers: left,top,right,bottom") from None
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError("it must hold that 0 <= left < right <= 1 and 0 <= top < bottom <= 1")
    return left, top, right, bottom


SizeOf = Callable[[Item], tuple[int, int] | None]
"""Width and height of an item's picture."""


class PictureOut(BaseModel):
    """A further picture of a garment."""

    image: str = Field(description="Address of the picture")
    thumbnail: str = Field(description="Address of a small JPEG of it")


class ItemOut(BaseModel):
    """One garment."""

    id: str
    title: str
    description: str
    fields: dict[str, FieldValue]
    image: str | None = Field(description="Address of the picture; null where there is none")
    thumbnail: str | None = Field(description="Address of a small JPEG of it")
    width: int | None = Field(description="Pixels of the picture; null where it cannot be read")
    height: int | None
    more: list[PictureOut] = Field(default=[], description="Further pictures of the same garment")

    @classmethod
    def of(cls, item: Item, size_of: SizeOf, **others: Any) -> Self:
        """The wire shape of `item`."""
        image, thumbnail = _addresses(item.id, item.image, 0) if item.image else (None, None)
        width, height = _size(item, size_of) or (None, None)
        further = [_addresses(item.id, ref, n) for n, ref in enumerate(item.more, 1)]
        return cls(
            id=item.id,
            title=item.title,
            description=item.description,
            fields=dict(item.fields),
            image=image,
            thumbnail=thumbnail,
            width=width,
            height=height,
            more=[PictureOut(image=i, thumbnail=t) for i, t in further],
            **others,
        )


class OneItemOut(ItemOut):
    """One garment, asked for by itself."""

    token: str = Field(description="The commit of the store that it was read from")


def _size(item: Item, size_of: SizeOf) -> tuple[int, int] | None:
    """The size of an item's picture; one that cannot be read is no reason to show no others."""
    try:
        return size_of(item)
    except Exception as error:  # Pillow's errors have no common base
        log.warning("the picture of item %r cannot be read: %s", item.id, error)
        return None


def _addresses(id: str, picture: ImageRef, number: int) -> tuple[str, str]:
    """Addresses of an item's picture and of its thumbnail."""
    version = image_version(picture)
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


class ItemsOut(BaseModel):
    """A page of the catalogue."""

    items: list[ItemOut]
    total: int = Field(description="Items that pass the filter")
    more: bool
    token: str = Field(description="The commit of the store that all of it was read from")


class HitOut(BaseModel):
    """One found item."""

    item: ItemOut
    score: float = Field(description="Cosine similarity to the query, in [-1, 1]")
    parts: dict[str, float] | None = Field(
        description="Each query part's share of the score; the shares add up to it"
    )
    duplicates: list[str] = Field(description="Ids of near-duplicates folded into this hit")
    match: float | None = Field(
        description="Probability of a match in the re-ranker's view; null where not re-ranked"
    )

    @classmethod
    def of(cls, hit: Hit, size_of: SizeOf) -> Self:
        """The wire shape of `hit`."""
        return cls(
            item=ItemOut.of(hit.item, size_of),
            score=hit.score,
            parts=None if hit.parts is None else dict(hit.parts),
            duplicates=list(hit.duplicates),
            match=hit.match,
        )


class SearchOut(BaseModel):
    """A page of hits and how it was found."""

    hits: list[HitOut]
    total: int = Field(description="Items that could have been found")
    filtered_out: int = Field(description="How many of them the filter excluded")
    encoder: str
    fingerprint: str
    index: str
    seconds: dict[str, float]
    more: bool
    reranker: str = Field(description='What ordered the first hits; "" where nothing did')
    reranked: int = Field(description="How many of the first hits, over all pages, it ordered")
    token: str = Field(description="The commit of the store that all of it was read from")
    without_vector: int = Field(
        description="Items without a vector of this encoder, which could not be found"
    )
    notes: list[str] = Field(description="What else to know, such as words that are not known")

    @classmethod
    def of(cls, answer: Answer, size_of: SizeOf) -> Self:
        """The wire shape of `answer`."""
        return cls(
            hits=[HitOut.of(hit, size_of) for hit in answer.hits],
            total=answer.total,
            filtered_out=answer.filtered_out,
            encoder=shown_name(answer.encoder),
            fingerprint=answer.fingerprint,
            index=answer.index,
            seconds=dict(answer.seconds),
            more=answer.more,
            reranker=shown_name(answer.reranker),
            reranked=answer.reranked,
            token=answer.token,
            without_vector=answer.without_vector,
            notes=list(answer.notes),
        )


class ValueOut(BaseModel):
    """A value of a field and how many items have it."""

    value: str
    count: int


class FacetOut(BaseModel):
    """A field that can be filtered on."""

    name: str
    kind: str = Field(description="text, integer, number or boolean")
    values: list[ValueOut]
    distinct: int
    minimum: float | None
    maximum: float | None

    @classmethod
    def of(cls, facet: Facet) -> Self:
        """The wire shape of `facet`."""
        return cls(
            name=facet.name,
            kind=facet.kind,
            values=[ValueOut(value=value, count=count) for value, count in facet.values],
            distinct=facet.distinct,
            minimum=facet.minimum,
            maximum=facet.maximum,
        )


class FacetsOut(BaseModel):
    """The fields that can be filtered on."""

    facets: list[FacetOut]
    token: str = Field(description="The commit of the store that they were read from")


class StatsOut(BaseModel):
    """Figures about the store; more may be added."""

    model_config = ConfigDict(extra="allow")

    items: int
    token: str = Field(description="The commit of the store that is served")


class LimitsOut(BaseModel):
    """What a request may cost."""

    upload_bytes: int
    upload_pixels: int
    page: int


class StatusOut(BaseModel):
    """Alive."""

    status: str


class ReadyOut(BaseModel):
    """Ready to search."""

    status: str
    message: str
    token: str = Field(description="The commit of the store that is served")
    without_vector: dict[str, int] = Field(description="Encoder → items that have no vector of it")


class ErrorBody(BaseModel):
    """What went wrong."""

    code: str = Field(description="A word for programs")
    message: str = Field(description="A sentence for people")
    field: str | None = Field(description="The parameter at fault, where one is")


class ErrorOut(BaseModel):
    """The shape of every failure."""

    error: ErrorBody


ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorOut, "description": "The request cannot be answered"},
    "5XX": {"model": ErrorOut, "description": "The server cannot answer now"},
}
