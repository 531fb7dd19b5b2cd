"""Routes over the fake engine: answers, the one error shape, limits and caching."""

import asyncio
import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import httpx
import pytest
from fastapi.testclient import TestClient

from coordi import errors
from coordi.serve import Limits, create_app
from coordi.serve.errors import TABLE
from coordi.types import ImageRef

from .fakes import FakeEngine, draw

JPEG = draw("dress", "red")


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def client(engine):
    with TestClient(create_app(engine, limits=Limits(upload_bytes=200_000))) as client:
        yield client


def error(response: httpx.Response) -> dict:
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "field"}
    assert "Traceback" not in response.text
    return body["error"]


def upload(client, data=JPEG, name="photo.jpg", **form):
    return client.post("/v1/search", files={"image": (name, data, "image/jpeg")}, data=form)


def test_words_find_what_they_name(client):
    answer = client.get("/v1/search", params={"text": " red dress ", "limit": 3}).json()
    assert answer["hits"][0]["item"]["title"] == "Red dress"
    assert answer["hits"][0]["score"] == pytest.approx(1.0)
    assert len(answer["hits"]) == 3
    assert answer["more"] is True


def test_filters_reach_the_engine(client, engine):
    where = "category = 'shirt' and price <= 75"
    answer = client.get("/v1/search", params={"text": "red", "where": where}).json()
    assert {hit["item"]["fields"]["category"] for hit in answer["hits"]} == {"shirt"}
    assert answer["filtered_out"] == answer["total"] - len(answer["hits"])
    assert engine.queries[-1].where == where


def test_a_photo_finds_its_garment_first(client):
    answer = upload(client, limit=2).json()
    assert answer["hits"][0]["item"]["title"] == "Red dress"


def test_parts_weights_and_box_reach_the_engine(client, engine):
    response = upload(
        client, text="dress", text_weight=0.25, image_weight=2, box="0,0.5,1,1", explain=True
    )
    assert response.status_code == 200
    query = engine.queries[-1]
    assert query.weights == {"image": 2.0, "text": 0.25}
    assert query.image.shape == (175, 240, 3)
    hit = response.json()["hits"][0]
    assert sum(hit["parts"].values()) == pytest.approx(hit["score"])


def test_similar_leaves_the_item_out(client, engine):
    ident = engine.items[3].id
    answer = client.get(f"/v1/similar/{quote(ident, safe='')}").json()
    assert ident not in [hit["item"]["id"] for hit in answer["hits"]]
    assert len(answer["hits"]) == len(engine.items) - 1


@pytest.mark.parametrize(
    "ident", ["a/b", "a b", "コーデ", "50%", "a?b#c", "x/image", "/lead", "tail/", "a+b", "q&a='\""]
)
def test_any_id_can_be_addressed(engine, ident):
    engine.items[0] = dataclasses.replace(engine.items[0], id=ident)
    with TestClient(create_app(engine)) as client:
        shown = client.get(f"/v1/items/{quote(ident, safe='')}").json()
        assert shown["id"] == ident
        assert (shown["width"], shown["height"]) == engine.pixel_size(engine.items[0])
        assert client.get(shown["image"]).content == engine.items[0].image.data
        assert client.get(shown["thumbnail"]).headers["content-type"] == "image/jpeg"


def test_browse_pages_cover_the_catalogue_once(client, engine):
    seen, offset = [], 0
    while True:
        page = client.get("/v1/items", params={"limit": 5, "offset": offset}).json()
        seen += [item["id"] for item in page["items"]]
        offset += 5
        if not page["more"]:
            break
    assert seen == [item.id for item in engine.items]
    assert page["total"] == len(seen)


def test_an_item_without_a_picture_says_so(client):
    assert client.get("/v1/items/plain").json()["image"] is None
    problem = error(client.get("/v1/images/plain"))
    assert problem["code"] == "not_found"
    assert "/secret" not in problem["message"]


def test_pictures_are_cached_by_content(client, engine):
    address = client.get("/v1/items", params={"limit": 1}).json()["items"][0]["thumbnail"]
    first = client.get(address)
    assert first.headers["cache-control"] == "public, max-age=31536000, immutable"
    again = client.get(address, headers={"if-none-match": f'"other", W/{first.headers["etag"]}'})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]
    other = client.get(address, headers={"if-none-match": '"other"'})
    assert other.status_code == 200
    assert "immutable" not in client.get(address.split("?")[0]).headers["cache-control"]


def test_a_changed_picture_has_another_address_and_etag(engine, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(JPEG)
    engine.items[0] = dataclasses.replace(engine.items[0], id="a", image=ImageRef(path=path))
    with TestClient(create_app(engine)) as client:
        before = client.get("/v1/items/a").json()["image"]
        old = client.get(before).headers["etag"]
        path.write_bytes(draw("shirt", "blue"))
        os.utime(path, (1, 1))
        after = client.get("/v1/items/a").json()["image"]
        assert after != before
        assert client.get(after).headers["etag"] != old


def test_head_answers_like_get_without_a_body(client):
    response = client.head("/v1/thumbnails/" + quote("コーデ-0"))
    assert response.status_code == 200
    assert response.content == b""
    assert response.headers["etag"]


def test_facets_limits_stats_health(client):
    facets = {facet["name"]: facet for facet in client.get("/v1/facets").json()["facets"]}
    assert facets["category"]["kind"] == "text"
    assert {"value": "dress", "count": 5} in facets["category"]["values"]
    assert facets["price"]["minimum"] == 19.0
    assert client.get("/v1/limits").json()["upload_bytes"] == 200_000
    assert client.get("/v1/stats").json()["items"] == 16
    assert client.get("/v1/health").json() == {"status": "ok"}


def test_readiness(engine):
    with TestClient(create_app(engine)) as client:
        assert client.get("/v1/ready").json() == {"status": "ready"}
        engine.is_ready = False
        response = client.get("/v1/ready")
        assert (response.status_code, error(response)["code"]) == (503, "not_ready")
        assert client.get("/v1/health").status_code == 200


@pytest.mark.parametrize(
    ("address", "status", "code", "field"),
    [
        ("/v1/nothing", 404, "not_found", None),
        ("/v1/items/nobody", 404, "not_found", None),
        ("/v1/images/nobody", 404, "not_found", None),
        ("/static/nothing.js", 404, "not_found", None),
        ("/v1/search", 400, "bad_query", None),
        ("/v1/search?text=%20", 400, "bad_query", None),
        ("/v1/search?item=nobody", 404, "not_found", None),
        ("/v1/search?text=a&limit=0", 422, "invalid", "limit"),
        ("/v1/search?text=a&limit=101", 422, "invalid", "limit"),
        ("/v1/search?text=a&limit=x", 422, "invalid", "limit"),
        ("/v1/search?text=a&offset=-1", 422, "invalid", "offset"),
        ("/v1/search?text=a&min_score=nan", 422, "invalid", "min_score"),
        ("/v1/search?text=a&text_weight=inf", 422, "invalid", "text_weight"),
        ("/v1/search?text=a&wehre=b", 422, "invalid", "wehre"),
        ("/v1/search?text=a&where=)", 400, "bad_filter", "where"),
        ("/v1/search?text=a&where=nofield=1", 400, "bad_filter", "where"),
        ("/v1/thumbnails/plain?side=5000", 422, "invalid", "side"),
    ],
)
def test_refusals_have_the_one_shape(client, address, status, code, field):
    response = client.get(address)
    problem = error(response)
    assert (response.status_code, problem["code"], problem["field"]) == (status, code, field)


def test_a_wrong_method(client):
    response = client.put("/v1/search")
    assert (response.status_code, error(response)["code"]) == (405, "method_not_allowed")
    assert "GET" in response.headers["allow"]


@pytest.mark.parametrize(
    ("form", "status", "code", "field"),
    [
        ({"box": "1,2"}, 422, "invalid", "box"),
        ({"box": "0,0,0,1"}, 422, "invalid", "box"),
        ({"box": "nan,0,1,1"}, 422, "invalid", "box"),
        ({"limit": "x"}, 422, "invalid", "limit"),
        ({"colour": "red"}, 422, "invalid", "colour"),
    ],
)
def test_a_bad_form_names_the_field(client, form, status, code, field):
    response = upload(client, **form)
    problem = error(response)
    assert (response.status_code, problem["code"], problem["field"]) == (status, code, field)


@pytest.mark.parametrize("data", [b"", b"just some text", JPEG[:400]])
def test_what_is_no_picture_is_refused(client, data):
    response = upload(client, data)
    assert (response.status_code, error(response)["code"]) == (422, "bad_image")


def test_a_body_that_is_no_form_is_refused(client):
    response = client.post("/v1/search", json={"text": "red"})
    assert (response.status_code, error(response)["code"]) == (415, "unsupported_media_type")


def test_a_form_with_words_alone_is_a_search(client):
    answer = client.post("/v1/search", data={"text": "blue shirt"}).json()
    assert answer["hits"][0]["item"]["title"] == "Blue shirt"


def test_too_many_bytes(client):
    response = upload(client, b"x" * 200_001)
    assert (response.status_code, error(response)["code"]) == (413, "too_large")
    response = upload(client, b"x" * 2_000_000)
    assert (response.status_code, error(response)["code"]) == (413, "too_large")


def test_too_many_pixels(engine):
    with TestClient(create_app(engine, limits=Limits(upload_pixels=1000))) as client:
        response = upload(client)
        assert (response.status_code, error(response)["code"]) == (422, "bad_image")


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (errors.FingerprintError("other"), 409, "encoder_mismatch"),
        (errors.EncoderError("no words"), 422, "encoder"),
        (errors.StoreLockedError("/secret"), 503, "busy"),
        (errors.StoreError("/secret"), 503, "store"),
        (errors.MissingExtraError("x", "/secret"), 500, "internal"),
        (errors.RecipeError("bad"), 400, "bad_input"),
        (ZeroDivisionError("/secret"), 500, "internal"),
    ],
)
def test_engine_failures(engine, failure, status, code, caplog):
    engine.failure = failure
    with TestClient(create_app(engine)) as client:
        response = client.get("/v1/search?text=a")
    assert (response.status_code, error(response)["code"]) == (status, code)
    assert "/secret" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"
    assert bool(caplog.records) == (status >= 500)


def test_every_error_class_has_a_status():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    for kind in kinds:
        if issubclass(kind, errors.CoordiError):
            assert any(base in TABLE for base in kind.__mro__)


def test_security_headers_and_no_other_origin(client):
    response = client.get("/", headers={"origin": "https://elsewhere.example"})
    assert "default-src 'self'" in response.headers["content-security-policy"]
    assert "access-control-allow-origin" not in response.headers


def test_openapi_describes_forms_and_errors(client):
    schema = client.get("/openapi.json").json()
    form = schema["paths"]["/v1/search"]["post"]
    assert "multipart/form-data" in form["requestBody"]["content"]
    assert "4XX" in form["responses"]
    names = [
        operation["operationId"] for path in schema["paths"].values() for operation in path.values()
    ]
    assert len(names) == len(set(names))


def form_scope(length: int | None) -> dict:
    headers = [(b"content-type", b"multipart/form-data; boundary=b")]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    return {
        "type": "http",
        "method": "POST",
        "path": "/v1/search",
        "raw_path": b"/v1/search",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
        "scheme": "http",
        "http_version": "1.1",
    }


def drive(app, messages, length=None):
    """Feed ASGI messages to the app; what it sent, and how many it read."""
    sent, read = [], 0

    async def receive():
        nonlocal read
        read += 1
        return messages[read - 1]

    async def send(message):
        sent.append(message)

    # In a thread of its own: Playwright keeps a loop running in the main one.
    with ThreadPoolExecutor() as threads:
        threads.submit(asyncio.run, app(form_scope(length), receive, send)).result()
    return sent, read


def test_reading_stops_at_the_limit(engine):
    app = create_app(engine, limits=Limits(upload_bytes=1_000_000))
    chunk = {"type": "http.request", "body": b"x" * 100_000, "more_body": True}
    sent, read = drive(app, [chunk] * 1000)
    assert sent[0]["status"] == 413
    assert read == 11
    sent, read = drive(app, [chunk] * 1000, length=99_000_000)
    assert sent[0]["status"] == 413
    assert read == 0


def test_an_upload_cut_off_midway_leaves_nothing(engine, caplog):
    app = create_app(engine)
    start = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n' + JPEG
    messages = [
        {"type": "http.request", "body": start, "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent, _ = drive(app, messages, length=len(start) * 3)
    assert sent == []
    assert engine.queries == []
    assert caplog.records == []
