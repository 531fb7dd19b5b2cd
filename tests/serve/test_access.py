"""Host and Origin: who gets in, who does not, and what an allowed page is told."""

import pytest
from fastapi.testclient import TestClient

from coordi.errors import InputError
from coordi.serve import Access, create_app

from .fakes import FakeEngine

ACCESS = Access.of(["shop.example", "10.0.0.7"], ["https://shop.example", "http://localhost:5173"])


@pytest.fixture(scope="module")
def client():
    with TestClient(create_app(FakeEngine(), access=ACCESS)) as client:
        yield client


def ask(client, host="localhost:8000", address="/v1/limits", method="GET", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.request(method, address, headers={"host": host, **named})


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:9000",
        "127.0.0.1:8000",
        "[::1]:8000",
        "[::1]",
        "LOCALHOST",
        "shop.example",
        "Shop.Example:443",
        "10.0.0.7:8000",
        "testserver",
    ],
)
def test_hosts_that_the_service_goes_by(client, host):
    assert ask(client, host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "shop.example.evil.example",
        "10.0.0.8",
        "[::2]",
        "user@localhost",
        "localhost:80:80",
        "localhost/",
        "localhost:x",
        "",
        " ",
        "a b",
        "[::1",
        "127.0.0.1.nip.io",
        "localhost\\@evil",
        "xn--localhost",
        "0.0.0.0",
    ],
)
@pytest.mark.parametrize("address", ["/v1/limits", "/", "/static/app.js", "/openapi.json"])
def test_other_hosts_are_refused_everywhere(client, host, address):
    response = ask(client, host, address)
    assert (response.status_code, response.json()["error"]["code"]) == (421, "wrong_host")


def test_two_hosts_are_refused(client):
    headers = [("host", "localhost"), ("host", "evil.example")]
    assert client.get("/v1/limits", headers=headers).status_code == 421


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://localhost:8001",
        "http://127.0.0.1:8000",
        "https://shop.example.evil.example",
        "https://shop.example, https://evil.example",
        "x",
    ],
)
def test_pages_of_other_origins_are_refused(client, method, origin):
    preflight = {"access-control-request-method": "POST"} if method == "OPTIONS" else {}
    response = ask(client, method=method, address="/v1/search", origin=origin, **preflight)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden")
    assert "access-control-allow-origin" not in response.headers


def test_the_own_page_may_ask(client):
    for origin, host in (
        ("http://localhost:8000", "localhost:8000"),
        ("https://shop.example", "shop.example"),
        ("http://[::1]:8000", "[::1]:8000"),
    ):
        assert ask(client, host, origin=origin, sec_fetch_site="same-origin").status_code == 200


def test_an_allowed_page_may_ask_and_read(client):
    origin = "http://localhost:5173"
    response = ask(client, origin=origin, sec_fetch_site="same-site")
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == origin
    assert "x-coordi-token" in response.headers["access-control-expose-headers"]
    assert response.headers["vary"] == "origin"
    failure = ask(client, address="/v1/items/nobody", origin=origin)
    assert failure.status_code == 404
    assert failure.headers["access-control-allow-origin"] == origin


def test_an_allowed_page_gets_its_preflight_answered(client):
    wanted = {"access-control-request-method": "POST", "access-control-request-headers": "x"}
    response = ask(client, method="OPTIONS", origin="https://shop.example", **wanted)
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "https://shop.example"
    assert "POST" in response.headers["access-control-allow-methods"]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pictures_and_scripts_of_other_pages_are_refused(client, site):
    for mode in ("no-cors", "cors"):
        response = ask(client, sec_fetch_site=site, sec_fetch_mode=mode)
        assert response.status_code == 403
    assert ask(client, method="POST", sec_fetch_site=site).status_code == 403
    # A link that somebody follows is neither read nor embedded by the page that it stands on.
    assert ask(client, sec_fetch_site=site, sec_fetch_mode="navigate").status_code == 200
    assert ask(client, address="/", sec_fetch_site=site).status_code == 200


def test_an_allowed_page_may_show_pictures(client):
    shown = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}
    assert ask(client, referer="https://shop.example/bags", **shown).status_code == 200
    assert ask(client, referer="https://evil.example/bags", **shown).status_code == 403


@pytest.mark.parametrize("host", ["https://shop.example", "shop.example:80", "a/b", "", "a b"])
def test_what_is_no_host_cannot_be_allowed(host):
    with pytest.raises(InputError, match="no host name"):
        Access.of([host], [])


@pytest.mark.parametrize(
    "origin", ["shop.example", "*", "https://shop.example/page", "ftp://a", ""]
)
def test_what_is_no_origin_cannot_be_allowed(origin):
    with pytest.raises(InputError, match="no origin"):
        Access.of([], [origin])


def test_an_address_of_version_six_can_be_allowed():
    assert Access.of(["fe80::1"], []).hosts == {"fe80::1"}
    assert Access.of(["[fe80::1]"], []).hosts == {"fe80::1"}
