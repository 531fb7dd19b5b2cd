"""The tables: complete, without contradictions, and one with the vocabulary of training."""

import pytest

from coordi.data import vocabulary as labels
from coordi.errors import InputError, UnknownNameError
from coordi.words import LANGUAGES, by_id, concepts, synonyms_of, terms, understand
from coordi.words.matching import lexicon
from coordi.words.normal import key, normal, read
from coordi.words.vocabulary import emoji, read_table

TWO_MEANINGS = {
    "en": "knit, high heel, belt, tie, fleece",
    "ja": "ニット, デニム, ベルト",
    "ko": "니트, 목폴라, 데님, 벨트",
    "zh": "针织, 腰带",
    "es": "punto, polar, cinturon, cinto",
    "fr": "maille, tricot, polaire, jean, ceinture",
    "de": "strick, gurtel",
    "it": "maglia, lupetto, pile, smanicato, jeans, cintura",
    "pt": "cropped, malha, trico, jeans, ganga, cinto",
}
"""Words that name a garment, and also something said of one: see `understanding._settled`."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_concept_has_words(language):
    assert [concept.id for concept in concepts() if not concept.words(language)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_with_two_meanings_are_declared(language):
    several = {word: meant for word, meant in lexicon(language).exact.items() if len(meant) > 1}
    assert set(several) == {key(word) for word in TWO_MEANINGS[language].split(", ")}
    for meant in several.values():
        assert [concept.aspect == "category" for concept in meant] == [True, False]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_is_understood_as_its_concept(language):
    known = lexicon(language)
    for concept in concepts():
        for word in concept.words(language):
            table = known.compound if word.endswith("-") else known.exact
            assert concept in table[key(word.rstrip("-"))], (concept.id, word)


def test_parents_exist_and_come_to_an_end():
    for concept in concepts():
        seen = []
        while concept.parent is not None:
            seen.append(concept.id)
            concept = by_id()[f"{concept.aspect}:{concept.parent}"]
            assert concept.id not in seen


@pytest.mark.parametrize(
    ("aspect", "table"), [("category", labels.CATEGORIES), ("color", labels.COLORS)]
)
def test_one_with_the_vocabulary_of_training(aspect, table):
    for name, label in table.items():
        concept = by_id()[f"{aspect}:{name}"]
        wider = [w.name for w in _wider(concept) if w.name in table]
        assert wider == list(labels.ancestors(name, table))
        for word in label.words:
            meant = [chip for chip in understand(word).chips if chip.aspect == aspect]
            assert len(meant) == 1, word
            said = by_id()[meant[0].id]
            # The tables here are finer: what training calls "swimwear" may be "bikini" here.
            kin = {said.name, said.parent, concept.name, concept.parent}
            assert name in kin or name == "trousers", (word, said.id)


def _wider(concept):
    while concept.parent is not None:
        concept = by_id()[f"{concept.aspect}:{concept.parent}"]
        yield concept


def test_emoji_mean_concepts():
    assert emoji()["👗"][0].id == "category:dress"
    assert [chip.id for chip in understand("👗❤️").chips] == ["category:dress", "color:red"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a | | b", "t.txt:1: 3 cells where 11 belong"),
        ("# x\n" + "a | | " + " | ".join("b" * 9) + "\n" + "a | | " + " | ".join("b" * 9),
         "t.txt:3: 'a' stands twice"),
        ("a | z | " + " | ".join("b" * 9), "t.txt:1: the parent 'z' of 'a' has no row"),
        (" | | " + " | ".join("b" * 9), "t.txt:1: a row without a name"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named(rows, message):
    with pytest.raises(InputError, match=message):
        read_table("category", rows, "t.txt")


def test_an_unknown_language_is_named():
    with pytest.raises(UnknownNameError, match="unknown language 'nl'"):
        concepts()[0].words("nl")


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("Ｔシャツ", "tシヤツ"), ("ﾊﾞｯｸﾞ", "バッグ"), ("ばっぐ", "バッグ"),
        ("紅色連衣裙", "红色连衣裙"),
        ("Été", "ete"), ("weiß", "weiss"), ("cœur", "coeur"),
    ],
)  # fmt: skip
def test_one_form(written, form):
    assert normal(written) == form
    assert read(written).text == form


def test_synonyms():
    assert "sneakers" in synonyms_of("trainers")
    assert {"sweater", "pullover"} <= set(synonyms_of("jumper"))
    assert "handbag" in synonyms_of("purse")
    assert synonyms_of("Zara") == synonyms_of("") == ()


def test_terms_in_the_catalogue_s_language():
    found = understand("red trainers without zip Zara")
    english = terms(found)
    assert [term.chip and term.chip.id for term in english] == [
        "color:red", "category:trainers", None,
    ]  # fmt: skip
    assert "sneakers" in english[1].words
    assert english[2].words == ("Zara",)
    german = terms(found, ("de",))
    assert "rot" in german[0].words
    assert "Tシャツ" in terms(understand("tee"), ("ja",))[0].words
    assert "Turnschuhe" in german[1].words
