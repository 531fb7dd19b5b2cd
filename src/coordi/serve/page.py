"""The web page: index.html at /, its modules and styles under /static."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "static"


class _Fresh(StaticFiles):
    """Static files that a browser keeps but asks about each time, so that an update shows."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "no-cache"
        return response


def add_page(app: FastAPI) -> None:
    """Serve the page from `app`."""

    @app.get("/", include_in_schema=False)
    async def index() -> FileResponse:
        return FileResponse(FOLDER / "index.html", headers={"cache-control": "no-cache"})

    @app.get("/favicon.ico", include_in_schema=False)
    async def favicon() -> FileResponse:
        return FileResponse(FOLDER / "icon.svg", headers={"cache-control": "max-age=86400"})

    app.mount("/static", _Fresh(directory=FOLDER), name="static")
