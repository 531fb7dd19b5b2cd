"""One encoder's vectors follow the table without ever holding a row twice."""

import numpy as np
import pytest

from coordi.store import open_store, table
from coordi.types import Item

A = "a" * 16


def rows(count, seed):
    vectors = np.random.default_rng(seed).standard_normal((count, 8)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("leak", ["known", "twice"])
def test_a_row_that_is_read_again_is_not_held_twice(tmp_path, monkeypatch, leak):
    store = open_store(tmp_path / "store", create=True)
    store.put([Item(str(i)) for i in range(5)], A, rows(5, 0), ["-"] * 5)
    assert store.index(A).total == 5
    plain = table.newer_than

    def leaking(dataset, seq, columns):
        import pyarrow as pa

        found = plain(dataset, -1 if leak == "known" else seq, columns)
        return found if leak == "known" else pa.concat_tables([found, found]).sort_by("seq")

    monkeypatch.setattr(table, "newer_than", leaking)
    store.put([Item(str(i)) for i in range(5, 9)], A, rows(4, 1), ["-"] * 4)
    index = store.index(A)
    assert index.total == 9
    found = index.nearest(rows(4, 1)[2], 9)
    assert sorted(index.ids(found.rows)) == [str(i) for i in range(9)]
    assert index.ids(found.rows[:1]) == ["7"]
