"""The application: routes, limits, access, errors and the page put together around one engine."""

from fastapi import FastAPI

from coordi.serve.access import Access, Door
from coordi.serve.errors import add_error_handlers
from coordi.serve.find import find_routes
from coordi.serve.guard import Guard
from coordi.serve.items import item_routes
from coordi.serve.lanes import Lanes
from coordi.serve.limits import BodyLimit, Limits
from coordi.serve.page import add_page
from coordi.serve.ports import SearchEngine
from coordi.serve.queries import Shelf, query_routes
from coordi.serve.readiness import Readiness
from coordi.serve.search import search_routes
from coordi.serve.system import system_routes
from coordi.serve.wire import ERRORS
from coordi.version import __version__


def create_app(
    engine: SearchEngine, *, limits: Limits | None = None, access: Access | None = None
) -> FastAPI:
    """The service over `engine`: /v1, /openapi.json and the page at /.

    It only reads: there is no route that changes the store. `access` says by which names it goes
    besides localhost, and which other pages may ask it; none by default.
    """
    limits = limits or Limits()
    lanes, readiness, shelf = Lanes(limits), Readiness(engine), Shelf(limits)
    # Swagger's and ReDoc's pages load their scripts from another host, so they stay off.
    app = FastAPI(
        title="coordi",
        summary="Fashion search over one catalogue: by photo, by words, by both.",
        version=__version__,
        docs_url=None,
        redoc_url=None,
    )
    for routes in (  # looked through in this order: what is asked most comes first
        search_routes(engine, limits, lanes, shelf),
        find_routes(engine, limits, lanes),
        query_routes(engine, limits, lanes, shelf),
        item_routes(engine, limits, lanes),
        system_routes(engine, limits, lanes, readiness),
    ):
        app.include_router(routes, prefix="/v1", responses=ERRORS)
    add_page(app)
    add_error_handlers(app, readiness.broken)
    app.add_middleware(BodyLimit, limits=limits)
    app.add_middleware(Door, access=access or Access())
    app.add_middleware(Guard, broken=readiness.broken)
    return app
