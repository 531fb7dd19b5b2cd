"""REST and page over the real engine and a store on disk."""

import io

import pytest
from fastapi.testclient import TestClient
from PIL import Image as Pillow
from playwright.sync_api import expect

from conftest import COLORS, make_catalog, paint
from coordi.engine import Engine
from coordi.serve import create_app
from fakes import ColorHistogram

from .conftest import serving


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """An engine over 24 plain-coloured items and its catalogue."""
    folder = tmp_path_factory.mktemp("shelf")
    catalog = make_catalog(folder / "shop")
    with Engine.open(folder / "store", encoder=ColorHistogram(), create=True) as engine:
        engine.ingest(catalog)
        yield engine, catalog


@pytest.fixture
def client(shelf):
    with TestClient(create_app(shelf[0])) as client:
        yield client


def test_a_photo_finds_its_colour(client, tmp_path):
    paint(tmp_path / "new.png", "purple", seed=99)
    files = {"image": ("new.png", (tmp_path / "new.png").read_bytes(), "image/png")}
    where = {"where": "category = 'shirt' or category = 'dress'", "limit": 2, "explain": True}
    answer = client.post("/v1/search", files=files, data=where).json()
    assert ["purple" in hit["item"]["title"] for hit in answer["hits"]] == [True, True]
    assert answer["encoder"] == "color-histogram"
    assert answer["filtered_out"] == 8
    assert answer["hits"][0]["parts"]["image"] == pytest.approx(answer["hits"][0]["score"])


def test_pictures_and_their_sizes(client):
    item = client.get("/v1/items/item-3").json()
    assert (item["width"], item["height"]) == (40, 60)
    picture = client.get(item["image"])
    assert picture.headers["content-type"] == "image/png"
    assert Pillow.open(io.BytesIO(picture.content)).size == (40, 60)
    assert client.get(item["thumbnail"] + "&side=32").headers["content-type"] == "image/jpeg"
    assert client.get("/v1/images/item-999").status_code == 404


def test_the_catalogue_as_a_whole(client):
    page = client.get("/v1/items", params={"limit": 100, "where": "price < 20"}).json()
    assert page["total"] == len(page["items"]) == 10
    facets = {facet["name"]: facet for facet in client.get("/v1/facets").json()["facets"]}
    assert facets["price"]["maximum"] == 33
    figures = client.get("/v1/stats").json()
    assert (figures["items"], "roots" in figures) == (24, False)


@pytest.mark.parametrize("where", ["colour = 'red'", "price <", "price = 'x'"])
def test_a_wrong_filter_is_explained(client, where):
    response = client.get("/v1/search", params={"text": "red", "where": where})
    assert response.status_code == 400
    assert response.json()["error"]["field"] == "where"


def test_readiness_follows_the_engine(tmp_path):
    engine = Engine.open(tmp_path / "store", encoder=ColorHistogram(), create=True)
    with engine, TestClient(create_app(engine)) as client:
        assert client.get("/v1/ready").status_code == 503
        engine.warm()
        assert client.get("/v1/ready").status_code == 200
        page = client.get("/v1/items").json()
        assert page.pop("token")
        assert page == {"items": [], "variants": [], "total": 0, "more": False}


def test_an_item_that_goes_is_gone_from_the_next_search(tmp_path):
    with Engine.open(tmp_path / "store", encoder=ColorHistogram(), create=True) as engine:
        engine.ingest(make_catalog(tmp_path / "shop", len(COLORS)))
        with TestClient(create_app(engine)) as client:
            first = client.get("/v1/search?text=green").json()["hits"][0]["item"]["id"]
            engine.delete([first])
            hits = client.get("/v1/search?text=green").json()["hits"]
            assert first not in [hit["item"]["id"] for hit in hits]
            assert client.get(f"/v1/items/{first}").status_code == 404


@pytest.mark.browser
def test_the_page_over_the_real_engine(shelf, browser, tmp_path):
    engine, _ = shelf
    paint(tmp_path / "new.png", "gold", seed=7, size=(300, 400))
    with serving(engine) as address:
        page = browser.new_page()
        failed = []
        page.on("response", lambda response: failed.append(response.url) if not response.ok else 0)
        page.goto(address)
        expect(page.locator(".tile:not(.ghost)")).to_have_count(24)
        filters = page.get_by_role("complementary", name="Filters")
        filters.get_by_role("checkbox", name="skirt").check()
        expect(page.get_by_role("status").filter(has_text="8 items")).to_be_visible()
        page.set_input_files("#file", str(tmp_path / "new.png"))
        expect(page.locator(".tile-name").first).to_have_text("a gold skirt")
        filters.get_by_role("spinbutton", name="Price from").fill("30")
        page.keyboard.press("Tab")
        expect(page.get_by_role("status").filter(has_text="Best of 2 items")).to_be_visible()
        page.get_by_role("searchbox", name="Search by words").fill("blue")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Clear all").click()
        page.get_by_role("switch", name="Fold look-alikes").check()
        expect(page.get_by_role("status").filter(has_text="Best of 24 items")).to_be_visible()
        page.locator(".tile-link").first.click()
        expect(page.get_by_role("heading", name="Similar")).to_be_visible()
        page.close()
        assert failed == []


def test_facets_live_under_the_filters(client):
    def facets(**params):
        answer = client.get("/v1/facets", params=params)
        assert answer.status_code == 200, answer.json()
        return {facet["name"]: facet for facet in answer.json()["facets"]}

    def count(where):
        return client.get("/v1/items", params={"where": where, "limit": 1}).json()["total"]

    where = "category = 'shirt' and price < 20"
    found = facets(where=where)
    # Its own condition does not count for a field, the others do.
    for value in found["category"]["values"]:
        assert value["count"] == count(f"category = '{value['value']}' and price < 20")
    assert len(found["category"]["values"]) > 1
    assert found["price"]["maximum"] > 20
    assert facets(where="category = 'shirt' or price < 0")["category"]["distinct"] == 1
    inside = facets(where=where, field="category", contains="SH", limit=1)
    assert list(inside) == ["category"]
    assert all("sh" in value["value"] for value in inside["category"]["values"])
    cut = facets(field="category", limit=1)["category"]
    assert (len(cut["values"]), cut["more"]) == (1, True)
    answer = client.get("/v1/search", params={"text": "red", "min_score": 0.5, "limit": 100}).json()
    counted = facets(text="red", min_score=0.5)["category"]["values"]
    assert sum(value["count"] for value in counted) == len(answer["hits"]) > 0
    assert facets(text="red") == facets()


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"field": "colour"}, "Fields: "),
        ({"contains": "x"}, "give field too"),
        ({"min_score": 0.1}, "needs text or item"),
        ({"limit": 1001}, "limit"),
    ],
)
def test_facets_that_cannot_be_are_refused(client, params, says):
    answer = client.get("/v1/facets", params=params)
    assert answer.status_code in (400, 422)
    assert says in answer.json()["error"]["message"]


def test_items_are_sorted_and_folded_on_every_route(client):
    asked = {"fold": "category", "sort": "-price", "limit": 2}
    pages = [client.get("/v1/items", params={**asked, "offset": at}).json() for at in (0, 2, 4)]
    assert len({page["total"] for page in pages}) == 1
    heads = [item for page in pages for item in page["items"]]
    variants = [id for page in pages for ids in page["variants"] for id in ids]
    assert len({item["fields"]["category"] for item in heads}) == len(heads) == pages[0]["total"]
    assert len(heads) + len(variants) == len({*variants, *(item["id"] for item in heads)}) == 24
    prices = [item["fields"]["price"] for item in heads]
    assert prices == sorted(prices, reverse=True)
    for address in ("/v1/search?text=red&", "/v1/similar/item-3?"):
        hits = client.get(f"{address}fold=category&sort=price").json()["hits"]
        prices = [hit["item"]["fields"]["price"] for hit in hits]
        assert prices == sorted(prices)
        assert sum(1 + len(hit["variants"]) for hit in hits) == 24 - ("similar" in address)
        assert client.get(f"{address}sort=nope").json()["error"]["code"] == "bad_query"
    assert client.get("/v1/items?sort=nope").json()["error"]["code"] == "bad_query"
