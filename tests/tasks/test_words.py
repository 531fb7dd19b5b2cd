"""Words in a search: fused with likeness, spelled, with synonyms, explained; pages stay stable."""

import numpy as np
import pytest

from coordi.errors import InputError, QueryError
from coordi.geometry import unit_rows
from coordi.store import open_store
from coordi.tasks.fusion import CODE, FAR, WORDS
from coordi.tasks.reading import read
from coordi.tasks.search import matching, search
from coordi.tasks.spelling import nearest
from coordi.tasks.synonyms import parse_synonyms
from coordi.types import Item, Query

DIM, COUNT = 12, 240
ROWS = unit_rows(np.random.default_rng(3).standard_normal((COUNT, DIM)))
KINDS = ("dress", "sneakers", "handbag", "necklace", "shirt")
COLORS = ("red", "blue", "black")


class HashEncoder:
    """Every text looks at row 0; the words of `lacks` it does not know."""

    name, fingerprint, dim, image_size = "hash", "a" * 16, DIM, 1
    lacks = frozenset()

    def __init__(self, *modalities):
        self.modalities = frozenset(modalities or ("image", "text"))

    def encode_images(self, images):
        return ROWS[[int(image[0, 0, 0]) for image in images]]

    def encode_texts(self, texts):
        return ROWS[[0 for _ in texts]]

    def unknown_words(self, text):
        return tuple(word for word in text.split() if word in self.lacks)

    def cut_from(self, text):
        return ""


def item(number):
    kind, color = KINDS[number % 5], COLORS[number % 3]
    fields = {"kind": kind, "color": color, "n": number, "model": f"m{number // 4}"}
    return Item(f"code{number:04d}", title=f"{color} {kind}", fields=fields)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with open_store(tmp_path_factory.mktemp("words") / "store", create=True) as opened:
        items = [item(number) for number in range(COUNT)]
        opened.put(items, "a" * 16, ROWS, ["-"] * COUNT, encoder="hash")
        yield opened


def ask(store, encoder=None, **query):
    return search(Query(**query), store=store.snapshot(), encoder=encoder or HashEncoder())


def ids(answer):
    return [hit.item.id for hit in answer.hits]


def slow(store, text, weight=WORDS, where=lambda _: True):
    """Every item's fused score in a loop, best first; ties in store order."""
    at = store.snapshot()
    reading = read(text, at.words())
    positions, bm25 = at.words().find(reading.groups, COUNT)
    share = dict(zip(positions.tolist(), (bm25 / bm25.max()).tolist(), strict=True))
    cosines = ROWS @ ROWS[0]
    mean, spread = cosines.mean(), cosines.std()
    scores = {}
    for row in filter(where, range(COUNT)):
        w = weight * reading.known
        scores[row] = w * share.get(row, 0) + (1 - w) * (cosines[row] - mean) / (FAR * spread)
    return sorted(scores, key=lambda row: (-scores[row], row)), scores


@pytest.mark.parametrize("text", ["red dress", "sneakers", "blue things", "shiny handbag"])
def test_ranks_are_those_of_a_slow_loop(store, text):
    order, scores = slow(store, text)
    answer = ask(store, text=text, limit=COUNT)
    assert len(answer.hits) == COUNT
    for hit in answer.hits:
        assert hit.fused == pytest.approx(scores[hit.item.fields["n"]], abs=1e-5)
    assert [hit.item.fields["n"] for hit in answer.hits][:50] == order[:50]


@pytest.mark.parametrize("extra", [{}, {"fold": "model"}, {"collapse": 0.6}, {"sort": "color"}])
@pytest.mark.parametrize("where", [None, "n < 150"])
@pytest.mark.parametrize("by", ["hybrid", "words"])
def test_pages_together_are_the_one_long_page(store, extra, where, by):
    query = {"text": "red dress", "where": where, "by": by, **extra}
    whole = ask(store, **query, limit=COUNT)
    parts = (ask(store, **query, limit=7, offset=at).hits for at in range(0, COUNT, 7))
    pages = [hit for part in parts for hit in part]
    assert [hit.item.id for hit in pages] == ids(whole)
    assert [hit.variants for hit in pages] == [hit.variants for hit in whole.hits]


def test_filters_keep_the_order(store):
    order, _ = slow(store, "red dress", where=lambda row: row < 100)
    answer = ask(store, text="red dress", where="n < 100", limit=COUNT)
    assert [hit.item.fields["n"] for hit in answer.hits] == order


def test_explained_shares_add_up_and_matched_words_are_named(store):
    answer = ask(store, text="red trainers", explain=True, limit=5)
    for hit in answer.hits:
        assert sum(hit.fusion.values()) == pytest.approx(hit.fused)
        assert sum(hit.parts.values()) == pytest.approx(hit.score)
    first = answer.hits[0]
    assert [(w.word, w.found) for w in first.words] == [("red", "red"), ("trainers", "sneakers")]
    assert first.words[0].fields == ("title", "color")
    assert ask(store, text="red trainers").hits[0].words == ()


def test_what_is_named_by_its_code_comes_first(store):
    for text in ("code0123", "CODE-0123", "red dress code0123"):
        first = ask(store, text=text, explain=True).hits[0]
        assert first.item.id == "code0123"
        assert first.fusion["code"] == CODE
    assert ids(ask(store, text="code0123", where="n < 100"))[0] != "code0123"


def test_a_slip_is_searched_as_what_was_meant_and_said(store):
    answer = ask(store, text="blak sneekers")
    assert answer.suggestion == "black sneakers"
    assert ids(answer) == ids(ask(store, text="black sneakers"))
    assert "instead of “blak sneekers”" in answer.notes[0]
    typed = ask(store, text="blak sneekers", spelling=False)
    assert (typed.suggestion, typed.notes) == ("", ())


@pytest.mark.parametrize(
    "text",
    [
        "wedding dress",
        "gym",
        "red",
        "rde",
        "code9999",
        "not red",
        "falda negra",
        "赤い dress",
        "xl",
    ],
)
def test_what_may_be_meant_is_left_alone(store, text):
    assert ask(store, text=text).suggestion == ""


@pytest.mark.parametrize(
    ("word", "meant"),
    [("dresss", "dress"), ("sneakesr", "sneakers"), ("nekclase", "necklace"), ("handbg", "handbag"),
     ("bandbag", ""), ("teapot", ""), ("dross", "dress")],
)  # fmt: skip
def test_the_nearest_word_is_the_one_with_the_fewest_slips(word, meant):
    assert nearest(word, dict.fromkeys(KINDS, 5), ()) == meant


def test_of_equally_near_words_the_commoner_is_meant():
    assert nearest("shirz", {"shirt": 3, "shire": 2}, ()) == "shirt"
    assert nearest("shirz", {"shirt": 3, "shire": 9}, ()) == "shire"


def test_words_written_as_one_are_parted(store):
    assert ask(store, text="reddress").suggestion == "red dress"
    assert ask(store, text="flipflops blak").suggestion == "flipflops black"  # a word we know


def test_an_encoder_without_words_leaves_them_to_the_items_own(store):
    eyes = HashEncoder("image")
    answer = ask(store, eyes, text="red dress", limit=COUNT, explain=True)
    assert all(
        h.item.fields["kind"] == "dress" or h.item.fields["color"] == "red" for h in answer.hits
    )
    assert {"red dress"} == {h.item.title for h in answer.hits[:10]}
    assert len(answer.hits) == len({n for n in range(COUNT) if n % 5 == 0 or n % 3 == 0})
    assert answer.hits[0].parts == {}
    nothing = ask(store, eyes, text="teapots everywhere")
    assert (nothing.hits, nothing.more) == ((), False)
    assert nothing.notes == ("No item has any of these words.",)
    picture = np.full((1, 1, 3), 7, dtype=np.uint8)
    both = ask(store, eyes, text="red", image=picture, limit=COUNT)
    assert len(both.hits) == COUNT
    assert both.hits[0].item.fields["color"] == "red"
    assert ask(store, eyes, text="red", weights={"text": -1.0}).hits == ()


def test_what_items_know_is_not_called_unknown(store):
    encoder = HashEncoder()
    encoder.lacks = frozenset({"dress", "teapot"})
    assert ask(store, encoder, text="dress").notes == ()
    (note,) = ask(store, encoder, text="red teapot").notes
    assert "“teapot”" in note
    # Likeness to a text of which it read nothing is noise: those with the word, and no others.
    assert {
        hit.item.fields["kind"] for hit in ask(store, encoder, text="dress", limit=200).hits
    } == {"dress"}


def test_vectors_alone_are_as_they_were(store):
    answer = ask(store, text="red dress", by="vectors", limit=30)
    assert [hit.item.fields["n"] for hit in answer.hits] == list(
        np.argsort(-(ROWS @ ROWS[0]), kind="stable")[:30]
    )
    assert all(hit.fused is None and hit.words == () for hit in answer.hits)


def test_words_that_no_item_has_leave_likeness(store):
    answer = ask(store, text="teapots", limit=10)
    assert [h.item.id for h in answer.hits] == ids(ask(store, text="x", by="vectors", limit=10))


def test_a_lowest_score_spares_what_has_all_the_words(store):
    query = {"text": "red dress", "min_score": 0.9, "limit": COUNT}
    found = ask(store, **query)
    assert {h.item.title for h in found.hits if h.score < 0.9} == {"red dress"}
    assert sum(h.item.title == "red dress" for h in found.hits) == 16
    at = store.snapshot()
    places = matching(Query(**query), store=at, encoder=HashEncoder())
    assert {at.rows.ids[place] for place in places} == set(ids(found))


def test_an_item_and_words_together(store):
    answer = ask(store, text="red dress", item="code0000", limit=COUNT)
    assert "code0000" not in ids(answer)
    assert len(answer.hits) == COUNT - 1
    assert "red dress" in [hit.item.title for hit in answer.hits[:5]]


def test_what_is_refused_is_neither_searched_nor_shown_to_the_encoder(store):
    words = store.words()
    assert read("not black sneakers", words).text == "sneakers"
    assert [group[0] for group in read("bag but not a black one", words).groups] == [
        ("bag",),
        ("one",),
    ]
    assert read("not", words).text == "not"


@pytest.mark.parametrize("by", ["lexical", ""])
def test_an_unknown_way_to_search_is_refused(store, by):
    with pytest.raises(QueryError, match="must be one of hybrid, words, vectors"):
        ask(store, text="red", by=by)
    with pytest.raises(QueryError, match="the query has none"):
        ask(store, item="code0001", by="words")


def test_a_shop_s_synonyms_go_before_the_packaged(store):
    own = parse_synonyms(
        "glad rags => dress\nkicks, sneakers # a comment\n\n", store.words(), "own"
    )
    query = Query(text="glad rags", limit=5)
    answer = search(query, store=store.snapshot(), encoder=HashEncoder(), synonyms=own)
    assert {hit.item.fields["kind"] for hit in answer.hits} == {"dress"}
    assert answer.suggestion == ""
    # One way only.
    back = search(Query(text="dress"), store=store.snapshot(), encoder=HashEncoder(), synonyms=own)
    assert ids(back) == ids(ask(store, text="dress"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dress", "one name alone"),
        ("a, , b", "a name is empty"),
        ("a => b => c", "two arrows"),
        ("=> b", "a name is empty"),
        ("a =>", "a name is empty"),
        ("one two three four five, b", "more than 4 words"),
    ],
)
def test_a_bad_line_of_synonyms_is_named(store, line, message):
    with pytest.raises(InputError, match=rf"own\.txt:3: .*{message}"):
        parse_synonyms(f"# names\nx, y\n{line}\n", store.words(), "own.txt")


def top(store, **query):
    return [hit.item for hit in ask(store, limit=40, **query).hits]


def test_what_words_refuse_comes_last(store):
    assert top(store, text="black dress", by="words")[0].fields["color"] == "black"
    found = top(store, text="dress, not black")
    assert "black" not in {item.fields["color"] for item in found}
    # All 32 dresses of the other colours come first, however near the black ones are.
    assert [item.fields["kind"] for item in found[:32]] == ["dress"] * 32


def test_refused_items_are_put_behind_and_not_lost(store):
    answer = ask(store, text="dress, not black", limit=COUNT)
    assert len(answer.hits) == COUNT
    colors = [hit.item.fields["color"] for hit in answer.hits]
    assert colors.index("black") == colors.count("red") + colors.count("blue")


def test_pages_join_where_something_is_refused(store):
    whole = [hit.item.id for hit in ask(store, text="dress, not black", limit=60).hits]
    parts = [
        hit.item.id
        for offset in range(0, 60, 7)
        for hit in ask(store, text="dress, not black", limit=7, offset=offset).hits
    ]
    assert parts[:60] == whole


def test_nine_languages_find_what_english_finds(store):
    wanted = [hit.item.id for hit in ask(store, text="red dress").hits]
    for text in ("rotes Kleid", "vestido rojo", "robe rouge", "赤いワンピース", "红色连衣裙"):
        answer = ask(store, text=text)
        assert [hit.item.id for hit in answer.hits] == wanted, text
        assert {chip.id for chip in answer.chips} == {"color:red", "category:dress"}


def test_a_chip_that_is_dropped_is_not_searched(store):
    answer = ask(store, text="red dress", drop=("color:red",))
    assert [chip.id for chip in answer.chips] == ["category:dress"]
    assert len({hit.item.fields["color"] for hit in answer.hits}) > 1
    assert ask(store, text="dress, not black", drop=("-color:black",)).chips[-1].negative is False


@pytest.fixture(scope="module")
def priced(tmp_path_factory):
    with open_store(tmp_path_factory.mktemp("prices") / "store", create=True) as opened:
        fields = [{"price": 10.0 * n, "currency": "EUR" if n % 2 else "USD"} for n in range(20)]
        items = [Item(f"i{n}", title="red dress", fields=one) for n, one in enumerate(fields)]
        opened.put(items, "a" * 16, ROWS[:20], ["-"] * 20, encoder="hash")
        yield opened


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("dress under 50", {0, 10, 20, 30, 40, 50}),
        ("dress under 50 €", {10, 30, 50}),
        ("robe entre 60 et 90 euros", {70, 90}),
    ],
)
def test_prices_in_words_filter(priced, text, wanted):
    answer = ask(priced, text=text, limit=40)
    assert {hit.item.fields["price"] for hit in answer.hits} == wanted
    assert len(matching(Query(text=text), store=priced.snapshot(), encoder=HashEncoder())) == len(
        wanted
    )


def test_a_price_joins_the_filter(priced):
    answer = ask(priced, text="dress under 50", where="price > 20 or price < 10", limit=40)
    assert {hit.item.fields["price"] for hit in answer.hits} == {0, 30, 40, 50}


def test_a_price_where_no_item_states_one_is_said(store):
    answer = ask(store, text="dress under 50")
    assert answer.filtered_out == 0
    assert any("under 50" in note for note in answer.notes)
