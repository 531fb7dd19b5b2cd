"""Re-ranked search over a real store, held against a slow loop over all items."""

import json
import math

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import coordi.models.opening
from coordi.cli.app import make_app
from coordi.data.images import decode_image
from coordi.engine import Engine
from coordi.errors import FingerprintError, QueryError
from coordi.geometry import unit_rows
from coordi.models.artifact import BaseEncoder, describe, save_system
from coordi.models.batches import LabelSizes
from coordi.models.retrieval.wtbi import WhereToBuyIt, WhereToBuyItSettings
from coordi.serve import create_app
from coordi.store import open_store
from coordi.tasks.rerank import probability, reorder
from coordi.tasks.search import search
from coordi.types import RERANK_DEPTH, Item, Query
from fakes import ColorHistogram, open_fake

DIM, COUNT = 6, 160
ROWS = unit_rows(np.random.default_rng(3).standard_normal((COUNT, DIM)))
ROWS[20:24] = unit_rows(ROWS[2] + 0.01 * ROWS[20:24])


class RowEncoder:
    """A picture means the row in its first pixel, words the row of that number."""

    name, fingerprint, dim, image_size = "rows", "a" * 16, DIM, 1
    modalities = frozenset({"image", "text"})

    def encode_images(self, images):
        return ROWS[[int(image[0, 0, 0]) for image in images]]

    def encode_texts(self, texts):
        return ROWS[[int(text) for text in texts]]

    def unknown_words(self, text: str) -> tuple[str, ...]:
        return ()

    def cut_from(self, text: str) -> str:
        return ""


class Backwards:
    """Likes best what the first stage likes least, in three grades: there are ties."""

    name, fingerprint, encoder, reads = "backwards", "b" * 16, "rows", "a" * 16

    def __init__(self):
        self.calls = []

    def score(self, query, items):
        self.calls.append(len(items))
        return grade(items @ query)


def grade(cosines):
    return np.float32(-4) * np.round(np.asarray(cosines, np.float32))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("rerank") / "store", create=True)
    items = [Item(str(i), fields={"n": i}) for i in range(COUNT)]
    opened.put(items, RowEncoder.fingerprint, ROWS, ["-"] * COUNT, encoder="rows")
    yield opened
    opened.close()


def picture(row):
    return np.full((1, 1, 3), row, dtype=np.uint8)


def ask(store, reranker=None, **query):
    reranker = reranker or Backwards()
    return search(Query(**query), store=store.snapshot(), encoder=RowEncoder(), reranker=reranker)


def ids(answer):
    return [int(hit.item.id) for hit in answer.hits]


def slow(row, depth, allowed=lambda n: True, min_score=-2.0):
    """First stage by sorting, then the first `depth` by the grade, ties in first-stage order."""
    cosine = {n: float(ROWS[n] @ ROWS[row]) for n in range(COUNT) if allowed(n)}
    first = sorted((n for n in cosine if cosine[n] >= min_score), key=lambda n: -cosine[n])
    head = sorted(first[:depth], key=lambda n: -float(grade(cosine[n])))
    return head + first[depth:]


def test_the_first_hits_stand_in_the_rerankers_order_and_the_rest_as_before(store):
    answer = ask(store, image=picture(7), rerank=40, limit=COUNT)
    assert ids(answer) == slow(7, 40)
    assert ids(answer) != slow(7, 0)
    assert (answer.reranker, answer.reranked, answer.more) == ("backwards", 40, False)
    for place, hit in enumerate(answer.hits):
        cosine = float(ROWS[int(hit.item.id)] @ ROWS[7])
        assert hit.score == pytest.approx(cosine, abs=1e-5)
        if place < 40:
            assert hit.match == pytest.approx(1 / (1 + math.exp(-float(grade(cosine)))), abs=1e-6)
        else:
            assert hit.match is None
    matches = [hit.match for hit in answer.hits[:40]]
    assert matches == sorted(matches, reverse=True)


@settings(max_examples=40, deadline=None)
@given(depth=st.integers(0, 200), sizes=st.lists(st.integers(1, 70), min_size=1, max_size=8))
def test_pages_of_any_sizes_join_to_the_whole_ranking(store, depth, sizes):
    seen, more = [], True
    for size in sizes:
        answer = ask(store, image=picture(7), rerank=depth, limit=size, offset=len(seen))
        seen += ids(answer)
        more = answer.more
        assert answer.reranked == min(depth, COUNT)
        if not more:
            break
    assert seen == slow(7, depth)[: len(seen)]
    assert more == (len(seen) < COUNT)


def test_filter_and_minimum_come_before_the_reranking(store):
    even = ask(store, image=picture(7), rerank=30, limit=COUNT, where="n < 90", min_score=0.1)
    assert ids(even) == slow(7, 30, lambda n: n < 90, 0.1)
    assert even.filtered_out == COUNT - 90
    nothing = ask(store, image=picture(7), rerank=30, where="n < 0")
    assert (nothing.hits, nothing.reranked, nothing.more) == ((), 0, False)


def test_near_duplicates_are_folded_before_the_reranking(store):
    answer = ask(store, image=picture(2), rerank=10, limit=COUNT, collapse=0.99)
    plain = ask(store, image=picture(2), rerank=0, limit=COUNT, collapse=0.99)
    assert sorted(ids(answer)) == sorted(ids(plain))
    folded = {int(hit.item.id): hit.duplicates for hit in answer.hits}
    assert {int(n) for n in folded[2]} == {20, 21, 22, 23}
    assert folded == {int(hit.item.id): hit.duplicates for hit in plain.hits}


def test_an_item_as_query_is_left_out_before_the_reranking(store):
    answer = ask(store, item="7", rerank=25, limit=COUNT)
    assert ids(answer) == slow(7, 25, lambda n: n != 7)


def test_shares_still_add_up_to_the_cosine(store):
    for hit in ask(store, image=picture(4), item="9", rerank=20, explain=True).hits:
        assert sum(hit.parts.values()) == pytest.approx(hit.score, abs=1e-12)


def test_a_page_is_scored_once_and_no_deeper_than_said(store):
    reranker = Backwards()
    ask(store, reranker, image=picture(1), rerank=33, limit=5, offset=90)
    assert reranker.calls == [33]


def test_who_is_reranked_when_nothing_is_said(store):
    assert ask(store, image=picture(1)).reranked == RERANK_DEPTH
    for query in ({"text": "1"}, {"item": "1"}, {"image": picture(1), "text": "2"}):
        answer = ask(store, **query)
        assert (answer.reranker, answer.reranked) == ("", 0)
        assert all(hit.match is None for hit in answer.hits)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"text": "1", "rerank": 5}, "leave out the words"),
        ({"image": picture(1), "rerank": -1}, "from 0 to 1000"),
        ({"image": picture(1), "rerank": 1001}, "from 0 to 1000"),
    ],
)
def test_what_cannot_be_reranked_is_refused(store, query, message):
    with pytest.raises(QueryError, match=message):
        ask(store, **query)


def test_a_depth_without_a_reranker_is_refused(store):
    query = Query(image=picture(1), rerank=5)
    with pytest.raises(QueryError, match="there is no re-ranker"):
        search(query, store=store.snapshot(), encoder=RowEncoder())


def test_vectors_of_another_encoder_are_refused(store):
    stranger = Backwards()
    stranger.reads = "c" * 16
    with pytest.raises(FingerprintError, match="--encoder rows"):
        ask(store, stranger, image=picture(1))


def test_the_order_outlives_probabilities_that_round_to_one():
    class Sure:
        def score(self, query, items):
            return np.array([50.0, 60.0, 55.0], np.float32)

    order, matches = reorder(ROWS[0], ROWS[:3], Sure())
    assert order.tolist() == [1, 2, 0]
    assert matches.tolist() == [1.0, 1.0, 1.0]
    np.testing.assert_array_equal(probability(np.array([-1e4, 0.0, 1e4])), [0.0, 0.5, 1.0])


@pytest.fixture
def shelf(tmp_path, catalog):
    """A store of plain-coloured items, a re-ranker that has learned something odd, a picture."""
    with Engine.open(tmp_path / "store", encoder=ColorHistogram(), create=True) as engine:
        engine.ingest(catalog)
    encoder, folder = ColorHistogram(), tmp_path / "odd"
    torch.manual_seed(0)
    net = WhereToBuyIt(encoder.dim, LabelSizes(9, 0, {}), WhereToBuyItSettings(hidden=(8,)))
    torch.nn.init.normal_(net.last.weight)
    base = BaseEncoder(name=encoder.name, fingerprint=encoder.fingerprint)
    sizes = LabelSizes(9, 0, {})
    config = describe("wtbi", net, sizes, encoder.dim, title="odd", encoder=base)
    folder.mkdir()
    save_system(folder, net, config)
    return tmp_path / "store", folder, catalog.parent / "images/1.png"


def test_the_engine_reranks_by_a_folder(shelf):
    store, folder, photo = shelf
    with Engine.open(store, encoder=ColorHistogram(), reranker=folder) as engine:
        engine.warm()
        picture = decode_image(photo.read_bytes())
        plain = engine.search(Query(image=picture, rerank=0, limit=24))
        answer = engine.search(Query(image=picture, rerank=9, limit=24))
    first = [hit.item.id for hit in plain.hits]
    found = [hit.item.id for hit in answer.hits]
    assert (answer.reranker, answer.reranked) == ("odd", 9)
    assert found[:9] != first[:9]
    assert sorted(found[:9]) == sorted(first[:9])
    assert found[9:] == first[9:]


def test_an_engine_warns_of_a_reranker_of_another_encoder_before_it_serves(shelf):
    store, folder, _ = shelf
    stranger = json.loads((folder / "config.json").read_text())
    stranger["encoder"]["fingerprint"] = "0" * 16
    (folder / "config.json").write_text(json.dumps(stranger))
    with (
        Engine.open(store, encoder=ColorHistogram(), reranker=folder) as engine,
        pytest.raises(FingerprintError, match="train the re-ranker on color-histogram"),
    ):
        engine.warm()


def test_the_command_says_what_was_reranked_and_by_what(shelf, monkeypatch):
    store, folder, photo = shelf
    monkeypatch.setattr(coordi.models.opening, "open_encoder", open_fake)

    def run(*arguments):
        words = ["search", *map(str, arguments), "--store", str(store)]
        return CliRunner().invoke(make_app(), words)

    shown = run("--image", photo, "--rerank", folder, "--depth", 6, "-n", 8)
    assert shown.exit_code == 0, shown.output
    assert "first 6 by odd" in shown.stderr
    assert shown.stdout.count("%") == 6
    answer = json.loads(run("--image", photo, "--rerank", folder, "--json", "-n", 8).stdout)
    assert (answer["reranker"], answer["reranked"]) == ("odd", 24)
    matches = [hit["match"] for hit in answer["hits"]]
    assert matches == sorted(matches, reverse=True)
    assert "leave out the words" in run("red", "--rerank", folder).stderr
    assert "needs --rerank DIR" in run("red", "--depth", 5).stderr


def test_the_service_reranks_pictures_and_says_so(shelf):
    store, folder, photo = shelf
    with Engine.open(store, encoder=ColorHistogram(), reranker=folder) as engine:
        client = TestClient(create_app(engine))
        files = {"image": ("photo.png", photo.read_bytes(), "image/png")}
        answer = client.post("/v1/search", files=files, data={"rerank": 5, "limit": 7}).json()
        assert (answer["reranker"], answer["reranked"]) == ("odd", 5)
        assert [hit["match"] is not None for hit in answer["hits"]] == [True] * 5 + [False] * 2
        words = client.get("/v1/search", params={"text": "red"}).json()
        assert (words["reranker"], words["hits"][0]["match"]) == ("", None)
        refused = client.get("/v1/search", params={"text": "red", "rerank": 5})
        assert refused.status_code == 400
        assert "leave out the words" in refused.json()["error"]["message"]
