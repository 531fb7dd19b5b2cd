"""Every route under random parameters, paths and bodies: never a 5xx, always the one shape."""

import json

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coordi.serve import create_app
from coordi.serve.asking import SearchForm, SimilarParams, ThumbnailParams

from .fakes import FakeEngine, draw

ENGINE = FakeEngine()
ROUTES = ("search", "items", "facets", "stats", "limits", "health", "ready", "nothing")
WITH_ID = ("items", "similar", "images", "thumbnails")
NAMES = st.sampled_from(
    sorted({*SearchForm.model_fields, *SimilarParams.model_fields, *ThumbnailParams.model_fields})
) | st.text(max_size=5)
NUMBERS = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["9" * 5000, "-0", "1e999", "0x1", "١", " 1 ", "1_0", "NaN", "true"]),
)
WORDS = st.one_of(
    st.text(max_size=40),
    st.sampled_from([item.id for item in ENGINE.items]),
    st.sampled_from(["price < 5", "price < " + "9" * 3000, "(" * 50, "category = 'dress'", "\x00"]),
)
PAIRS = st.lists(st.tuples(NAMES, NUMBERS | WORDS), max_size=4)
BOUNDED = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def client():
    with TestClient(create_app(ENGINE), follow_redirects=False) as client:
        yield client


def check(response):
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert set(response.json()["error"]) == {"code", "message", "field"}


@BOUNDED
@given(st.sampled_from(ROUTES), PAIRS)
def test_addresses(client, route, pairs):
    check(client.get(f"/v1/{route}", params=pairs))


@BOUNDED
@given(st.sampled_from(WITH_ID), WORDS, PAIRS)
def test_items(client, route, id, pairs):
    check(client.get(f"/v1/{route}/", params=[("id", id), *pairs]))
    check(client.get(f"/v1/{route}/{json.dumps(id)}", params=pairs))


@BOUNDED
@given(PAIRS, st.sampled_from([None, b"", b"\xff\xd8\xff", draw("dress", "red")]))
def test_forms(client, pairs, picture):
    files = [] if picture is None else [("image", ("a.jpg", picture, "image/jpeg"))]
    data = {}
    for name, value in pairs:
        data.setdefault(name, []).append(value)
    check(client.post("/v1/search", data=data, files=files))


@BOUNDED
@given(
    st.binary(max_size=300),
    st.sampled_from(
        ["multipart/form-data", "multipart/form-data; boundary=b", "application/json", "",
         "application/x-www-form-urlencoded", "multipart/form-data; boundary=b; charset=utf-7"]
    ),
)  # fmt: skip
def test_bodies(client, body, kind):
    check(client.post("/v1/search", content=body, headers={"content-type": kind}))
