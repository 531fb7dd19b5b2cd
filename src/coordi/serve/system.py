"""Routes about the service itself: health, readiness, limits, fields and figures."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, HTTPException

from coordi.serve.limits import Limits
from coordi.serve.ports import SearchEngine
from coordi.serve.wire import FacetOut, FacetsOut, LimitsOut, StatusOut


def system_routes(engine: SearchEngine, limits: Limits) -> APIRouter:
    """Routes about `engine` and the service around it."""
    routes = APIRouter(tags=["system"])

    @routes.get("/health")
    async def health() -> StatusOut:
        """The process is alive."""
        return StatusOut(status="ok")

    @routes.get("/ready")
    def ready() -> StatusOut:
        """A search can be answered now; 503 otherwise."""
        if not engine.ready():
            raise HTTPException(503, "Not ready to search yet.", {"retry-after": "2"})
        return StatusOut(status="ready")

    @routes.get("/limits")
    async def show_limits() -> LimitsOut:
        """How large a request may be."""
        return LimitsOut(**asdict(limits))

    @routes.get("/facets")
    def facets() -> FacetsOut:
        """The catalogue's fields, for filters."""
        return FacetsOut(facets=[FacetOut.of(facet) for facet in engine.facets()])

    @routes.get("/stats")
    def stats() -> dict[str, Any]:
        """Figures about the store."""
        return asdict(engine.stats())

    return routes
