"""The shapes that go over the wire; they change only by addition within /v1."""

from collections.abc import Callable
from typing import Annotated, Any, Self
from urllib.parse import quote

from fastapi import UploadFile
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from coordi.serve.caching import image_version
from coordi.types import Answer, Box, Facet, FieldValue, Hit, Item

Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]
Weight = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]


class Page(BaseModel):
    """Which part of a long list."""

    model_config = ConfigDict(extra="forbid")

    where: Annotated[
        str | None,
        Field(max_length=4000, description="Filter, e.g. category = 'dress' and price < 50"),
    ] = None
    limit: Annotated[int, Field(ge=1, description="Items in the answer")] = 20
    offset: Annotated[int, Field(ge=0, le=1_000_000, description="Items to pass over")] = 0


class SimilarParams(Page):
    """How to look for items like a given one."""

    min_score: Annotated[
        float | None, Field(ge=-1, le=1, description="Lowest cosine similarity")
    ] = None
    collapse: Annotated[
        float | None,
        Field(ge=-1, le=1, description="Fold items at least this similar to a better hit into it"),
    ] = None
    explain: Annotated[bool, Field(description="Give each query part's share of the score")] = False


class SearchParams(SimilarParams):
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


class ItemOut(BaseModel):
    """One garment."""

    id: str
    title: str
    description: str
    fields: dict[str, FieldValue]
    image: str | None = Field(description="Address of the picture; null where there is none")
    thumbnail: str | None = Field(description="Address of a small JPEG of it")
    width: int | None = Field(description="Pixels of the picture")
    height: int | None

    @classmethod
    def of(cls, item: Item, size_of: SizeOf) -> Self:
        """The wire shape of `item`."""
        path = quote(item.id, safe="")
        version = image_version(item.image) if item.image else ""
        query = f"?v={version}" if version else ""
        width, height = size_of(item) or (None, None)
        return cls(
            id=item.id,
            title=item.title,
            description=item.description,
            fields=dict(item.fields),
            image=f"/v1/images/{path}{query}" if item.image else None,
            thumbnail=f"/v1/thumbnails/{path}{query}" if item.image else None,
            width=width,
            height=height,
        )


class ItemsOut(BaseModel):
    """A page of the catalogue."""

    items: list[ItemOut]
    total: int = Field(description="Items that pass the filter")
    more: bool


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

    @classmethod
    def of(cls, answer: Answer, size_of: SizeOf) -> Self:
        """The wire shape of `answer`."""
        return cls(
            hits=[HitOut.of(hit, size_of) for hit in answer.hits],
            total=answer.total,
            filtered_out=answer.filtered_out,
            encoder=answer.encoder,
            fingerprint=answer.fingerprint,
            index=answer.index,
            seconds=dict(answer.seconds),
            more=answer.more,
            reranker=answer.reranker,
            reranked=answer.reranked,
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


class LimitsOut(BaseModel):
    """What a request may cost."""

    upload_bytes: int
    upload_pixels: int
    page: int


class StatusOut(BaseModel):
    """Alive, or ready."""

    status: str


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
