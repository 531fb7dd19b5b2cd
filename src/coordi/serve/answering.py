"""From an engine call to an answer: made and encoded in one thread, under one commit's token."""

from collections.abc import Callable

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel

from coordi.serve.errors import Refused
from coordi.serve.lanes import Lane

TOKEN = "x-coordi-token"

REPEATABLE = frozenset({"where"})
"""Parameters of which several mean something."""


async def answer(lane: Lane, make: Callable[[], BaseModel]) -> Response:
    """What `make` makes, as JSON; everything that may block happens in the lane's thread."""

    def work() -> Response:
        made = make()
        headers = {TOKEN: made.token} if hasattr(made, "token") else {}
        return Response(made.model_dump_json(), media_type="application/json", headers=headers)

    return await lane.run(work)


async def once(request: Request) -> None:
    """Refuse a parameter that is given twice: none of the two would be the right one to follow."""
    form = request.method == "POST"
    if form and request.query_params:
        name = next(iter(request.query_params))
        raise Refused(422, "invalid", f"{name}: give it in the form, not in the address", name)
    seen = set()
    for name, _ in (await request.form() if form else request.query_params).multi_items():
        if name in seen and name not in REPEATABLE:
            raise Refused(422, "invalid", f"{name[:100]}: given more than once", name[:100])
        seen.add(name)
