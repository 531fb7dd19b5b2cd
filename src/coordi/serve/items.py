"""Routes of items: browse, one item, its pictures, and what is like it.

The id is always the rest of the path, so that it may itself hold slashes and line breaks; "." and
"..", which clients take for steps in a path, are given as `?id=`.
"""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.convertors import Convertor, register_url_convertor

from coordi.errors import ImageError, NotFoundError
from coordi.serve.answering import TOKEN, DirectRoute, answer
from coordi.serve.asking import (
    ItemParams,
    PageParams,
    PictureParams,
    SimilarParams,
    ThumbnailParams,
    asked,
    described,
    joined,
    ranked,
)
from coordi.serve.caching import picture_response
from coordi.serve.errors import NoPictureError, Refused
from coordi.serve.lanes import Lanes
from coordi.serve.limits import Limits
from coordi.serve.ports import CatalogView, SearchEngine
from coordi.serve.wire import ItemsOut, OneItemOut, SearchOut, found, item_out

PICTURE: dict[str, Any] = {
    "response_class": Response,
    "responses": {
        200: {"content": {"image/*": {}}},
        304: {"description": "The client has it already"},
    },
}


class _Rest(Convertor[str]):
    """The rest of a path, line breaks and all; Starlette's own ends at the first one."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("rest", _Rest())


def item_routes(engine: SearchEngine, limits: Limits, lanes: Lanes) -> APIRouter:
    """Routes that show items of `engine`."""
    routes = APIRouter(tags=["items"], route_class=DirectRoute)

    @routes.get("/items", response_model=ItemsOut, openapi_extra=described(PageParams))
    async def browse(request: Request) -> Response:
        """Items without a search, in a stable mixed order."""
        page = asked(request, PageParams)
        check_page(page, limits)

        def make() -> ItemsOut:
            view = engine.view()
            shown, total = view.rail(
                joined(page.where),
                limit=page.limit,
                offset=page.offset,
                sort=page.sort,
                fold=page.fold,
            )
            items = view.get([id for id, _ in shown])
            return {
                "items": [item_out(item, view) for item in items],
                "variants": [list(folded) for _, folded in shown],
                "total": total,
                "more": page.offset + len(items) < total,
                "token": view.token,
            }

        return await answer(lanes.reads, make)

    @routes.get(
        "/items/{item_id:rest}", response_model=OneItemOut, openapi_extra=described(ItemParams)
    )
    async def item(request: Request, item_id: str) -> Response:
        """One item."""
        id = _id(item_id, asked(request, ItemParams))

        def make() -> OneItemOut:
            view = engine.view()
            return {**item_out(view.get([id])[0], view), "token": view.token}

        return await answer(lanes.reads, make)

    @routes.get(
        "/similar/{item_id:rest}", response_model=SearchOut, openapi_extra=described(SimilarParams)
    )
    async def similar(request: Request, item_id: str) -> Response:
        """Items that look like this one; the item itself is left out."""
        params = asked(request, SimilarParams)
        check_page(params, limits)
        query = ranked(params, item=_id(item_id, params))
        return await answer(lanes.searches, lambda: found(query, engine.view()))

    async def shown(
        request: Request,
        item_id: str,
        params: PictureParams,
        draw: Callable[[CatalogView, str], tuple[bytes, str]],
    ) -> Response:
        id = _id(item_id, params)

        def make() -> Response:
            view = engine.view()
            data, kind = draw(view, id)
            response = picture_response(request, data, kind, versioned=bool(params.v))
            response.headers[TOKEN] = view.token
            return response

        try:
            response: Response = await lanes.pictures.run(make)
        except (ImageError, OSError, NotFoundError) as error:
            # A file that is broken or gone is one picture less, not a fault of the whole store.
            raise NoPictureError(str(error)) from None
        return response

    @routes.get("/images/{item_id:rest}", **PICTURE, openapi_extra=described(PictureParams))
    async def image(request: Request, item_id: str) -> Response:
        """The item's picture as it was given; `v`, its version, makes the answer cacheable."""
        params = asked(request, PictureParams)
        return await shown(request, item_id, params, lambda at, id: at.image(id, number=params.n))

    @routes.get("/thumbnails/{item_id:rest}", **PICTURE, openapi_extra=described(ThumbnailParams))
    async def thumbnail(request: Request, item_id: str) -> Response:
        """A JPEG of the item's picture, its longer side `side` pixels."""
        params = asked(request, ThumbnailParams)

        def draw(at: CatalogView, id: str) -> tuple[bytes, str]:
            return at.thumbnail(id, side=params.side, number=params.n), "image/jpeg"

        return await shown(request, item_id, params, draw)

    return routes


def check_page(page: PageParams, limits: Limits) -> None:
    """Refuse a page longer than the server gives."""
    if page.limit > limits.page:
        raise Refused(422, "invalid", f"limit: at most {limits.page} items a page", "limit")


def _id(place: str, params: ItemParams) -> str:
    """The id that a request names: in its path or as `?id=`."""
    if place and params.id:
        raise Refused(422, "invalid", "id: stands in the path already", "id")
    return place or params.id or ""
