"""The application: routes, limits, errors and the page put together around one engine."""

from importlib.metadata import version

from fastapi import FastAPI

from coordi.serve.errors import add_error_handlers
from coordi.serve.guard import Guard
from coordi.serve.items import item_routes
from coordi.serve.limits import BodyLimit, Limits
from coordi.serve.page import add_page
from coordi.serve.ports import SearchEngine
from coordi.serve.search import search_routes
from coordi.serve.system import system_routes
from coordi.serve.wire import ERRORS


def create_app(engine: SearchEngine, *, limits: Limits | None = None) -> FastAPI:
    """The service over `engine`: /v1, /openapi.json and the page at /.

    It only reads. There is no route that changes the store, and none for other origins.
    """
    limits = limits or Limits()
    # Swagger's and ReDoc's pages load their scripts from another host, so they stay off.
    app = FastAPI(
        title="coordi",
        summary="Fashion search over one catalogue: by photo, by words, by both.",
        version=version("coordi"),
        docs_url=None,
        redoc_url=None,
    )
    for routes in (system_routes, search_routes, item_routes):
        app.include_router(routes(engine, limits), prefix="/v1", responses=ERRORS)
    add_page(app)
    add_error_handlers(app)
    app.add_middleware(BodyLimit, limits=limits)
    app.add_middleware(Guard)
    return app
