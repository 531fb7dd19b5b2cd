"""From a request to an answer: made and encoded in one thread, under one commit's token."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic_core import to_json

from coordi.serve.lanes import Lane

TOKEN = "x-coordi-token"


async def answer(lane: Lane, make: Callable[[], Mapping[str, Any]]) -> Response:
    """What `make` makes, as JSON; everything that may block happens in the lane's thread."""

    def work() -> Response:
        made = make()
        data = to_json(made, inf_nan_mode="null")
        return Response(data, media_type="application/json", headers={TOKEN: made["token"]})

    return await lane.run(work)


class DirectRoute(APIRoute):
    """A route whose endpoint takes a request, with the parts of its path, and gives a `Response`.

    FastAPI documents it as any other, but does not look for a body, parameters and dependencies
    that such an endpoint does not declare.
    """

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The endpoint itself."""
        endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            response: Response = await endpoint(request, **request.path_params)
            return response

        return handle
