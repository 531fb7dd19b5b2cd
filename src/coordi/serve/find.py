"""The route that finds the garments of a picture."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from coordi.errors import QueryError
from coordi.serve.answering import DirectRoute, answer
from coordi.serve.asking import FindForm, asked_in_form, described_form
from coordi.serve.lanes import Lanes
from coordi.serve.limits import Limits
from coordi.serve.ports import SearchEngine
from coordi.serve.search import picture
from coordi.serve.uploads import check_size
from coordi.serve.wire import FindOut, garments_out


def find_routes(engine: SearchEngine, limits: Limits, lanes: Lanes) -> APIRouter:
    """The route that asks `engine` for garments."""
    routes = APIRouter(tags=["find"], route_class=DirectRoute)

    @routes.post("/find", response_model=FindOut, openapi_extra=described_form(FindForm))
    async def find(request: Request) -> Response:
        """Find the garments of a picture: what each is, where, and how certain that is."""
        form = await asked_in_form(request, FindForm)
        check_size(form, limits)

        def make() -> FindOut:
            image = picture(form, engine, limits, garments=True)
            if image is None:
                raise QueryError("Give a picture (image).")
            garments = engine.find(image)
            return {
                "garments": garments_out(garments, engine.best(garments)),
                "width": image.shape[1],
                "height": image.shape[0],
                "token": engine.view().token,
            }

        return await answer(lanes.photos, make)

    return routes
