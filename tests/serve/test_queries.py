"""POST /v1/queries: photos kept for a while, searched with and shown by an id."""

import io

import pytest
from fastapi.testclient import TestClient
from PIL import Image as Pillow

from coordi.serve import Limits, create_app
from coordi.serve.errors import Refused
from coordi.serve.queries import SIDE, Shelf

from .fakes import FakeEngine, draw

JPEG = draw("dress", "red")


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def client(engine):
    with TestClient(create_app(engine, limits=Limits(upload_bytes=200_000, kept=3))) as client:
        yield client


def keep(client, data=JPEG, **form):
    return client.post("/v1/queries", files={"image": ("a.jpg", data, "image/jpeg")}, data=form)


def test_a_photo_is_searched_with_by_its_id(client, engine):
    answer = keep(client, box="0,0.5,1,1", garment="dress")
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    body = answer.json()
    assert sorted(body) == ["expires", "id"]
    assert body["expires"].endswith("+00:00")
    found = client.get("/v1/search", params={"query": body["id"], "limit": 1})
    assert found.json()["hits"][0]["item"]["fields"]["color"] == "red"
    asked = engine.queries[-1]
    assert (asked.image.shape, asked.garment) == ((175, 240, 3), "dress")


def test_the_address_goes_before_what_was_kept(client, engine):
    id = keep(client, garment="dress").json()["id"]
    client.get("/v1/search", params={"query": id, "box": "0,0,0.5,1", "text": "red"})
    asked = engine.queries[-1]
    assert (asked.image.shape, asked.garment, asked.text) == ((350, 120, 3), None, "red")
    assert dict(asked.weights) == {"image": 1.0, "text": 1.0}


def test_it_is_shown_small_and_without_what_the_file_told(client):
    picture = Pillow.new("RGB", (3000, 1200), (190, 40, 50))
    exif = Pillow.Exif()
    exif[0x010F] = "Camera of somebody"
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=exif)
    shown = client.get(f"/v1/queries/{keep(client, out.getvalue()).json()['id']}/image")
    assert shown.status_code == 200
    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.headers["cache-control"] == "no-store"
    again = Pillow.open(io.BytesIO(shown.content))
    assert max(again.size) <= SIDE
    assert not again.getexif()
    assert b"somebody" not in shown.content


def test_other_pages_may_not_show_it(client):
    address = f"/v1/queries/{keep(client).json()['id']}/image"
    assert client.get(address, headers={"sec-fetch-site": "cross-site"}).status_code == 403


def error(answer):
    body = answer.json()["error"]
    return answer.status_code, body["code"], body["field"]


def test_one_that_is_gone_says_so(client):
    first, *_ = [keep(client).json()["id"] for _ in range(4)]
    answer = client.get("/v1/search", params={"query": first})
    assert error(answer) == (410, "gone", "query")
    assert "60 minutes" in answer.json()["error"]["message"]
    assert error(client.get(f"/v1/queries/{first}/image")) == (410, "gone", "query")
    assert error(client.get("/v1/queries/nope/image")) == (410, "gone", "query")


@pytest.mark.parametrize(
    ("params", "status", "code", "field"),
    [
        ({"query": "nope"}, 422, "invalid", "query"),
        ({"query": "a" * 21 + "/"}, 422, "invalid", "query"),
        ({"box": "0,0,1,1", "text": "red"}, 422, "invalid", None),
        ({"query": "a" * 22, "box": "0,0,2,1"}, 422, "invalid", "box"),
    ],
)
def test_what_is_wrong_with_a_search_is_said(client, params, status, code, field):
    assert error(client.get("/v1/search", params=params)) == (status, code, field)


def test_what_is_no_picture_is_not_kept(client):
    assert error(keep(client, b"text")) == (422, "bad_image", "image")
    assert error(keep(client, b"x" * 200_001)) == (413, "too_large", "image")
    assert error(keep(client, box="0,0,2,1")) == (422, "invalid", "box")
    assert error(client.post("/v1/queries", data={"box": "0,0,1,1"})) == (400, "bad_query", None)


def test_the_shelf_is_bounded_by_number_bytes_and_time():
    now = [0.0]
    shelf = Shelf(Limits(kept=3, kept_bytes=100, kept_seconds=60), lambda: now[0])
    first, second, third = (shelf.keep(b"x" * 20, None, None) for _ in range(3))
    shelf.get(first)  # now the second is the longest unused
    fourth = shelf.keep(b"x" * 20, None, None)
    assert (len(shelf), shelf.held) == (3, 60)
    with pytest.raises(Refused):
        shelf.get(second)
    large = shelf.keep(b"x" * 70, None, None)
    assert (len(shelf), shelf.held) == (2, 90)
    assert shelf.get(large).data
    assert shelf.get(fourth).data
    for gone in (first, third):
        with pytest.raises(Refused):
            shelf.get(gone)
    now[0] = 61.0
    with pytest.raises(Refused):
        shelf.get(large)
    shelf.keep(b"x", None, None)
    assert (len(shelf), shelf.held) == (1, 1)
    shelf.keep(b"x" * 101, None, None)
    assert (len(shelf), shelf.held) == (0, 0)


def test_ids_are_long_and_never_the_same():
    shelf = Shelf(Limits())
    ids = {shelf.keep(b"", None, None) for _ in range(200)}
    assert len(ids) == 200
    assert {len(id) for id in ids} == {22}
