"""What a request may ask, as models, and how one is read: every parameter checked once.

Endpoints read their parameters with `asked` instead of declaring them to FastAPI, whose own way
costs a request with twenty of them a millisecond; `described` puts them into /openapi.json.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic import field_validator as validator

from coordi.serve.errors import Refused
from coordi.serve.forms import FORM, form_fields
from coordi.types import Box, Image, Query

REPEATABLE = frozenset({"where", "drop"})
"""Parameters of which several mean something."""

Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]
Filter = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)]
Weight = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Id = Annotated[
    str | None,
    Field(description="The item's id, where it does not stand in the path", max_length=4000),
]


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


Filters = Annotated[
    list[Filter],
    Field(
        max_length=20,
        description="Filter, e.g. category = 'dress' and price < 50; of several, all hold",
    ),
]
Name = Annotated[str | None, StringConstraints(min_length=1, max_length=400)]
Chip = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class PageParams(Asked):
    """Which part of a long list."""

    where: Filters = []
    fold: Annotated[
        Name,
        Field(description="Field whose equal values fold into the first hit, such as model"),
    ] = None
    sort: Annotated[
        Name,
        Field(description="Field to order by, with - before it downwards, such as -price"),
    ] = None
    limit: Annotated[int, Field(ge=1, description="Items in the answer")] = 20
    offset: Annotated[int, Field(ge=0, le=1_000_000, description="Items to pass over")] = 0


class RankedParams(PageParams):
    """Which part of a ranking."""

    min_score: Annotated[
        float | None, Field(ge=-1, le=1, description="Lowest cosine similarity")
    ] = None
    collapse: Annotated[
        float | None,
        Field(gt=0, le=1, description="Fold items at least this similar to a better hit into it"),
    ] = None
    explain: Annotated[bool, Field(description="Give each query part's share of the score")] = False


class SimilarParams(RankedParams, ItemParams):
    """How to look for items like a given one."""


class SearchParams(RankedParams):
    """A search by words, by a stored item, or both."""

    text: Annotated[Words | None, Field(description="Words")] = None
    item: Annotated[str | None, Field(description="Id of a stored item")] = None
    text_weight: Weight = 1.0
    item_weight: Weight = 1.0
    by: Annotated[
        Literal["hybrid", "words", "vectors"],
        Field(description="Search words in the items' own words, by the encoder, or by both"),
    ] = "hybrid"
    spelling: Annotated[
        bool, Field(description="Search words that nobody knows as the nearest known ones")
    ] = True
    drop: Annotated[
        list[Chip],
        Field(max_length=100, description="Id of a chip that the words shall not mean"),
    ] = []
    rerank: Annotated[
        int | None,
        Field(ge=0, le=1000, description="How many of the first hits the re-ranker orders"),
    ] = None


class FacetParams(Asked):
    """Which facets, counted over which items."""

    where: Filters = []
    text: Annotated[Words | None, Field(description="Words; they count with min_score")] = None
    item: Annotated[str | None, Field(description="Id of a stored item, as in a search")] = None
    text_weight: Weight = 1.0
    item_weight: Weight = 1.0
    min_score: Annotated[
        float | None,
        Field(ge=-1, le=1, description="Lowest cosine similarity that the items counted have"),
    ] = None
    field: Annotated[Name, Field(description="Only this field")] = None
    contains: Annotated[
        str | None,
        Field(max_length=200, description="Of `field`, only values with this text, in any case"),
    ] = None
    limit: Annotated[int, Field(ge=1, le=1000, description="Values of a field")] = 50
    offset: Annotated[int, Field(ge=0, le=10_000_000, description="Values to pass over")] = 0

    @model_validator(mode="after")
    def _search_inside_one(self) -> Self:
        if self.field is None and (self.contains or self.offset):
            raise ValueError("contains and offset are about one field's values: give field too")
        if self.min_score is not None and not (self.text or self.item):
            raise ValueError("min_score needs text or item to score against")
        return self


Garment = Annotated[
    str | None,
    Field(
        max_length=40,
        description="Which garment of the picture: best, a family (top, outer, dress, bottom, "
        "shoes, bag …) or a kind (blouse …); whole, the default, takes the picture as it is",
    ),
]


class Crop(Asked):
    """A part of a picture."""

    box: Annotated[
        str | None,
        Field(
            description="Crop of the picture: left,top,right,bottom as shares of its size",
            examples=["0.1,0.2,0.9,0.8"],
        ),
    ] = None

    @validator("box")
    @classmethod
    def _box_is_a_box(cls, box: str | None) -> str | None:
        _as_box(box or "0,0,1,1")
        return box or None

    def crop(self) -> Box | None:
        """`box` as numbers."""
        return _as_box(self.box) if self.box else None


class FindForm(Crop):
    """A picture, or a part of one."""

    image: Annotated[
        bytes | None,
        Field(description="A picture"),
        WithJsonSchema({"type": "string", "format": "binary"}),
    ] = None

    @validator("image", mode="before")
    @classmethod
    def _image_is_a_file(cls, image: Any) -> Any:
        if isinstance(image, str):
            raise ValueError(
                "send the picture itself as a file of the form, not its name or address "
                "(curl: -F image=@photo.jpg)"
            )
        return image


class KeepForm(FindForm):
    """A picture to keep for later searches, and what of it they are about."""

    garment: Garment = None


class Kept(SearchParams, Crop):
    """A search that may also have a picture that is kept (POST /v1/queries)."""

    query: Annotated[
        str | None,
        Field(
            description="Id of a picture that is kept (POST /v1/queries)",
            pattern=r"^[A-Za-z0-9_-]{22}$",
        ),
    ] = None
    garment: Garment = None
    image_weight: Weight = 1.0

    @model_validator(mode="after")
    def _parts_of_a_picture(self) -> Self:
        if self.query is None and (self.box or self.garment):
            raise ValueError("box and garment are about a picture: give query too, or send one")
        return self


class SearchForm(SearchParams, KeepForm):
    """A search that may also have a picture."""

    image_weight: Weight = 1.0


def _as_box(text: str) -> Box:
    try:
        left, top, right, bottom = (float(side) for side in text.split(","))
    except ValueError:
        raise ValueError("give four numbers: left,top,right,bottom") from None
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError("it must hold that 0 <= left < right <= 1 and 0 <= top < bottom <= 1")
    return left, top, right, bottom


def joined(filters: list[str]) -> str | None:
    """The filter that all of `filters` together are; None where there is none."""
    given = [one for one in filters if one]
    if len(given) < 2:
        return given[0] if given else None
    return " and ".join(f"({one})" for one in given)


def parts(params: SearchParams | FacetParams, image: Image | None = None) -> dict[str, Any]:
    """The parts of a `Query` that are given, and "weights" of those alone."""
    wanted = {"image": image, "text": params.text or None, "item": params.item or None}
    given = {name: part for name, part in wanted.items() if part is not None}
    return {**given, "weights": {name: getattr(params, f"{name}_weight") for name in given}}


def ranked(params: RankedParams, **given: Any) -> Query:
    """The query for a part of a ranking; `given` is what it looks for."""
    page = {name: getattr(params, name) for name in RankedParams.model_fields}
    page["where"] = joined(params.where)
    return Query(**page, **given)


_Asked = TypeVar("_Asked", bound=Asked)


def asked(request: Request, model: type[_Asked]) -> _Asked:
    """The parameters in a request's address. Raises `Refused` or `RequestValidationError`."""
    return _checked(request.query_params.multi_items(), model, "query")


async def asked_in_form(request: Request, model: type[_Asked]) -> _Asked:
    """The fields of a request's form; an empty one counts as not given. Raises as `asked`."""
    if request.query_params:
        name = next(iter(request.query_params))
        raise Refused(422, "invalid", f"{name}: give it in the form, not in the address", name)
    given = [(name, value) for name, value in await form_fields(request) if value != ""]
    return _checked(given, model, "body")


def _checked(given: Iterable[tuple[str, Any]], model: type[_Asked], place: str) -> _Asked:
    values: dict[str, Any] = {}
    for name, value in given:
        if name in REPEATABLE:
            values.setdefault(name, []).append(value)
        elif name in values:
            # None of the two would be the right one to follow.
            raise Refused(422, "invalid", f"{name[:100]}: given more than once", name[:100])
        else:
            values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        raise RequestValidationError(
            [{**one, "loc": (place, *one["loc"])} for one in found]
        ) from None


def described(model: type[Asked]) -> dict[str, Any]:
    """The parameters of an address, for `openapi_extra`."""
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": False,
                "schema": schema,
                "description": schema.get("description", ""),
            }
            for name, schema in model.model_json_schema()["properties"].items()
        ]
    }


def described_form(model: type[Asked]) -> dict[str, Any]:
    """The fields of a form, for `openapi_extra`."""
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {FORM: {"schema": schema}}}}
