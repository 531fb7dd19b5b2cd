"""Routes over the fake engine: answers, the one error shape, limits and caching."""

import asyncio
import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import httpx
import pytest
from fastapi.testclient import TestClient
from PIL import Image as Pillow

from coordi import errors
from coordi.serve import Limits, create_app
from coordi.serve.errors import TABLE
from coordi.types import ImageRef, PictureInfo

from .fakes import FakeEngine, FakeView, draw

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
    "ident",
    [
        "a/b",
        "a b",
        "コーデ",
        "50%",
        "a?b#c",
        "x/image",
        "/lead",
        "tail/",
        "a+b",
        "q&a='\"",
        ".",
        "..",
        "../up",
        "./x",
        "two\nlines",
        "cr\r\n",
        "\ttab",
        "\x00",
        "é",
        "é",
        "👗",
    ],
)
def test_any_id_can_be_addressed(engine, ident):
    engine.items[0] = dataclasses.replace(engine.items[0], id=ident)
    with TestClient(create_app(engine)) as client:
        shown = client.get("/v1/items/", params={"id": ident}).json()
        if ident not in (".", ".."):
            assert client.get(f"/v1/items/{quote(ident, safe='')}").json() == {
                **shown,
                "token": "commit-2",
            }
        assert shown["id"] == ident
        assert (shown["width"], shown["height"]) == engine.view().picture_info(engine.items[0]).size
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
        seen = client.get("/v1/ready").json()
        assert (seen["status"], seen["without_vector"]) == ("ready", {"fake": 0})
        assert seen["token"]


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
        ("/v1/search?text=a&text=b", 422, "invalid", "text"),
        ("/v1/search?item=a&item=b", 422, "invalid", "item"),
        ("/v1/search?text=a&limit=1&limit=2", 422, "invalid", "limit"),
        ("/v1/items?offset=1&offset=2", 422, "invalid", "offset"),
        ("/v1/thumbnails/plain?v=1&v=2", 422, "invalid", "v"),
        ("/v1/items/plain?where=a", 422, "invalid", "where"),
        ("/v1/items/plain?id=other", 422, "invalid", "id"),
        ("/v1/images/plain?n=-1", 422, "invalid", "n"),
        ("/v1/search?text=a&collapse=0", 422, "invalid", "collapse"),
        ("/v1/search?text=a&collapse=-0.5", 422, "invalid", "collapse"),
        (f"/v1/search?text=a&limit={'9' * 5000}", 422, "invalid", "limit"),
        (f"/v1/search?text=a&offset=-{'9' * 5000}", 422, "invalid", "offset"),
        (f"/v1/search?text=a&rerank={10**40}", 422, "invalid", "rerank"),
        ("/v1/search?text=a&min_score=1e999", 422, "invalid", "min_score"),
        ("/v1/search?text=a&collapse=inf", 422, "invalid", "collapse"),
        ("/v1/search?text=a&item_weight=-inf", 422, "invalid", "item_weight"),
    ],
)
def test_refusals_have_the_one_shape(client, address, status, code, field):
    response = client.get(address)
    problem = error(response)
    assert (response.status_code, problem["code"], problem["field"]) == (status, code, field)


def test_a_missing_item_is_named(client):
    for address in ("/v1/items/no%0Abody", "/v1/items/?id=no%0Abody", "/v1/search?item=no%0Abody"):
        assert "'no\\nbody'" in error(client.get(address))["message"]


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
        ({"text": ["red", "blue"]}, 422, "invalid", "text"),
        ({"limit": ["1", "2"]}, 422, "invalid", "limit"),
        ({"box": "0,0,1,inf"}, 422, "invalid", "box"),
        ({"box": f"0,0,1,{'9' * 5000}"}, 422, "invalid", "box"),
        ({"image_weight": "1e400"}, 422, "invalid", "image_weight"),
    ],
)
def test_a_bad_form_names_the_field(client, form, status, code, field):
    response = upload(client, **form)
    problem = error(response)
    assert (response.status_code, problem["code"], problem["field"]) == (status, code, field)


def test_several_filters_hold_together(client, engine):
    wheres = [("text", "a"), ("where", "category = 'shirt'"), ("where", " "), ("where", "sale")]
    client.get("/v1/search", params=wheres)
    assert engine.queries[-1].where == "(category = 'shirt') and (sale)"
    items = [("where", "category = 'shirt'"), ("where", "price > 1")]
    assert client.get("/v1/items", params=items).status_code in (200, 400)
    upload(client, where=["category = 'dress'", "price >= 20"])
    assert engine.queries[-1].where == "(category = 'dress') and (price >= 20)"


def test_parameters_of_a_form_do_not_hide_in_the_address(client):
    files = {"image": ("a.jpg", JPEG, "image/jpeg")}
    response = client.post("/v1/search?where=sale", files=files)
    assert (response.status_code, error(response)["field"]) == (422, "where")


def test_two_pictures_are_refused(client):
    files = [("image", ("a.jpg", JPEG, "image/jpeg"))] * 2
    response = client.post("/v1/search", files=files)
    assert (response.status_code, error(response)["field"]) == (422, "image")


def test_a_picture_that_is_no_file_is_explained(client):
    response = client.post("/v1/search", data={"image": "https://shop.example/a.jpg"})
    problem = error(response)
    assert (response.status_code, problem["field"]) == (422, "image")
    assert "-F image=@photo.jpg" in problem["message"]
    assert "UploadFile" not in problem["message"]


def test_every_answer_is_of_one_view_and_says_which(engine):
    some = quote(engine.items[1].id, safe="")
    addresses = [
        "/v1/search?text=red",
        "/v1/items",
        f"/v1/items/{some}",
        f"/v1/similar/{some}",
        f"/v1/images/{some}",
        f"/v1/thumbnails/{some}",
        "/v1/facets",
        "/v1/stats",
    ]
    with TestClient(create_app(engine)) as client:
        for number, address in enumerate(addresses, 1):
            response = client.get(address)
            assert response.headers["x-coordi-token"] == f"commit-{number}", address
            if "image/" not in response.headers["content-type"]:
                assert response.json()["token"] == f"commit-{number}", address
    assert engine.views == len(addresses)


def test_notes_and_items_without_a_vector_are_said(client, engine):
    engine.notes, engine.without_vector = ("“xyz” is not known",), 3
    answer = client.get("/v1/search?text=xyz").json()
    assert (answer["notes"], answer["without_vector"]) == (["“xyz” is not known"], 3)
    assert client.get("/v1/ready").json()["without_vector"] == {"fake": 3}


def test_further_pictures_have_addresses(engine):
    back = draw("shirt", "blue")
    engine.items[0] = dataclasses.replace(engine.items[0], more=(ImageRef(data=back),))
    with TestClient(create_app(engine)) as client:
        shown = client.get("/v1/items?limit=1").json()["items"][0]
        assert len(shown["more"]) == 1
        assert client.get(shown["more"][0]["image"]).content == back
        thumbnail = client.get(shown["more"][0]["thumbnail"])
        assert thumbnail.headers["content-type"] == "image/jpeg"
        assert "immutable" in thumbnail.headers["cache-control"]
        response = client.get(shown["more"][0]["image"].replace("n=1", "n=2"))
        assert (response.status_code, error(response)["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "failure", [OSError("/secret"), ValueError("/secret"), Pillow.DecompressionBombError("x")]
)
def test_one_bad_picture_is_a_placeholder_in_a_list(engine, failure, monkeypatch):
    broken = engine.items[2].id

    def info(self, item):
        if item.id == broken:
            raise failure
        return PictureInfo("", (10, 20))

    monkeypatch.setattr(FakeView, "picture_info", info)
    with TestClient(create_app(engine)) as client:
        for items in (
            client.get("/v1/items").json()["items"],
            [hit["item"] for hit in client.get("/v1/search?text=red").json()["hits"]],
        ):
            sizes = {item["id"]: (item["width"], item["height"]) for item in items}
            assert sizes.pop(broken) == (None, None)
            assert set(sizes.values()) == {(10, 20)}


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
        (errors.FingerprintError("/secret"), 409, "encoder_mismatch"),
        (errors.EncoderError("/secret knows no words"), 422, "encoder"),
        (errors.StoreLockedError("/secret"), 503, "busy"),
        (errors.StoreError("/secret"), 503, "store"),
        (errors.StoreDamagedError("/secret"), 503, "store"),
        (errors.BusyError("/secret"), 503, "busy"),
        (errors.NotFoundError("the table is gone: /secret"), 404, "not_found"),
        (errors.ImageError("cannot read /secret/a.jpg"), 422, "bad_image"),
        (errors.UnknownNameError("encoder", "/secret", []), 400, "bad_input"),
        (errors.MissingExtraError("x", "/secret"), 500, "internal"),
        (errors.RecipeError("/secret"), 400, "bad_input"),
        (FileNotFoundError(2, "gone", "/secret"), 503, "store"),
        (PermissionError("/secret"), 503, "store"),
        (OSError("lance error: /secret"), 503, "store"),
        (MemoryError("/secret"), 503, "busy"),
        (RuntimeError("lance error: /secret"), 500, "internal"),
        (RecursionError("/secret"), 500, "internal"),
        (ZeroDivisionError("/secret"), 500, "internal"),
    ],
)
@pytest.mark.parametrize("address", ["/v1/search?text=a", "/v1/items", "/v1/facets"])
def test_engine_failures(engine, failure, status, code, address, caplog):
    engine.failure = failure
    with TestClient(create_app(engine)) as client:
        response = client.get(address)
    assert (response.status_code, error(response)["code"]) == (status, code)
    assert "/secret" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"
    assert bool(caplog.records) == (status >= 500)


@pytest.mark.parametrize("word", ["gone", "damaged", "unreadable", "warming"])
def test_a_store_that_cannot_be_read_is_said(engine, word, caplog):
    with TestClient(create_app(engine)) as client:
        engine.word = word
        response = client.get("/v1/ready")
        problem = error(response)
        assert (response.status_code, problem["code"]) == (503, "not_ready")
        assert problem["message"].startswith(f"{word}: ")
        assert response.headers["retry-after"]
        assert client.get("/v1/health").status_code == 200
        assert "/secret" not in response.text


@pytest.mark.parametrize(
    "failure", [errors.NotFoundError("table gone: /secret"), RuntimeError("lance: /secret")]
)
def test_what_fails_for_want_of_a_store_is_no_fault_of_the_request(engine, failure, caplog):
    engine.failure, engine.word = failure, "gone"
    with TestClient(create_app(engine)) as client:
        response = client.get("/v1/search?text=a")
    assert (response.status_code, error(response)["code"]) == (503, "store")
    assert response.headers["retry-after"]


def test_no_answer_names_a_folder_of_the_server(client, engine):
    for address in ("/v1/search?text=red", "/v1/stats", "/v1/ready", "/v1/items/nobody"):
        assert "/secret" not in client.get(address).text
    assert client.get("/v1/search?text=red").json()["encoder"] == "fake"


def test_pictures_that_fail_are_not_found_rather_than_a_fault(client, engine, caplog):
    some = quote(engine.items[1].id, safe="")
    for failure in (errors.ImageError("/secret"), OSError("/secret")):
        engine.failure = failure
        for kind in ("images", "thumbnails"):
            response = client.get(f"/v1/{kind}/{some}")
            assert (response.status_code, error(response)["code"]) == (404, "not_found")
            assert "/secret" not in response.text


def test_every_error_class_has_a_status():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    for kind in kinds:
        if issubclass(kind, errors.CoordiError):
            assert any(base in TABLE for base in kind.__mro__)


def test_security_headers_also_where_an_answer_is_refused(client):
    response = client.get("/", headers={"origin": "https://elsewhere.example"})
    assert response.status_code == 403
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
    headers = [(b"host", b"test"), (b"content-type", b"multipart/form-data; boundary=b")]
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


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--b--"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"\x00" * 50),
        ("multipart/form-data; boundary=" + "b" * 300, b"--b--"),
        ("application/x-www-form-urlencoded", b"text=%ff&text"),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(500))),
    ],
)
def test_a_broken_form_is_refused(client, kind, body):
    response = client.post("/v1/search", content=body, headers={"content-type": kind})
    assert response.status_code in (400, 422)
    assert error(response)["code"] in ("bad_request", "bad_query", "invalid")
