"""Folding and sorting by a field, beside a slow obvious loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordi.errors import QueryError
from coordi.geometry import unit_rows
from coordi.store import open_store
from coordi.tasks.search import matching, search
from coordi.types import Item, Query

COUNT, DIM = 90, 6
RANDOM = np.random.default_rng(3)
ROWS = unit_rows(RANDOM.standard_normal((COUNT, DIM)))
MODELS = [None if n % 11 == 0 else f"m{int(RANDOM.integers(12))}" for n in range(COUNT)]
FIELDS = [
    {
        "model": MODELS[n],
        "price": None if n % 7 == 0 else float(RANDOM.integers(6)),
        "name": None if n % 13 == 0 else RANDOM.choice(["b", "A", "B", "a", "Ä"]).item(),
        "added": f"2024-0{1 + n % 9}-01",
    }
    for n in range(COUNT)
]


class Rows:
    name, fingerprint, dim, image_size = "rows", "a" * 16, DIM, 1
    modalities = frozenset({"text"})

    def encode_texts(self, texts):
        return ROWS[[int(text) for text in texts]]

    def unknown_words(self, text):
        return ()

    def cut_from(self, text):
        return ""


@pytest.fixture(scope="module")
def at(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("fold") / "store", create=True)
    items = [Item(str(n), fields=FIELDS[n]) for n in range(COUNT)]
    store.put(items, Rows.fingerprint, ROWS, ["-"] * COUNT, encoder="rows")
    store.put([Item("gone", fields={"model": "m1"})], Rows.fingerprint, ROWS[:1], ["-"])
    store.delete(["gone"])
    yield store.snapshot()
    store.close()


def ask(at, **query):
    return search(Query(**query), store=at, encoder=Rows())


def key_of(value):
    return value.casefold() if isinstance(value, str) else value


def obvious(text, where, sort, fold, min_score):
    """Groups of items, each the best hit and what is folded into it."""
    scores = ROWS @ ROWS[int(text)]
    there = [n for n in range(COUNT) if min_score is None or scores[n] >= min_score]
    if where:
        prices = {n: FIELDS[n]["price"] for n in there}
        there = [n for n in there if prices[n] is not None and prices[n] < 3]
    there.sort(key=lambda n: (-scores[n], n))
    if sort:
        field, down = sort.lstrip("-"), sort.startswith("-")
        has = [n for n in there if FIELDS[n][field] is not None]
        # Python's reverse keeps equal ones in their order, as it should.
        has.sort(key=lambda n: key_of(FIELDS[n][field]), reverse=down)
        there = has + [n for n in there if FIELDS[n][field] is None]
    groups = []
    for n in there:
        model = FIELDS[n][fold] if fold else None
        known = [g for g in groups if model is not None and FIELDS[g[0]][fold] == model]
        if known:
            known[0].append(n)
        else:
            groups.append([n])
    return groups


questions = st.fixed_dictionaries(
    {
        "text": st.integers(0, COUNT - 1).map(str),
        "where": st.sampled_from([None, "price < 3"]),
        "sort": st.sampled_from([None, "price", "-price", "name", "-name", "-added"]),
        "fold": st.sampled_from([None, "model"]),
        "min_score": st.sampled_from([None, -0.2, 0.3]),
    }
)


@settings(max_examples=80, deadline=None)
@given(questions, st.integers(1, 30), st.booleans())
def test_pages_are_those_of_an_obvious_loop(at, asked, limit, explain):
    wanted = obvious(**asked)
    found, offset = [], 0
    while True:
        page = ask(at, **asked, limit=limit, offset=offset, explain=explain)
        found += [[int(h.item.id), *map(int, h.variants)] for h in page.hits]
        assert all(hit.duplicates == () for hit in page.hits)
        offset += limit
        assert page.more == (len(wanted) > offset)
        if not page.more:
            break
    assert found == wanted


def test_collapsing_a_garment_takes_its_variants_along(at):
    whole = ask(at, text="5", fold="model", collapse=0.5, limit=COUNT)
    named = [i for h in whole.hits for i in (h.item.id, *h.duplicates, *h.variants)]
    assert sorted(named, key=int) == [str(n) for n in range(COUNT)]
    assert any(hit.duplicates for hit in whole.hits)
    paged = [
        hit.item.id
        for offset in range(0, COUNT, 4)
        for hit in ask(at, text="5", fold="model", collapse=0.5, limit=4, offset=offset).hits
    ]
    assert paged == [hit.item.id for hit in whole.hits]


def test_an_item_itself_is_left_out_of_its_own_garment(at):
    page = ask(at, item="5", fold="model", sort="price", limit=COUNT)
    named = [i for h in page.hits for i in (h.item.id, *h.variants)]
    assert len(named) == COUNT - 1
    assert "5" not in named


@pytest.mark.parametrize("wrong", [{"fold": "modle"}, {"sort": "-prise"}])
def test_a_field_that_is_not_there_is_an_error_that_names_the_fields(at, wrong):
    with pytest.raises(QueryError, match="Fields: added, description, id, model, name, price"):
        ask(at, text="1", **wrong)


@pytest.mark.parametrize("wrong", [{"fold": ""}, {"sort": "-"}, {"sort": ""}])
def test_no_field_is_an_error(at, wrong):
    with pytest.raises(QueryError, match="names no field"):
        ask(at, text="1", **wrong)


def test_what_matches_a_query_is_what_it_would_answer(at):
    assert matching(Query(text="1"), store=at, encoder=Rows()) is None
    query = Query(text="1", min_score=0.2, where="price < 3")
    found = {at.rows.ids[place] for place in matching(query, store=at, encoder=Rows())}
    assert found == {hit.item.id for hit in ask(at, text="1", min_score=0.2, where="price < 3",
                                                limit=COUNT).hits}  # fmt: skip
