"""The index of words: against a slow BM25, over commits, filters, damage and kills."""

import json
import math
import shutil
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordi.store import lexical, lexicalspace, open_store
from coordi.store.analysis import codes_of, stems_of, words_of
from coordi.types import Item

DIM = 4
KINDS = ("dress", "shirt", "boots", "scarf")
COLORS = ("red", "blue", "green")


def item(number, title=None):
    kind, color = KINDS[number % 4], COLORS[number % 3]
    words = f"{color} {kind}" + " soft" * (number % 5 == 0) + " long sleeves" * (number % 7 == 0)
    return Item(f"sku-{number:04d}", title=title or words, fields={"category": kind, "n": number})


def put(store, items):
    store.put(items, "a" * 16, np.eye(DIM, dtype=np.float32)[[0] * len(items)], ["-"] * len(items))


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "store", create=True) as opened:
        put(opened, [item(number) for number in range(60)])
        yield opened


def found(store, *words, k=100, **options):
    at = store.snapshot()
    positions, scores = at.words().find([[[word]] for word in words], k, **options)
    return [at.rows.ids[position] for position in positions], scores


def slow(items, words):
    """BM25 with k1 = 1.2, b = .75; a word by its best field, as rare as in its commonest."""
    fields = {
        "title": [stems_of(words_of(one.title)) for one in items],
        "fields": [stems_of(words_of(str(one.fields["category"]))) for one in items],
    }
    scores = np.zeros(len(items))
    for stem in stems_of(words):
        having = max(sum(stem in text for text in texts) for texts in fields.values())
        rarity = math.log(1 + (len(items) - having + 0.5) / (having + 0.5))
        parts = []
        for name, texts in fields.items():
            mean = sum(map(len, texts)) / len(texts)
            counts = [Counter(text)[stem] for text in texts]
            parts.append([
                lexical.WEIGHTS[name] * rarity * count * 2.2
                / (count + 1.2 * (0.25 + 0.75 * len(text) / mean))
                for count, text in zip(counts, texts, strict=True)
            ])  # fmt: skip
        best, both = np.max(parts, axis=0), np.sum(parts, axis=0)
        scores += best + lexical.TIE * (both - best)
    return scores


@pytest.mark.parametrize(
    "words", [["dress"], ["red", "boots"], ["soft", "long", "sleeves", "scarf"]]
)
def test_scores_are_those_of_a_slow_loop(store, words):
    items = [item(number) for number in range(60)]
    expected = dict(zip([one.id for one in items], slow(items, words), strict=True))
    ids, scores = found(store, *words)
    assert set(ids) == {id for id, score in expected.items() if score > 0}
    np.testing.assert_allclose(scores, [expected[id] for id in ids], rtol=1e-4)
    assert (np.diff(scores) <= 0).all()


def test_a_part_in_memory_scores_as_one_index_does(store):
    # Idf is that of all parts together; only the mean length of a text is each part's own.
    put(store, [item(number) for number in range(60, 90)])
    base = dict(zip(*found(store, "red", "boots"), strict=True))
    store.snapshot()
    again = open_store(store.path)
    shutil.rmtree(store.path / "derived")
    whole = dict(zip(*found(again, "red", "boots"), strict=True))
    assert base.keys() == whole.keys()
    for id, score in whole.items():
        assert base[id] == pytest.approx(score, rel=0.1)


@pytest.mark.parametrize("pushed", [0, 4096])
@pytest.mark.parametrize("where", ["n < 20", "n >= 20 and category = 'dress'", "n < 0"])
def test_filters_leave_the_order_and_the_scores(store, monkeypatch, pushed, where):
    monkeypatch.setattr(lexical, "PUSHED_DOWN", pushed)
    at = store.snapshot()
    passing = {id for id, yes in zip(at.ids(), at.select(where), strict=True) if yes}
    every, scores = found(store, "red", "dress")
    expected = [(i, s) for i, s in zip(every, scores.tolist(), strict=True) if i in passing]
    for k in (1, 5, 100):
        ids, likeness = found(store, "red", "dress", k=k, where=where)
        assert list(zip(ids, likeness.tolist(), strict=True)) == expected[:k]


def test_a_snapshot_answers_as_at_its_commit_whatever_comes_later(store):
    before = store.snapshot()
    old = before.words().find([[["boots"]]], 100)[0].tolist()
    put(store, [item(2, "a teapot"), item(99, "red boots")])
    store.delete(["sku-0006"])
    again = before.words().find([[["boots"]]], 100)[0].tolist()
    assert again == old
    ids, _ = found(store, "boots")
    assert "sku-0099" in ids
    assert "sku-0006" not in ids
    assert found(store, "teapot")[0] == ["sku-0002"]
    assert before.words().find([[["teapot"]]], 5)[0].tolist() == []


def test_an_older_snapshot_asked_first_after_a_newer_one_is_right(store):
    before = store.snapshot()
    put(store, [item(200, "one teapot")])
    assert found(store, "teapot")[0] == ["sku-0200"]
    assert before.words().find([[["teapot"]]], 5)[0].tolist() == []


def test_many_changes_make_it_anew_and_lose_nothing(store, monkeypatch):
    monkeypatch.setattr(lexicalspace, "_TAIL_ROWS", 3)
    for number in range(60, 100):
        put(store, [item(number)])
        expected = {item(n).id for n in range(number + 1) if n % 4 == 2}
        assert set(found(store, "boots")[0]) == expected
    assert len(list((store.path / "derived").glob("words.*"))) == 2  # one folder, one list


def test_it_is_kept_on_disk_and_opened_again(store, monkeypatch):
    expected = found(store, "red", "boots")
    monkeypatch.setattr(lexicalspace, "_write", None)  # whoever makes it anew now fails
    with open_store(store.path) as again:
        assert found(again, "red", "boots")[0] == expected[0]


def _damage(folder):
    target = next(path for path in folder.glob("words.*") if path.is_dir())
    return target, next(target.glob("*.idx"))


@pytest.mark.parametrize("how", ["flip", "cut", "gone", "list", "half", "folder"])
def test_what_is_damaged_or_missing_is_made_anew(store, how):
    expected = found(store, "red", "boots")[0]
    folder = store.path / "derived"
    target, file = _damage(folder)
    data = file.read_bytes()
    if how == "flip":
        file.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    elif how == "cut":
        file.write_bytes(data[:10])
    elif how == "gone":
        file.unlink()
    elif how == "list":
        (folder / "words.json").write_text("{")
    elif how == "half":  # a writer that was killed before its list counted
        shutil.copytree(target, folder / "words.0badf00d")
        (folder / "words.json").unlink()
    else:
        shutil.rmtree(target)
    with open_store(store.path) as again:
        assert found(again, "red", "boots")[0] == expected
    # And for whoever had it open.
    assert found(store, "red", "boots")[0] == expected


def test_verify_tells_of_a_damaged_index_and_that_nothing_is_lost(store):
    from coordi.store.verify import verify

    found(store, "red")
    assert verify(store.path).sound
    _, file = _damage(store.path / "derived")
    file.write_bytes(b"x" + file.read_bytes()[1:])
    (fault,) = verify(store.path).faults
    assert "words.json" in fault.file
    assert "made again" in fault.consequence


def test_a_table_put_back_to_an_earlier_state_is_not_answered_from_newer_words(store, tmp_path):
    shutil.copytree(store.path / "items.lance", tmp_path / "kept")
    put(store, [item(300, "a teapot")])
    shutil.rmtree(store.path / "derived")
    assert found(open_store(store.path), "teapot")[0] == ["sku-0300"]
    shutil.rmtree(store.path / "items.lance")
    shutil.copytree(tmp_path / "kept", store.path / "items.lance")
    with open_store(store.path) as back:
        assert found(back, "teapot")[0] == []
        put(back, [item(301, "a kettle")])
        assert found(back, "kettle")[0] == ["sku-0301"]


def test_a_store_of_others_is_not_believed(store, tmp_path):
    found(store, "red")
    with open_store(tmp_path / "other", create=True) as other:
        put(other, [item(1, "a teapot")])
        shutil.copytree(store.path / "derived", other.path / "derived", dirs_exist_ok=True)
        assert found(other, "teapot")[0] == ["sku-0001"]
        meta = json.loads((other.path / "derived" / "words.json").read_text())
        assert meta["store"] == other.snapshot().seal.store


def test_where_nothing_can_be_written_words_are_found_all_the_same(store, monkeypatch):
    expected = found(store, "boots")[0]
    shutil.rmtree(store.path / "derived")

    def full(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(lexicalspace, "_publish", full)
    with open_store(store.path) as again:
        assert found(again, "boots")[0] == expected
    assert not list((store.path / "derived").glob("words.*"))


def test_codes_name_items_by_id_by_part_and_in_titles(store):
    put(store, [item(70, "Watch SHN-5014D-7ADR steel"), item(71, "Watch SHN-9999D-7ADR")])
    at = store.snapshot()

    def coded(text):
        return [at.rows.ids[position] for position in at.words().coded(text)]

    assert coded("SKU-0007") == ["sku-0007"]
    assert coded("shn-5014d-7adr") == ["sku-0070"]
    assert coded("a watch SHN5014D7ADR please") == ["sku-0070"]
    assert coded("5014d") == ["sku-0070"]
    assert sorted(coded("7adr")) == ["sku-0070", "sku-0071"]
    assert coded("red boots") == coded("") == coded("12") == []


def test_what_many_items_have_is_no_code(store):
    put(store, [item(number, f"boots 2012 no{number}x") for number in range(70, 100)])
    assert store.words().coded("2012").tolist() == []
    assert len(store.words().coded("no75x")) == 1


def test_words_of_an_empty_store(tmp_path):
    with open_store(tmp_path / "empty", create=True) as empty:
        words = empty.words()
        assert not words.knows("dress")
        assert words.find([[["dress"]]], 5)[0].tolist() == []
        assert words.vocabulary() == {}


def test_synonyms_of_a_group_count_once_and_less(store):
    at = store.snapshot()
    positions, scores = at.words().find([[["boots"], ["scarf"]]], 100)
    kinds = [at.get([at.rows.ids[position]])[0].fields["category"] for position in positions]
    assert set(kinds) == {"boots", "scarf"}
    assert kinds == sorted(kinds)  # what was typed stands first
    assert scores[-1] < lexical.SYNONYM * scores[0] * 1.3


def test_matches_name_words_and_fields(store):
    words, one = store.words(), item(0)
    (first, second) = words.matches(one, [[["dresses"]], [["crimson"], ["red"]], [["teapot"]]])
    assert (first.word, first.found, first.fields) == ("dresses", "dresses", ("title", "category"))
    assert (second.word, second.found, second.fields) == ("crimson", "red", ("title",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Red T-Shirt", ["red", "tshirt"]),
        ("Levi's v-neck", ["levis", "v", "neck", "vneck"]),
        ("Café JÄGER", ["cafe", "jager"]),
        ("黒いワンピース", ["黒い", "いワ", "ワン", "ンピ", "ピー", "ース"]),
        ("黒", ["黒"]),
        ("ガ", ["ガ"]),
        ("ｆｕｌｌ　ｗｉｄｔｈ", ["full", "width"]),
        ("47086303-08", ["47086303", "08", "4708630308"]),
        ("", []),
        ("— ! ❤️", []),
    ],
)
def test_texts_are_cut_into_words(text, words):
    assert words_of(text) == words


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_cut_the_same_whatever_its_case_and_never_into_blanks(text):
    words = words_of(text)
    assert all(word and not word.isspace() and len(word) <= 64 for word in words)
    assert len(stems_of(words)) == len(words)
    assert set(codes_of(text)) <= set(words)
    assert words_of(" ".join(words)) == words
