"""Routes of items: browse, one item, its pictures, and what is like it.

The id is always the rest of the path, so that it may itself hold slashes.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from coordi import types
from coordi.errors import ImageError, NotFoundError
from coordi.serve.caching import picture_response
from coordi.serve.errors import Refused
from coordi.serve.limits import Limits
from coordi.serve.ports import SearchEngine
from coordi.serve.wire import ItemOut, ItemsOut, Page, SearchOut, SimilarParams

PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/*": {}}},
    304: {"description": "The client has it already"},
}


def item_routes(engine: SearchEngine, limits: Limits) -> APIRouter:
    """Routes that show items of `engine`."""
    routes = APIRouter(tags=["items"])

    @routes.get("/items")
    def browse(page: Annotated[Page, Query()]) -> ItemsOut:
        """Items without a search, in a stable mixed order."""
        check_page(page, limits)
        items, total = engine.browse(page.where, limit=page.limit, offset=page.offset)
        more = page.offset + len(items) < total
        return ItemsOut(
            items=[ItemOut.of(item, engine.pixel_size) for item in items], total=total, more=more
        )

    @routes.get("/items/{item_id:path}")
    def item(item_id: str) -> ItemOut:
        """One item."""
        return ItemOut.of(engine.get([item_id])[0], engine.pixel_size)

    @routes.get("/similar/{item_id:path}")
    def similar(item_id: str, params: Annotated[SimilarParams, Query()]) -> SearchOut:
        """Items that look like this one; the item itself is left out."""
        check_page(params, limits)
        return SearchOut.of(
            engine.search(types.Query(item=item_id, **params.model_dump())), engine.pixel_size
        )

    @routes.get("/images/{item_id:path}", response_class=Response, responses=PICTURE)
    def image(request: Request, item_id: str, v: str = "") -> Response:
        """The item's picture as it was given; `v`, its version, makes the answer cacheable."""
        try:
            data, media_type = engine.image(item_id)
        except (NotFoundError, ImageError):
            raise _no_picture(item_id) from None
        return picture_response(request, data, media_type, versioned=bool(v))

    @routes.get("/thumbnails/{item_id:path}", response_class=Response, responses=PICTURE)
    def thumbnail(
        request: Request,
        item_id: str,
        side: Annotated[int, Query(ge=32, le=1024)] = 320,
        v: str = "",
    ) -> Response:
        """A JPEG of the item's picture, its longer side `side` pixels."""
        try:
            data = engine.thumbnail(item_id, side)
        except (NotFoundError, ImageError):
            raise _no_picture(item_id) from None
        return picture_response(request, data, "image/jpeg", versioned=bool(v))

    return routes


def check_page(page: Page, limits: Limits) -> None:
    """Refuse a page longer than the server gives."""
    if page.limit > limits.page:
        raise Refused(422, "invalid", f"limit: at most {limits.page} items a page", "limit")


def _no_picture(item_id: str) -> NotFoundError:
    # The engine's own message names files of the server.
    return NotFoundError(f"There is no readable picture of an item {item_id!r}.")
