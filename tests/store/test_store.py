"""Items in and out, updates, deletions, types that widen, readers that follow."""

import json
from pathlib import Path

import numpy as np
import pytest

from coordi.errors import FilterError, FingerprintError, NotFoundError, StoreError
from coordi.geometry import unit_rows
from coordi.store import open_store
from coordi.types import ImageRef, Item, Origin

A, B = "a" * 16, "b" * 16
DIM = 8


def vectors(count, seed=0, dim=DIM):
    return unit_rows(np.random.default_rng(seed).standard_normal((count, dim)))


def put(store, items, rows=None, fingerprint=A, hashes=None, **extra):
    rows = vectors(len(items)) if rows is None else rows
    store.put(items, fingerprint, rows, hashes or [item.id for item in items], **extra)


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "store", create=True) as opened:
        yield opened


def test_items_come_back_as_they_went_in(store, tmp_path):
    items = [
        Item("1", ImageRef(path=Path("/a b/ü.jpg")), "Täß", "long\ntext", {"price": 9.5}),
        Item("2", ImageRef(data=b"\x00\xff"), fields={"id": 7, "title": "x", "sale": True}),
        Item("3", origin=Origin("f.csv", 12), fields={"é.ü b~c%": "y", "seq": "s", "v_x": "v"}),
        Item("4", origin=Origin("f.csv"), fields={"": "nameless", "Price": -1, "price": 1.0}),
    ]
    put(store, items)
    assert store.get(["3", "1", "2", "4", "1"]) == [items[i] for i in (2, 0, 1, 3, 0)]
    with open_store(tmp_path / "store") as again:
        assert again.get(["1", "2", "3", "4"]) == items
        assert again.ids() == ["1", "2", "3", "4"]
        assert again.count() == 4


def test_a_missing_item_is_named(store):
    put(store, [Item("1")])
    with pytest.raises(NotFoundError, match="'nope'"):
        store.get(["1", "nope"])


def test_a_folder_without_a_store_is_refused_or_made(tmp_path):
    with pytest.raises(NotFoundError, match="coordi ingest"):
        open_store(tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert open_store(tmp_path / "x", create=True).count() == 0
    assert open_store(tmp_path / "x", create=True).count() == 0


def test_a_store_of_another_format_or_a_broken_one_is_refused(store, tmp_path):
    settings = tmp_path / "store" / "store.json"
    known = json.loads(settings.read_text())
    settings.write_text(json.dumps({**known, "format": 99}))
    with pytest.raises(StoreError, match="format 99"):
        open_store(tmp_path / "store")
    settings.write_text("{")
    with pytest.raises(StoreError, match=r"store\.json"):
        open_store(tmp_path / "store")


def test_an_update_replaces_and_a_deletion_removes(store):
    put(store, [Item(str(i), fields={"n": i}) for i in range(10)])
    put(store, [Item("3", title="new"), Item("10")])
    assert store.delete(["5", "5", "nope"]) == 1
    assert store.ids() == ["0", "1", "2", "4", "6", "7", "8", "9", "3", "10"]
    assert store.get(["3"])[0] == Item("3", title="new")
    assert store.delete([]) == 0
    with pytest.raises(NotFoundError):
        store.get(["5"])


def test_numbers_of_rows_are_not_used_again_after_a_deletion(store, tmp_path):
    rows = vectors(2)
    put(store, [Item("a")], rows[:1])
    reader = open_store(tmp_path / "store")
    assert reader.index(A).ids(np.array([0])) == ["a"]
    store.delete(["a"])
    with open_store(tmp_path / "store") as other:
        put(other, [Item("b")], rows[1:])
    index = reader.index(A)
    found = index.nearest(rows[1], 5)
    assert index.ids(found.rows) == ["b"]
    np.testing.assert_allclose(found.scores, [1], rtol=1e-6)


def test_everything_can_be_deleted_and_come_back(store, tmp_path):
    put(store, [Item(str(i)) for i in range(5)])
    assert store.delete(store.ids()) == 5
    assert store.count() == 0
    assert store.facets() == []
    assert list(store.vectors(A)) == []
    with open_store(tmp_path / "store") as again:
        assert again.index(A).nearest(vectors(1)[0], 3).rows.tolist() == []
    put(store, [Item("2")])
    assert store.ids() == ["2"]


def test_one_step_refuses_the_same_id_twice_and_uneven_lists(store):
    with pytest.raises(StoreError, match="twice"):
        put(store, [Item("1"), Item("1")])
    with pytest.raises(StoreError, match="2 items, 1 vectors"):
        store.put([Item("1"), Item("2")], A, vectors(1), ["x", "y"])
    assert store.count() == 0


def test_vectors_of_another_width_are_refused(store):
    put(store, [Item("1")])
    with pytest.raises(StoreError, match="8 dimensions, not 4"):
        put(store, [Item("2")], vectors(1, dim=4))


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        ([1, 2.5], "number", [1.0, 2.5]),
        ([1, "x"], "text", ["1", "x"]),
        ([2.0, "x"], "text", ["2.0", "x"]),
        ([1, 2.5, "x"], "text", ["1", "2.5", "x"]),
        ([True, 2], "text", ["true", "2"]),
        ([False, "x"], "text", ["false", "x"]),
        ([1, 2**70], "text", ["1", str(2**70)]),
        ([None, 3], "integer", [None, 3]),
        ([float("nan"), 3.0], "number", [None, 3.0]),
        ([2**60 + 1, 1], "integer", [2**60 + 1, 1]),
    ],
)
def test_a_field_widens_without_loss(store, tmp_path, values, kind, read):
    for row, value in enumerate(values):
        put(store, [Item(str(row), fields={"f": value})])
    for opened in (store, open_store(tmp_path / "store")):
        assert opened.stats().fields == {"f": kind}
        found = [item.fields.get("f") for item in opened.get([str(i) for i in range(len(values))])]
        assert found == read
        assert [type(value) for value in found] == [type(value) for value in read]
        for row, value in enumerate(read):
            literal = f"'{value}'" if isinstance(value, str) else str(value)
            where = "f is null" if value is None else f"f = {literal}"
            assert opened.select(where).tolist() == [value == other for other in read]
            assert opened.select(where)[row]


def test_a_late_field_is_empty_in_earlier_items(store):
    put(store, [Item("1")])
    assert store.select(None).tolist() == [True]
    with pytest.raises(FilterError, match="no item has a field named 'brand'"):
        store.select("brand = 'x'")
    put(store, [Item("2", fields={"brand": "x"})])
    assert store.select("brand = 'x'").tolist() == [False, True]
    assert store.select("brand is null").tolist() == [True, False]


def test_an_items_own_words_can_be_filtered_unless_a_field_has_the_name(store):
    put(store, [Item("1", title="red dress"), Item("2", description="a coat")])
    assert store.select("title ~ 'DRESS'").tolist() == [True, False]
    assert store.select("id = '2' and description ~ 'coat'").tolist() == [False, True]
    put(store, [Item("3", title="coat", fields={"title": "Lord"})])
    assert store.select("title = 'Lord'").tolist() == [False, False, True]
    assert store.select("id >= '2'").tolist() == [False, True, True]


def test_a_second_encoder_has_its_own_column(store):
    one, two = vectors(3), vectors(3, seed=1, dim=4)
    items = [Item(str(i)) for i in range(3)]
    put(store, items, one, encoder="first")
    put(store, items[:2], two[:2], B, encoder="second")
    assert [(e.fingerprint, e.name, e.dim) for e in store.encoders()] == [
        (A, "first", 8),
        (B, "second", 4),
    ]
    np.testing.assert_array_equal(store.vectors_of(["0", "1", "2"], A), one)
    np.testing.assert_array_equal(store.vectors_of(["1", "0"], B), two[[1, 0]])
    with pytest.raises(NotFoundError, match="no vector"):
        store.vectors_of(["2"], B)
    assert store.signatures(A) == {"0": "0", "1": "1", "2": "2"}
    assert store.signatures(B) == {"0": "0", "1": "1"}
    assert store.stats().vectors == {A: 3, B: 2}
    assert (store.index(A).total, store.index(B).total) == (3, 2)


def test_changed_content_loses_the_vectors_of_other_encoders(store):
    put(store, [Item("1"), Item("2")], hashes=["x", "x"])
    put(store, [Item("1"), Item("2")], vectors(2, 1), B, hashes=["x", "y"])
    assert store.signatures(A) == {"1": "x"}
    assert store.signatures(B) == {"1": "x", "2": "y"}


def test_a_new_price_keeps_the_vectors_of_other_encoders(store):
    one = vectors(2)
    put(store, [Item("1"), Item("2")], one, hashes=["pic1-price1", "pic2-price1"])
    put(store, [Item("1"), Item("2")], vectors(2, 1), B, hashes=["pic1-price2", "pic3-price1"])
    assert store.signatures(A) == {"1": "pic1-price2"}
    np.testing.assert_array_equal(store.vectors_of(["1"], A), one[:1])


def test_encoders_stand_in_the_order_of_their_first_vector(store):
    put(store, [Item("1")], encoder="first")
    put(store, [Item("1")], fingerprint=B, encoder="second")
    put(store, [Item("2")], encoder="first")
    assert [entry.name for entry in store.encoders()] == ["first", "second"]


def test_the_store_keeps_its_encoder_until_somebody_changes_it(store, tmp_path):
    assert store.snapshot().encoder is None
    put(store, [Item("1"), Item("2")], encoder="first")
    put(store, [Item("1")], vectors(1, 1), B, encoder="second")
    assert store.snapshot().encoder.name == "first"
    store.use_encoder(B)
    assert store.snapshot().encoder.name == "second"
    with pytest.raises(FingerprintError, match="no vectors of the encoder cccc"):
        store.use_encoder("c" * 16)
    put(store, [Item("3")], encoder="first")
    assert open_store(tmp_path / "store").snapshot().encoder.name == "second"


def test_an_item_without_a_vector_is_there_and_is_not_found(store, tmp_path):
    rows = vectors(3)
    rows[1] = np.nan
    put(store, [Item("1"), Item("2"), Item("3")], rows)
    for opened in (store, open_store(tmp_path / "store")):
        index = opened.index(A)
        assert opened.count() == 3
        assert index.total == 2
        assert index.ids(index.nearest(rows[2], 5).rows) in (["3", "1"],)
        with pytest.raises(NotFoundError, match="no vector"):
            index.row("2")


def test_an_unknown_encoder_is_refused(store):
    put(store, [Item("1")], encoder="mini")
    with pytest.raises(FingerprintError, match=r"mini \(aaaa"):
        store.index(B)


def test_vectors_come_in_store_order(store):
    rows = vectors(20)
    put(store, [Item(str(i)) for i in range(20)], rows)
    store.delete(["4"])
    put(store, [Item("2")], rows[2:3])
    ((ids, found),) = store.vectors(A)
    assert ids == store.ids()
    np.testing.assert_array_equal(found, rows[[int(id) for id in ids]])


def test_a_reader_sees_every_change_at_its_next_call(store, tmp_path):
    rows = vectors(30)
    reader = open_store(tmp_path / "store")
    versions = [reader.version]
    for i in range(10):
        put(store, [Item(str(i), fields={"n": i})], rows[i : i + 1])
        versions.append(reader.version)
        index = reader.index(A)
        assert index.ids(index.nearest(rows[i], 1).rows) == [str(i)]
        assert reader.select(f"n = {i}").sum() == 1
    store.delete(["3"])
    put(store, [Item("4", title="new", fields={"n": "four"})], rows[20:21])
    assert reader.ids() == [*"012", *"56789", "4"]
    assert reader.get(["4"])[0].fields == {"n": "four"}
    assert reader.get(["5"])[0].fields == {"n": "5"}
    assert versions == sorted(set(versions))


def test_an_index_stays_as_it_was_while_the_store_goes_on(store):
    rows = vectors(40)
    put(store, [Item(str(i), fields={"n": i}) for i in range(20)], rows[:20])
    old = store.index(A)
    before = old.nearest(rows[30], 20)
    put(store, [Item(str(i), fields={"n": i, "m": "x"}) for i in range(15, 40)], rows[:25])
    store.delete(["0", "1"])
    after = old.nearest(rows[30], 20)
    np.testing.assert_array_equal(before.rows, after.rows)
    np.testing.assert_array_equal(before.scores, after.scores)
    assert old.ids(before.rows) == old.ids(after.rows)
    assert old.total == 20


def test_compaction_changes_nothing_that_a_reader_sees(store, tmp_path):
    rows = vectors(60)
    for i in range(60):
        put(store, [Item(str(i), fields={"n": i})], rows[i : i + 1])
    reader = open_store(tmp_path / "store")
    old = reader.index(A)
    store.delete([str(i) for i in range(0, 60, 7)])
    ids = store.ids()
    store.compact()
    for opened in (store, reader, open_store(tmp_path / "store")):
        assert opened.ids() == ids
        assert [item.id for item in opened.get(ids)] == ids
        index = opened.index(A)
        assert index.ids(index.nearest(rows[8], 1).rows) == ["8"]
        assert opened.select("n > 50").sum() == 8
    assert old.total == 60
    put(store, [Item("60")], rows[:1])
    assert reader.ids() == [*ids, "60"]


def test_ids_from_a_file_a_folder_or_a_glob(store):
    origins = ["/d/a.csv", "/d/b.csv", "/d/sub/c.csv", "/dd/a.csv"]
    put(store, [Item(str(i), origin=Origin(file, i)) for i, file in enumerate(origins)])
    put(store, [Item("none")])
    assert store.ids_from("/d/a.csv") == ["0"]
    assert store.ids_from("/d") == ["0", "1", "2"]
    assert store.ids_from("/d/*.csv") == ["0", "1", "2"]
    assert store.ids_from("/x") == []


def test_facets_count_values_and_span_numbers(store):
    colors = ["red", "blue", "red", None, "red"]
    items = [
        Item(str(i), fields={"color": color, "price": i / 2, "sale": i > 2, "n": i})
        for i, color in enumerate(colors)
    ]
    put(store, items)
    store.delete(["0"])
    facets = {facet.name: facet for facet in store.facets()}
    assert facets["color"].values == (("red", 2), ("blue", 1))
    assert facets["color"].distinct == 2
    assert facets["sale"].values == (("false", 2), ("true", 2))
    assert (facets["price"].minimum, facets["price"].maximum) == (0.5, 2.0)
    assert (facets["n"].kind, facets["n"].minimum) == ("integer", 1)
    put(store, [Item("9", fields={"color": "blue"})])
    assert {f.name: f for f in store.facets()}["color"].values == (("blue", 2), ("red", 2))


def test_stats_say_what_is_there(store):
    put(store, [Item("1", fields={"price": 1.5})], encoder="mini")
    stats = store.stats()
    assert (stats.items, stats.fields, stats.vectors) == (1, {"price": "number"}, {A: 1})
    assert stats.bytes > 1000
    assert stats.version == store.version
