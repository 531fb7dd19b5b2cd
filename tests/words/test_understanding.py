"""What queries mean: examples in nine languages, and what must hold for any text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordi.words import LANGUAGES, concepts, understand, without
from coordi.words.grammar import roles

from .examples import EXAMPLES
from .heldout import HELD_OUT

CASES = [
    pytest.param(language, query, chips, id=query)
    for table in (EXAMPLES, HELD_OUT)
    for language, rows in table.items()
    for query, chips in rows.items()
]


@pytest.mark.parametrize(("language", "query", "chips"), CASES)
def test_examples(language, query, chips):
    found = understand(query)
    assert sorted(chip.id for chip in found.chips) == sorted(filter(None, chips.split(", ")))
    assert all(query[chip.start : chip.stop] == chip.text for chip in found.chips)


def test_every_language_has_examples():
    assert tuple(sorted(EXAMPLES)) == tuple(sorted(HELD_OUT)) == tuple(sorted(LANGUAGES))
    assert all(len(rows) >= 12 for rows in EXAMPLES.values())


@pytest.mark.parametrize(
    ("query", "english", "negatives", "rest"),
    [
        ("Navy  Striped dress", "Navy Striped dress", (), ()),
        ("dress for my mother-in-law", "dress for my mother-in-law", (), ("mother", "law")),
        ("dress without buttons or belt, navy", "dress, navy", ("buttons", "belted"), ()),
        ("dress without red buttons", "dress", ("red buttons",), ()),
        ("black but not leather", "black", ("leather",), ()),
        ("not black", "", ("black",), ()),
        ("Zara dress under 50", "Zara dress", (), ("Zara",)),
        ("vestido rojo Zara sin botones", "red dress Zara", ("buttons",), ("Zara",)),
        ("白いブラウス ボタンなし", "white blouse", ("buttons",), ()),
        ("花柄の赤いワンピース ABC-123", "floral red dress ABC-123", (), ("ABC-123",)),
        ("manteau pour femme avec boutons dorés", "women's coat with gold buttons", (), ()),
        ("jumper (not wool)", "jumper", ("wool",), ()),
        ("dress that isn't black", "dress", ("black",), ()),
        ("Kleid für Gäste, nicht schwarz", "dress Gäste", ("black",), ("Gäste",)),
        ("gonna né corta né stretta", "skirt", ("short", "tight"), ()),
        ("pantalón negro ni de chándal", "black trousers", ("tracksuit",), ()),
        ("白くないTシャツ", "t-shirt", ("white",), ()),
        ("chaussures sans lacets", "slip-on shoes", (), ()),
        ("no. 21 bag", "no. 21 bag", (), ("21",)),
        ("rock band tee", "rock band tee", (), ("band",)),
        ("dress without frobs", "dress", ("frobs",), ()),
        ("", "", (), ()),
    ],
)
def test_english(query, english, negatives, rest):
    found = understand(query)
    assert (found.english, found.negatives, found.rest) == (english, negatives, rest)


@pytest.mark.parametrize(
    ("query", "meaning", "language"),
    [
        ("robe", "category:bathrobe", "en"),
        ("robe rouge", "category:dress, color:red", "fr"),
        ("Rock", "category:skirt", "de"),
        ("slip", "category:slip", "en"),
        ("slip noir homme", "category:briefs, color:black, gender:men", "fr"),
        ("costume nero da uomo", "category:swimwear, color:black, gender:men", "it"),
        ("costume gris pour homme", "category:suit, color:grey, gender:men", "fr"),
        ("黒いパンツ", "color:black, category:trousers", "ja"),
        ("pants black", "category:trousers, color:black", "en"),
        ("jersey azul", "category:sweater, color:blue", "es"),
        ("Body schwarz", "category:bodysuit, color:black", "de"),
        ("marron", "color:brown", "es"),
    ],
)
def test_false_friends_go_by_the_other_words(query, meaning, language):
    found = understand(query)
    assert ", ".join(chip.id for chip in found.chips) == meaning
    assert found.language == language


@pytest.mark.parametrize(
    ("query", "low", "high", "currency"),
    [
        ("dress under 50", None, 50, None),
        ("dress less than 30 €", None, 30, "EUR"),
        ("ワンピース 50以下", None, 50, None),
        ("ワンピース ３万円以下", None, 30000, "JPY"),
        ("Kleid unter 50 Euro", None, 50, "EUR"),
        ("Kleid bis 1.299,50 €", None, 1299.5, "EUR"),
        ("robe moins de 50€", None, 50, "EUR"),
        ("between 20 and 40 dress", 20, 40, None),
        ("vestido entre 20 y 40 euros", 20, 40, "EUR"),
        ("원피스 5만원 이상", 50000, None, "KRW"),
        ("200-300元连衣裙", 200, 300, "CNY"),
        ("$1,000+ bag", 1000, None, "USD"),
    ],
)
def test_prices(query, low, high, currency):
    (price,) = [chip.price for chip in understand(query).chips if chip.price is not None]
    assert (price.low, price.high, price.currency) == (low, high, currency)


@pytest.mark.parametrize(
    "query", ["Air Max 90", "levis 501", "dress 36", "No. 5", "under armour tee"]
)
def test_other_numbers_are_no_prices(query):
    assert all(chip.aspect != "price" for chip in understand(query).chips)


def test_a_dropped_chip_says_nothing_any_more():
    found = understand("navy dress without buttons under 50")
    plain = without(found, "color:navy")
    assert plain.english == "dress"
    assert plain.negatives == ("buttons",)
    nothing_negated = without(plain, found.chips[2])
    assert (nothing_negated.english, nothing_negated.negatives) == ("dress", ())
    assert [chip.id for chip in nothing_negated.chips] == ["category:dress", "price:<50"]
    assert understand(found.text, drop=("price:<50",)).english == "navy dress"
    assert without(understand("vestido rojo"), "color:red").english == "dress"


def test_dropping_leaves_no_small_words_behind():
    assert without(understand("dress with pockets"), "detail:pockets").english == "dress"
    assert without(understand("red dress, navy"), "color:navy").english == "red dress"


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_understood(text):
    _holds(text)


def _words(language):
    names = [word.rstrip("-") for concept in concepts() for word in concept.words(language)]
    small = [word for word in roles(language) if word]
    return st.one_of(
        st.sampled_from(names), st.sampled_from(small),
        st.sampled_from(["nike", "501", "50", "€", ",", "-", "ü", "ﾊﾞ", "<", "x"]),
    )  # fmt: skip


@given(
    st.sampled_from(LANGUAGES).flatmap(lambda one: st.lists(_words(one), max_size=7)),
    st.sampled_from(["", " ", " ", " "]),
)
@settings(max_examples=400, deadline=None)
def test_any_words_are_understood(words, gap):
    found = _holds(gap.join(words))
    for chip in found.chips:
        _holds(found.text, (chip.id,))


def _holds(text, drop=()):
    found = understand(text, drop)
    last = 0
    for chip in found.chips:
        assert last <= chip.start < chip.stop <= len(text)
        assert chip.text == text[chip.start : chip.stop]
        assert chip.id not in drop
        last = chip.stop
    # Parts that nobody understood stay foreign, and can mean something among English words.
    if found.language in (None, "en") or not found.rest:
        assert understand(found.english).english == found.english
    plain = not any(chip.negative or chip.price for chip in found.chips)
    if found.language in (None, "en") and plain and not drop and text.isascii():
        assert found.english == " ".join(text.split())
    return found
