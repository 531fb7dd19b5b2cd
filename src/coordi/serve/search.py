"""Routes of search: by words or item in the address, by picture in a form."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from coordi import types
from coordi.errors import QueryError
from coordi.serve.answering import DirectRoute, answer
from coordi.serve.asking import (
    FindForm,
    KeepForm,
    Kept,
    SearchForm,
    SearchParams,
    asked,
    asked_in_form,
    described,
    described_form,
    parts,
    ranked,
)
from coordi.serve.items import check_page
from coordi.serve.lanes import Lanes
from coordi.serve.limits import Limits
from coordi.serve.ports import SearchEngine
from coordi.serve.queries import Shelf, kept_form
from coordi.serve.uploads import check_size, reading
from coordi.serve.wire import SearchOut, found


def search_routes(engine: SearchEngine, limits: Limits, lanes: Lanes, shelf: Shelf) -> APIRouter:
    """Routes that search `engine`."""
    routes = APIRouter(tags=["search"], route_class=DirectRoute)

    @routes.get("/search", response_model=SearchOut, openapi_extra=described(Kept))
    async def search(request: Request) -> Response:
        """Search by words, by a stored item, by a photo that is kept, or by several of them."""
        params = asked(request, Kept)
        check_page(params, limits)
        photo = kept_form(params, shelf)
        if photo is not None:
            return await answer(lanes.photos, lambda: _by_picture(params, photo))
        query = _query(params)
        return await answer(lanes.searches, lambda: found(query, engine.view()))

    @routes.post("/search", response_model=SearchOut, openapi_extra=described_form(SearchForm))
    async def search_with_picture(request: Request) -> Response:
        """Search by a picture, alone or together with words and an item."""
        form = await asked_in_form(request, SearchForm)
        check_page(form, limits)
        check_size(form, limits)
        return await answer(lanes.photos, lambda: _by_picture(form, form))

    def _by_picture(params: SearchParams, photo: KeepForm) -> SearchOut:
        image = picture(photo, engine, limits, garments=photo.garment is not None)
        return found(_query(params, image, photo.garment), engine.view())

    return routes


def picture(
    form: FindForm, engine: SearchEngine, limits: Limits, *, garments: bool
) -> types.Image | None:
    """The picture of a form, large enough to find garments in where they are asked for."""
    if form.image is None:
        return None
    # Only who asks for garments says so: an engine of others need not know the word.
    more = {"garments": True} if garments else {}
    box, most = form.crop(), limits.upload_pixels
    with reading():
        return engine.decode(form.image, box=box, max_pixels=most, **more)


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
