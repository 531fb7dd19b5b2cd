"""Automatic fields: told, told again, and gone without a trace."""

import numpy as np
import pytest

from coordi.errors import StoreError
from coordi.store import open_store
from coordi.types import Item

ONE, TWO = "1" * 16, "2" * 16


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "store", create=True) as store:
        items = [Item(f"i{n}", title=f"a garment {n}", fields={"price": n}) for n in range(8)]
        rows = np.eye(8, dtype=np.float32)
        further = [rows[:n] if n else None for n in range(8)]
        store.put(items, ONE, rows, [f"a{n}-b" for n in range(8)], further=further)
        store.put(items, TWO, rows[::-1].copy(), [f"a{n}-b" for n in range(8)])
        yield store


def state(store):
    ids = sorted(store.ids())
    return (
        store.signatures(ONE),
        store.vectors_of(ids, ONE).tolist(),
        store.vectors_of(ids, TWO).tolist(),
        [rows.tolist() for rows in store.further_of(ids, ONE)],
        [{k: v for k, v in item.fields.items() if not k.startswith("auto_")}
         for item in store.get(ids)],
    )  # fmt: skip


def test_what_is_told_stands_beside_what_was_there(store):
    before = state(store)
    assert store.tell({"i1": {"auto_color": "red"}, "i2": {}, "gone": {}}, "m") == 2
    assert state(store) == before
    assert store.get(["i1"])[0].fields == {"price": 1, "auto_color": "red"}
    assert store.told() == {"i1": "m", "i2": "m"}
    assert store.select("auto_color = 'red'").sum() == 1
    assert store.words().find([[["red"]]], 3)[0].tolist() != []
    store.tell({"i1": {"auto_length": "mini"}}, "n")
    assert store.get(["i1"])[0].fields == {"price": 1, "auto_length": "mini"}
    assert store.told()["i1"] == "n"


def test_all_of_it_goes(store):
    before = state(store)
    store.tell({"i1": {"auto_color": "red"}}, "m")
    store.tell({"i1": {}}, None)
    store.untell()
    assert state(store) == before
    assert [facet.name for facet in store.facets()] == ["price"]
    assert store.told() == {}
    assert store.words().find([[["red"]]], 3)[0].tolist() == []
    with open_store(store.path) as again:
        assert state(again) == before
    store.tell({"i1": {"auto_color": "blue"}}, "m")
    assert store.get(["i1"])[0].fields["auto_color"] == "blue"


def test_an_item_written_anew_is_untold(store):
    store.tell({"i1": {"auto_color": "red"}, "i2": {"auto_color": "red"}}, "m")
    item = Item("i1", title="new", fields={"price": 9})
    store.put([item], ONE, np.eye(8, dtype=np.float32)[:1], ["x-y"])
    assert store.told() == {"i2": "m"}
    assert "auto_color" not in store.get(["i1"])[0].fields


def test_a_catalogues_own_field_of_such_a_name_is_not_touched(tmp_path):
    with open_store(tmp_path / "other", create=True) as store:
        item = Item("a", title="x", fields={"auto_brand": "Fiat"})
        store.put([item], ONE, np.ones((1, 4), np.float32) / 2, ["h-r"])
        with pytest.raises(StoreError, match="auto_brand"):
            store.tell({"a": {"auto_color": "red"}}, "m")
        assert store.get(["a"])[0].fields == {"auto_brand": "Fiat"}


def test_several_colours_are_counted_one_by_one(store):
    store.tell({"i1": {"auto_colors": "navy;white"}, "i2": {"auto_colors": "white"}}, "m")
    [facet] = [facet for facet in store.facets() if facet.name == "auto_colors"]
    assert facet.values == (("white", 2), ("navy", 1))
