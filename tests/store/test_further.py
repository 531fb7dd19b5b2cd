"""Several vectors an item, against a slow, obvious loop."""

from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from coordi.errors import StoreError
from coordi.store import ivf, open_store
from coordi.store.repair import repair
from coordi.store.verify import verify
from coordi.types import Item

A, B = "a" * 16, "b" * 16
DIM = 8


def slow_nearest(views, query, k, passes):
    """(id, score) of the `k` best items by their best view; ties in store order."""
    scored = [
        (-max(float(np.dot(view.astype(float), query.astype(float))) for view in of_item), at, id)
        for at, (id, of_item) in enumerate(views.items())
        if passes(id)
    ]
    return [(id, -score) for score, _, id in sorted(scored)[:k]]


class Shop:
    """A store, and beside it what it should hold: id → its views, in store order."""

    def __init__(self, folder, exact_floats):
        self.open = lambda: open_store(folder / "store", create=True, exact_floats=exact_floats)
        self.store, self.views = self.open(), {}

    def put(self, ids, random):
        # On a grid of 1/16, so that sums of products are exact in any order and ties are many.
        made = {id: random.integers(-2, 3, (random.integers(1, 5), DIM)) / 16 for id in ids}
        made = {id: rows.astype(np.float32) for id, rows in made.items()}
        self.store.put(
            [Item(id, fields={"n": int(id)}) for id in made],
            A,
            np.stack([rows[0] for rows in made.values()]),
            ["s-r" for _ in made],
            further=[rows[1:] if len(rows) > 1 else None for rows in made.values()],
        )
        for id, rows in made.items():
            self.views.pop(id, None)
            self.views[id] = rows

    def delete(self, ids):
        self.store.delete(ids)
        for id in ids:
            self.views.pop(id, None)

    def check(self, random):
        if not self.views:
            return
        index = self.store.index(A)
        assert index.total == len(self.views)
        for where, passes in ((None, lambda _: True), ("n < 12", lambda id: int(id) < 12)):
            assert index.allowed(where) == sum(map(passes, self.views))
            for k in (1, 3, 40):
                query = random.integers(-2, 3, DIM).astype(np.float32) / 16
                found = index.nearest(query, k, where)
                pairs = list(zip(index.ids(found.rows), found.scores.tolist(), strict=True))
                assert pairs == slow_nearest(self.views, query, k, passes)
                # The row is that of the best view, and `main` leads to the item's first.
                np.testing.assert_array_equal(index.vectors(found.rows) @ query, found.scores)
                mains = [index.row(id) for id in index.ids(found.rows)]
                assert index.main(found.rows).tolist() == mains
        ids = list(self.views)
        stored = self.store.vectors_of(ids, A)
        np.testing.assert_array_equal(stored, [self.views[id][0] for id in ids])
        for id, rows in zip(ids, self.store.further_of(ids, A), strict=True):
            np.testing.assert_array_equal(rows, self.views[id][1:])


STEPS = st.lists(st.sampled_from(["put", "put", "delete", "compact", "reopen"]), max_size=6)


@pytest.mark.parametrize("exact_floats", [10**6, 0], ids=["exact", "ivf"])
@settings(max_examples=12, deadline=None, phases=set(Phase) - {Phase.shrink})
@given(STEPS, st.integers(0, 2**32 - 1))
def test_an_item_scores_by_its_best_view(exact_floats, steps, seed):
    random = np.random.default_rng(seed)
    everywhere = mock.patch.object(ivf.Ivf, "nprobe", lambda self, _: self.cells)
    with TemporaryDirectory() as folder, everywhere:
        shop = Shop(Path(folder), exact_floats)
        shop.put([str(n) for n in range(25)], random)
        for step in steps:
            some = [str(n) for n in np.unique(random.integers(0, 30, 6))]
            if step == "put":
                shop.put(some, random)
            elif step == "delete":
                shop.delete(some)
            elif step == "compact":
                shop.store.compact()
            else:
                shop.store.close()
                shop.store = shop.open()
            shop.check(random)
        shop.check(random)
        assert verify(shop.store.path).sound


def test_an_older_snapshot_keeps_its_views(tmp_path):
    random = np.random.default_rng(1)
    shop = Shop(tmp_path, 10**6)
    shop.put(["1", "2", "3"], random)
    before, views = shop.store.snapshot(), dict(shop.views)
    shop.put(["1", "4"], random)
    shop.delete(["2"])
    shop.check(random)
    query = np.full(DIM, 1 / 16, dtype=np.float32)
    index = before.index(A)  # made after the store went on
    found = index.nearest(query, 5)
    pairs = list(zip(index.ids(found.rows), found.scores.tolist(), strict=True))
    assert pairs == slow_nearest(views, query, 5, lambda _: True)


def put_one(store, fingerprint, hash, further=None):
    row = np.ones((1, DIM), dtype=np.float32)
    store.put([Item("x")], fingerprint, row, [hash], further=further)


def test_another_encoders_further_vectors_stay_while_their_pictures_do(tmp_path):
    store = open_store(tmp_path / "store", create=True)
    further = [np.full((2, DIM), 0.5, dtype=np.float32)]
    put_one(store, A, "main-rest-one.two", further)
    assert (store.views(A), store.viewed(A)) == ("all", {"x"})
    put_one(store, B, "main-price-one.two")
    assert (store.views(B), store.viewed(B)) == ("main", set())
    np.testing.assert_array_equal(store.further_of(["x"], A), further)
    put_one(store, B, "main-price-one.three")  # a further picture is another one now
    assert store.viewed(A) == set()
    assert len(store.vectors_of(["x"], A)) == 1
    put_one(store, A, "main-price-one.three", further)
    put_one(store, B, "other-price-one.three")
    assert (store.viewed(A), store.signatures(A)) == (set(), {})


def test_views_survive_repair_and_damage_to_them_is_found(tmp_path):
    random = np.random.default_rng(2)
    shop = Shop(tmp_path, 0)
    shop.put([str(n) for n in range(20)], random)
    shop.check(random)
    for seal in (shop.store.path / "items.lance" / "_seals").glob("*.json"):
        seal.write_text("{}")
    repair(shop.store.path)
    shop.store = shop.open()
    assert shop.store.views(A) == "all"
    shop.check(random)
    shop.store.put(
        [Item("bad", fields={"n": 99})], A, np.ones((1, DIM), dtype=np.float32), ["s-r"],
        further=[np.full((1, DIM), np.nan, dtype=np.float32)],
    )  # fmt: skip
    found = verify(shop.store.path)
    assert [fault.reason for fault in found.faults] == [f"w_{A} holds what are no vectors of {DIM}"]


def test_vectors_of_another_length_are_refused(tmp_path):
    store = open_store(tmp_path / "store", create=True)
    with pytest.raises(StoreError, match="do not fit"):
        put_one(store, A, "s-r", [np.ones((2, DIM + 1), dtype=np.float32)])
    assert store.count() == 0
