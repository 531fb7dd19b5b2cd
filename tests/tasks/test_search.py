"""Search over a real store, with an encoder whose texts are row numbers."""

import numpy as np
import pytest

from coordi.errors import (
    EncoderError,
    FilterError,
    FingerprintError,
    NotFoundError,
    QueryError,
)
from coordi.geometry import unit_rows
from coordi.store import open_store
from coordi.tasks import search as task
from coordi.tasks.search import search
from coordi.types import Item, Query

DIM, COUNT = 12, 200
ROWS = unit_rows(np.random.default_rng(0).standard_normal((COUNT, DIM)))
# Rows 50 to 59 are near copies of row 5, rows 60 and 61 of row 6.
ROWS[50:60] = unit_rows(ROWS[5] + 0.01 * ROWS[50:60])
ROWS[60:62] = unit_rows(ROWS[6] + 0.01 * ROWS[60:62])


class RowEncoder:
    """Text "7" means row 7; a picture means the row in its first pixel."""

    name, fingerprint, dim, image_size = "rows", "a" * 16, DIM, 1

    def __init__(self, *modalities):
        self.modalities = frozenset(modalities or ("image", "text"))

    def encode_images(self, images):
        return ROWS[[int(image[0, 0, 0]) for image in images]]

    def encode_texts(self, texts):
        return ROWS[[int(text) for text in texts]]

    def unknown_words(self, text: str) -> tuple[str, ...]:
        return ()

    def cut_from(self, text: str) -> str:
        return ""


def picture(row):
    return np.full((1, 1, 3), row, dtype=np.uint8)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("search") / "store", create=True)
    items = [
        Item(str(i), fields={"n": i, "kind": "dress" if i % 4 else "coat"}) for i in range(COUNT)
    ]
    opened.put(items, RowEncoder.fingerprint, ROWS, ["-"] * COUNT, encoder="rows")
    yield opened
    opened.close()


def ask(store, encoder=None, **query):
    asked = Query(**{"by": "vectors", **query})  # words are tests/tasks/test_words.py's
    return search(asked, store=store.snapshot(), encoder=encoder or RowEncoder())


def ids(answer):
    return [hit.item.id for hit in answer.hits]


def ranked(vector, allowed=None):
    rows = np.arange(COUNT) if allowed is None else np.flatnonzero(allowed)
    return [str(row) for row in rows[np.argsort(-(ROWS[rows] @ vector), kind="stable")]]


def test_words_and_pictures_find_their_rows_in_order(store):
    for answer in (ask(store, text=" 7 "), ask(store, image=picture(7))):
        assert ids(answer) == ranked(ROWS[7])[:20]
        scores = [hit.score for hit in answer.hits]
        np.testing.assert_allclose(scores, [ROWS[int(i)] @ ROWS[7] for i in ids(answer)], atol=1e-6)
        assert (answer.total, answer.filtered_out, answer.more) == (COUNT, 0, True)
        assert (answer.encoder, answer.fingerprint) == ("rows", "a" * 16)
        assert answer.index == "exact"
        assert set(answer.seconds) == {"encode", "search", "fetch"}
        assert answer.hits[0].parts is None


class ShortEncoder(RowEncoder):
    """Reads one word."""

    def encode_texts(self, texts):
        return super().encode_texts([text.split()[0] for text in texts])

    def cut_from(self, text):
        return " ".join(text.split()[1:])


def test_words_beyond_the_encoder_s_length_are_counted_and_shown(store):
    assert ask(store, ShortEncoder(), text="7").notes == ()
    (note,) = ask(store, ShortEncoder(), text="7 with a long tail").notes
    assert "its last 4 words do not count (“with a long tail”)" in note
    (note,) = ask(store, ShortEncoder(), text="7 " + "x" * 500).notes
    assert "its last word does not count" in note
    assert len(note) < 200


def test_an_item_finds_its_neighbours_and_not_itself(store):
    answer = ask(store, item="7", limit=COUNT)
    assert ids(answer) == ranked(ROWS[7])[1:]
    assert not answer.more
    assert ask(store, item="7", limit=COUNT - 1).more is False
    assert ask(store, item="7", limit=COUNT - 2).more is True
    # Outside of the filter it is not among the found in the first place.
    assert len(ask(store, item="0", where="kind = 'dress'", limit=COUNT).hits) == 150
    assert len(ask(store, item="1", where="kind = 'dress'", limit=COUNT).hits) == 149


def test_parts_are_weighed_and_their_shares_add_up_to_the_score(store):
    weights = {"text": 2.0, "item": -0.5}
    query = {"text": "3", "image": picture(9), "item": "20", "weights": weights}
    answer = ask(store, **query, explain=True, limit=50)
    vector = unit_rows((2 * ROWS[3] + ROWS[9] - 0.5 * ROWS[20])[None])[0]
    assert ids(answer) == [id for id in ranked(vector) if id != "20"][:50]
    length = np.linalg.norm(2 * ROWS[3] + ROWS[9] - 0.5 * ROWS[20])
    for hit in answer.hits:
        row = ROWS[int(hit.item.id)]
        assert sum(hit.parts.values()) == pytest.approx(hit.score, abs=1e-12)
        assert hit.parts["text"] == pytest.approx(2 * row @ ROWS[3] / length, abs=1e-5)
        assert hit.parts["image"] == pytest.approx(row @ ROWS[9] / length, abs=1e-5)
        assert hit.parts["item"] == pytest.approx(-0.5 * row @ ROWS[20] / length, abs=1e-5)


def test_a_part_alone_is_the_whole_score(store):
    for hit in ask(store, text="4", weights={"text": 0.1}, explain=True).hits:
        assert hit.parts == {"text": hit.score}


def test_a_negative_weight_turns_a_lone_part_around(store):
    assert ids(ask(store, text="4", weights={"text": -1})) == ranked(-ROWS[4])[:20]


def test_a_part_of_weight_zero_counts_nothing(store):
    answer = ask(store, text="4", image=picture(8), weights={"image": 0}, explain=True)
    assert ids(answer) == ranked(ROWS[4])[:20]
    assert all(hit.parts["image"] == 0 for hit in answer.hits)


def test_filters_count_what_they_exclude(store):
    allowed = np.array([i % 4 == 0 and i < 100 for i in range(COUNT)])
    answer = ask(store, text="7", where="kind = 'coat' and n < 100", limit=100)
    assert ids(answer) == ranked(ROWS[7], allowed)
    assert answer.filtered_out == COUNT - 25
    assert not answer.more
    nothing = ask(store, text="7", where="n < 0")
    assert (nothing.hits, nothing.filtered_out, nothing.more) == ((), COUNT, False)
    with pytest.raises(FilterError, match="colour"):
        ask(store, text="7", where="colour = 'red'")


def test_a_minimum_score_ends_the_answer(store):
    scores = np.sort(ROWS @ ROWS[7])[::-1]
    least = float(scores[12] + scores[13]) / 2
    answer = ask(store, text="7", min_score=least)
    assert ids(answer) == ranked(ROWS[7])[:13]
    assert not answer.more
    assert ids(ask(store, text="7", min_score=least, limit=5, offset=10)) == ranked(ROWS[7])[10:13]


@pytest.mark.parametrize("collapse", [None, 0.9])
@pytest.mark.parametrize("where", [None, "n < 120"])
def test_pages_together_are_the_one_long_page(store, collapse, where):
    query = {"item": "5", "collapse": collapse, "where": where}
    whole = ask(store, **query, limit=COUNT)
    pages = []
    for offset in range(0, COUNT, 7):
        page = ask(store, **query, limit=7, offset=offset)
        assert page.more == (offset + 7 < len(whole.hits))
        pages += page.hits
    assert [hit.item.id for hit in pages] == ids(whole)
    assert [hit.duplicates for hit in pages] == [hit.duplicates for hit in whole.hits]


def slow_collapse(vector, threshold):
    groups = []
    for id in ranked(vector):
        for leader, folded in groups:
            if ROWS[int(id)] @ ROWS[int(leader)] >= threshold:
                folded.append(id)
                break
        else:
            groups.append((id, []))
    return groups


@pytest.mark.parametrize("threshold", [0.5, 0.9, 0.99])
def test_near_duplicates_fold_into_the_best_of_them(store, threshold):
    answer = ask(store, text="5", collapse=threshold, limit=COUNT)
    expected = slow_collapse(ROWS[5], threshold)
    assert [(hit.item.id, list(hit.duplicates)) for hit in answer.hits] == expected
    assert len(answer.hits[0].duplicates) >= 10


def test_a_page_stays_full_however_many_are_folded(store):
    answer = ask(store, text="5", collapse=0.9, limit=1)
    assert ids(answer) == ["5"]
    assert set(answer.hits[0].duplicates) == {str(i) for i in range(50, 60)}
    assert len(ask(store, text="5", collapse=0.9, limit=3).hits) == 3


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "empty"),
        ({"text": "  "}, "empty"),
        ({"text": "1", "limit": 0}, "limit is 0"),
        ({"text": "1", "limit": task.MOST_HITS + 1}, "limit is 1001"),
        ({"text": "1", "offset": -1}, "offset"),
        ({"text": "1", "offset": task.DEEPEST}, "narrow"),
        ({"text": "1", "min_score": 1.5}, "min_score"),
        ({"text": "1", "min_score": float("nan")}, "min_score"),
        ({"text": "1", "collapse": 0.0}, "collapse"),
        ({"text": "1", "collapse": 2.0}, "collapse"),
        ({"text": "1", "weights": {"image": 1.0}}, "'image', which the query does not have"),
        ({"text": "1", "weights": {"text": float("inf")}}, "finite"),
        ({"text": "1", "weights": {"text": 0.0}}, "all weights are 0"),
        ({"text": "1", "item": "1", "weights": {"item": -1.0}}, "cancel"),
    ],
)
def test_impossible_queries_are_refused(store, query, message):
    with pytest.raises(QueryError, match=message):
        ask(store, **query)


def test_an_unknown_item_is_named(store):
    with pytest.raises(NotFoundError, match="'nope'"):
        ask(store, item="nope")


def test_words_need_an_encoder_that_reads(store):
    with pytest.raises(EncoderError, match="does not take words, only image"):
        ask(store, RowEncoder("image"), text="1")
    with pytest.raises(EncoderError, match="does not take pictures, only text"):
        ask(store, RowEncoder("text"), image=picture(1))
    assert ids(ask(store, RowEncoder("image"), item="5", limit=1))


def test_another_encoder_is_refused_and_an_empty_store_is_not(store, tmp_path):
    other = RowEncoder()
    other.fingerprint = "b" * 16
    with pytest.raises(FingerprintError, match=r"rows \(aaaa"):
        ask(store, other, text="1")
    with open_store(tmp_path / "empty", create=True) as empty:
        answer = ask(empty, text="1")
    assert (answer.hits, answer.total, answer.more) == ((), 0, False)
