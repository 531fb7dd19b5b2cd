"""Routes of search: by words or item in the address, by picture in a form."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request

from coordi import types
from coordi.errors import QueryError
from coordi.serve.errors import Refused
from coordi.serve.items import check_page
from coordi.serve.limits import Limits
from coordi.serve.ports import SearchEngine
from coordi.serve.wire import SearchForm, SearchOut, SearchParams

FORM = "multipart/form-data"
FORMS = (FORM, "application/x-www-form-urlencoded")


def search_routes(engine: SearchEngine, limits: Limits) -> APIRouter:
    """Routes that search `engine`."""
    routes = APIRouter(tags=["search"])

    @routes.get("/search")
    def search(params: Annotated[SearchParams, Query()]) -> SearchOut:
        """Search by words, by a stored item, or by both."""
        check_page(params, limits)
        return SearchOut.of(engine.search(_query(params)), engine.pixel_size)

    @routes.post("/search", dependencies=[Depends(_is_form)])
    def search_with_picture(form: Annotated[SearchForm, Form(media_type=FORM)]) -> SearchOut:
        """Search by a picture, alone or together with words and an item."""
        check_page(form, limits)
        picture = _picture(form, engine, limits)
        answer = engine.search(_query(form, picture, form.image_weight))
        return SearchOut.of(answer, engine.pixel_size)

    return routes


def _is_form(request: Request) -> None:
    if not request.headers.get("content-type", "").lower().startswith(FORMS):
        raise Refused(415, "unsupported_media_type", f"Send a form ({FORM}).")


def _picture(form: SearchForm, engine: SearchEngine, limits: Limits) -> types.Image | None:
    if form.image is None:
        return None
    data = form.image.file.read()
    if len(data) > limits.upload_bytes:
        raise Refused(413, "too_large", limits.too_large(), "image")
    return engine.decode(data, box=form.crop(), max_pixels=limits.upload_pixels)


def _query(
    params: SearchParams, image: types.Image | None = None, image_weight: float = 1.0
) -> types.Query:
    """The engine's query; only given parts have a weight."""
    text, item = params.text or None, params.item or None
    weights = {"image": image_weight, "text": params.text_weight, "item": params.item_weight}
    given = {"image": image is not None, "text": text is not None, "item": item is not None}
    if not any(given.values()):
        raise QueryError("Give words (text), a stored item (item) or a picture (POST, image).")
    return types.Query(
        image=image,
        text=text,
        item=item,
        weights={part: weight for part, weight in weights.items() if given[part]},
        where=params.where or None,
        limit=params.limit,
        offset=params.offset,
        min_score=params.min_score,
        collapse=params.collapse,
        explain=params.explain,
        rerank=params.rerank,
    )
