"""From an engine call to an answer: made and encoded in one thread, under one commit's token."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi.responses import Response
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
