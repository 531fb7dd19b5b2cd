"""Routes of search: by words or item in the address, by picture in a form."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from coordi import types
from coordi.errors import ImageError, QueryError
from coordi.serve.answering import DirectRoute, answer
from coordi.serve.asking import (
    FindForm,
    SearchForm,
    SearchParams,
    asked,
    asked_in_form,
    described,
    described_form,
    parts,
    ranked,
)
from coordi.serve.errors import Refused
from coordi.serve.items import check_page
from coordi.serve.lanes import Lanes
from coordi.serve.limits import Limits
from coordi.serve.ports import SearchEngine
from coordi.serve.wire import SearchOut, found


def search_routes(engine: SearchEngine, limits: Limits, lanes: Lanes) -> APIRouter:
    """Routes that search `engine`."""
    routes = APIRouter(tags=["search"], route_class=DirectRoute)

    @routes.get("/search", response_model=SearchOut, openapi_extra=described(SearchParams))
    async def search(request: Request) -> Response:
        """Search by words, by a stored item, or by both."""
        params = asked(request, SearchParams)
        check_page(params, limits)
        query = _query(params)
        return await answer(lanes.searches, lambda: found(query, engine.view()))

    @routes.post("/search", response_model=SearchOut, openapi_extra=described_form(SearchForm))
    async def search_with_picture(request: Request) -> Response:
        """Search by a picture, alone or together with words and an item."""
        form = await asked_in_form(request, SearchForm)
        check_page(form, limits)

        def make() -> SearchOut:
            image = picture(form, engine, limits, garments=form.garment is not None)
            return found(_query(form, image, form.garment), engine.view())

        return await answer(lanes.photos, make)

    return routes


def picture(
    form: FindForm, engine: SearchEngine, limits: Limits, *, garments: bool
) -> types.Image | None:
    """The picture of a form, large enough to find garments in where they are asked for."""
    if form.image is None:
        return None
    if len(form.image) > limits.upload_bytes:
        raise Refused(413, "too_large", limits.too_large(), "image")
    # Only who asks for garments says so: an engine of others need not know the word.
    more = {"garments": True} if garments else {}
    box, most = form.crop(), limits.upload_pixels
    try:
        return engine.decode(form.image, box=box, max_pixels=most, **more)
    except ImageError as error:
        # The one error of a picture that is about what was sent, and not about a file here.
        message = str(error)
        if "/" in message or "\\" in message:
            raise
        raise Refused(422, "bad_image", message, "image") from None


def _query(
    params: SearchParams, image: types.Image | None = None, garment: str | None = None
) -> types.Query:
    given = parts(params, image)
    if not given["weights"]:
        raise QueryError("Give words (text), a stored item (item) or a picture (POST, image).")
    how = {
        "by": params.by,
        "spelling": params.spelling,
        "drop": tuple(params.drop),
        "rerank": params.rerank,
    }
    return ranked(params, **given, **how, garment=garment)
