"""Routes about the service itself: health, readiness, limits, fields and figures."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from coordi.serve.answering import answer
from coordi.serve.asking import FacetParams, asked, described, joined, parts
from coordi.serve.errors import RETRY_SECONDS
from coordi.serve.lanes import Lanes
from coordi.serve.limits import Limits
from coordi.serve.ports import SearchEngine
from coordi.serve.readiness import Readiness
from coordi.serve.wire import (
    FacetsOut,
    LimitsOut,
    ReadyOut,
    StatsOut,
    StatusOut,
    facet_out,
    shown_name,
)
from coordi.types import Query


def system_routes(
    engine: SearchEngine, limits: Limits, lanes: Lanes, readiness: Readiness
) -> APIRouter:
    """Routes about `engine` and the service around it."""
    routes = APIRouter(tags=["system"])

    @routes.get("/health")
    async def health() -> StatusOut:
        """The process is alive."""
        return StatusOut(status="ok")

    @routes.get("/ready")
    async def ready() -> ReadyOut:
        """A search can be answered now; 503 otherwise, with the reason."""
        seen = await readiness.now()
        if seen.word != "ready":
            raise HTTPException(
                503, f"{seen.word}: {seen.sentence}", {"retry-after": RETRY_SECONDS}
            )
        return ReadyOut(
            status=seen.word,
            message=seen.sentence,
            token=seen.token,
            without_vector=dict(seen.without_vector),
        )

    @routes.get("/limits")
    async def show_limits() -> LimitsOut:
        """How large a request may be."""
        return LimitsOut(
            upload_bytes=limits.upload_bytes, upload_pixels=limits.upload_pixels, page=limits.page
        )

    @routes.get("/facets", response_model=FacetsOut, openapi_extra=described(FacetParams))
    async def facets(request: Request) -> Response:
        """The catalogue's fields, for filters, counted over what passes the filters there are."""
        params = asked(request, FacetParams)
        query = scored(params)

        def make() -> FacetsOut:
            view = engine.view()
            found = view.facets(
                joined(params.where),
                query=query,
                field=params.field,
                contains=params.contains or None,
                limit=params.limit,
                offset=params.offset,
            )
            return {"facets": [facet_out(facet) for facet in found], "token": view.token}

        return await answer(lanes.reads if query is None else lanes.searches, make)

    @routes.get("/stats", response_model=StatsOut)
    async def stats() -> Response:
        """Figures about the store."""

        return await answer(lanes.reads, lambda: _public(asdict(engine.stats())))

    return routes


def scored(params: FacetParams) -> Query | None:
    """The query that narrows what is counted; None where it would leave out nothing."""
    if params.min_score is None and not params.item:
        return None
    return Query(**parts(params), min_score=params.min_score)


def _public(stats: dict[str, Any]) -> dict[str, Any]:
    """The figures without folders of the server: roots, and names of encoders that are folders."""
    encoders = [{**entry, "name": shown_name(entry["name"])} for entry in stats["encoders"]]
    return {name: value for name, value in stats.items() if name != "roots"} | {
        "encoders": encoders
    }
