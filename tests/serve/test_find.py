"""POST /v1/find, and searches by one garment of a picture, over the fake engine."""

import numpy as np
import pytest
from fastapi.testclient import TestClient

from coordi.serve import Limits, create_app
from coordi.types import Garment

from .fakes import FakeEngine, draw

JPEG = draw("dress", "red")
MASK = np.ones((4, 4), bool)
COAT = Garment("coat", "outer", (0.25, 0.25, 0.75, 0.75), 0.9, MASK)
BOOTS = Garment("boots", "shoes", (0.4, 0.9, 0.6, 1.0), 0.5, MASK)


@pytest.fixture
def engine():
    return FakeEngine(garments=(COAT, BOOTS))


@pytest.fixture
def client(engine):
    with TestClient(create_app(engine, limits=Limits(upload_bytes=200_000))) as client:
        yield client


def find(client, data=JPEG, **form):
    return client.post("/v1/find", files={"image": ("a.jpg", data, "image/jpeg")}, data=form)


def test_garments_are_found(client):
    answer = find(client)
    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("token") == answer.headers["x-coordi-token"]
    assert body == {
        "garments": [
            {"kind": "coat", "family": "outer", "box": [0.25, 0.25, 0.75, 0.75], "score": 0.9,
             "best": True},
            {"kind": "boots", "family": "shoes", "box": [0.4, 0.9, 0.6, 1.0], "score": 0.5,
             "best": False},
        ],
        "width": 240,
        "height": 350,
    }  # fmt: skip


def test_a_part_is_looked_at(client, engine):
    assert find(client, box="0,0.5,1,1").json()["height"] == 175
    assert engine.looked_at == [(175, 240, 3)]


def test_nothing_found_is_an_answer(client, engine):
    engine.garments = ()
    assert find(client).json()["garments"] == []


@pytest.mark.parametrize(
    ("form", "status", "code", "field"),
    [
        ({"box": "0,0,2,1"}, 422, "invalid", "box"),
        ({"nope": "1"}, 422, "invalid", "nope"),
    ],
)
def test_what_is_wrong_is_said(client, form, status, code, field):
    answer = find(client, **form)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["field"]) == (status, code, field)


def test_what_is_no_picture_is_refused(client):
    answer = find(client, data=b"text")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_image")
    answer = find(client, data=b"x" * 200_001)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    answer = client.post("/v1/find", data={"box": "0,0,1,1"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_query")


def test_a_search_names_its_garment(client, engine):
    files = {"image": ("a.jpg", JPEG, "image/jpeg")}
    answer = client.post("/v1/search", files=files, data={"garment": "outer"})
    assert engine.queries[-1].garment == "outer"
    assert (answer.json()["garment"], answer.json()["garments"]) == (None, [])  # of the fake
    client.post("/v1/search", files=files)
    assert engine.queries[-1].garment is None
