"""A real server on a free port, and Chromium pages that may only talk to it."""

import os
import shutil
import threading
import time
from contextlib import contextmanager

import pytest

from coordi.serve import Limits, create_app, listen, make_server

from .fakes import FakeEngine

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

PATIENCE = 30_000
"""Milliseconds; only a test that fails, or a very busy machine, waits as long."""


@contextmanager
def serving(engine, limits=None, access=None):
    """The address of a server over `engine`."""
    limits = limits or Limits(upload_bytes=300_000)
    listener = listen("127.0.0.1", 0)
    server = make_server(create_app(engine, limits=limits, access=access), limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None and "CI" not in os.environ:
        pytest.skip("Chromium is not installed; put `chromium` on PATH or set CHROMIUM")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shop():
    """One server and its engine for all tests of the page; tests leave it as they found it."""
    engine = FakeEngine()
    with serving(engine) as address:
        yield engine, address


@pytest.fixture
def engine(shop):
    engine, _ = shop
    yield engine
    engine.failure = engine.match = None
    engine.notes, engine.without_vector = (), 0
    for told in (engine.queries, engine.rails, engine.facets_asked):
        told.clear()


@pytest.fixture
def page(request, browser, shop, engine):
    """A page at the shop; fails where anything was logged as an error or asked elsewhere."""
    width, height = getattr(request, "param", (1280, 900))
    context = browser.new_context(
        viewport={"width": width, "height": height}, has_touch=width < 500, base_url=shop[1]
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    asked, logged = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: logged.append(message.text) if is_bad(message) else None)
    page.on("pageerror", lambda error: logged.append(str(error)))
    yield page
    context.close()
    assert asked
    assert [url for url in asked if not url.startswith((shop[1], "blob:", "data:"))] == []
    assert logged == []


def is_bad(message) -> bool:
    # Chromium logs every answer of 400 and above by itself; tests of errors ask for such.
    return message.type in ("error", "warning") and "Failed to load resource" not in message.text
