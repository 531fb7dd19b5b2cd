"""A snapshot never changes; whatever interrupts a writer, the last commit stays."""

import json
import os
import shutil
import time
from datetime import timedelta

import lance
import numpy as np
import pytest

from coordi.errors import NotFoundError, StoreDamagedError, StoreError
from coordi.geometry import unit_rows
from coordi.store import creation, derived, open_store, seal, table
from coordi.store import lance as store_module
from coordi.store.verify import verify
from coordi.types import ImageRef, Item

A, B = "a" * 16, "b" * 16


def vectors(count, seed=0):
    return unit_rows(np.random.default_rng(seed).standard_normal((count, 8)))


def items(numbers, title="old"):
    return [Item(str(n), title=title, fields={"n": n, "title_now": title}) for n in numbers]


def put(store, numbers, seed=0, title="old", fingerprint=A):
    count = len(list(numbers))
    store.put(items(numbers, title), fingerprint, vectors(count, seed), ["-"] * count)


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "store", create=True) as opened:
        put(opened, range(40))
        yield opened


def state(at):
    index = at.index(A)
    found = index.nearest(vectors(1, 5)[0], 50, "title_now = 'old'")
    ids = at.ids()
    return (
        at.token, at.count(), ids, at.get(ids), index.ids(found.rows), found.scores.tolist(),
        at.select("n < 20 and title ~ 'o'").tolist(), at.facets(), at.fields(),
    )  # fmt: skip


def change(store):
    put(store, range(10, 30), 1, "new")
    store.delete(["0", "35"])
    store.put([Item("x", fields={"n": "text now"})], A, vectors(1, 7), ["-"])
    put(store, range(5), 2, fingerprint=B)
    store.compact()


def test_a_snapshot_stays_as_it_was_whatever_is_written(store):
    at = store.snapshot()
    before = state(at)
    change(store)
    assert state(at) == before
    assert {item.title for item in store.get(store.ids()[:-6])} == {"old", "new"}
    assert store.ids() != at.ids()


def test_a_snapshot_that_is_first_looked_at_later_is_as_it_was_too(store, tmp_path):
    right = state(open_store(tmp_path / "store").snapshot())
    at = store.snapshot()
    change(store)
    store.snapshot().index(A)
    store.snapshot().facets()
    assert store.snapshot().select("n = '3'").any()
    assert state(at) == right
    with pytest.raises(NotFoundError):
        at.get(["x"])
    assert at.get(["35"])[0].title == "old"


def test_most_rows_dead_and_positions_given_anew(store):
    at = store.snapshot()
    before = state(at)
    for step in range(6):
        put(store, range(40), step + 1, f"t{step}")
    assert state(at) == before
    assert {item.title for item in store.get(store.ids())} == {"t5"}


def test_every_commit_has_a_token_of_its_own_and_the_snapshot_only_moves_with_it(store):
    at = store.snapshot()
    assert store.snapshot() is at
    store.delete(["nobody"])
    assert store.snapshot() is at
    tokens = {at.token}
    for act in (lambda: store.delete(["1"]), lambda: store.add_roots([creation.Path("/r")]),
                lambda: put(store, [1])):  # fmt: skip
        act()
        tokens.add(store.snapshot().token)
    assert len(tokens) == 4


def test_a_roots_only_commit_and_its_reader(store, tmp_path):
    reader = open_store(tmp_path / "store")
    store.add_roots([tmp_path / "a", tmp_path / "b"])
    store.add_roots([tmp_path / "a"])
    assert reader.roots() == (tmp_path / "a", tmp_path / "b")
    assert reader.count() == 40


def test_further_pictures_come_back_as_they_went_in(store, tmp_path):
    more = (ImageRef(path=tmp_path / "2.jpg"), ImageRef(data=b"\x01"), ImageRef(path=tmp_path))
    item = Item("m", ImageRef(path=tmp_path / "1.jpg"), more=more)
    store.put([item], A, vectors(1), ["-"])
    assert open_store(tmp_path / "store").get(["m", "1"]) == [item, *items([1])]


FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize("place", ["commit", "seal", "columns", "after the commit"])
def test_a_full_disk_leaves_the_last_commit_and_the_next_write_goes_on(
    store, tmp_path, monkeypatch, place
):
    before = state(store.snapshot())

    def full(*_, **__):
        raise FULL

    def committed(dataset, rows, doomed):
        real(dataset, rows, doomed)
        raise FULL

    real = table.commit
    with monkeypatch.context() as patch:
        if place == "commit":
            patch.setattr(lance, "write_dataset", full)
            patch.setattr(lance.LanceDataset, "commit", full)
        elif place == "columns":
            patch.setattr(lance.LanceDataset, "add_columns", full)
        elif place == "seal":
            patch.setattr(seal, "write", full)
        else:
            patch.setattr(store_module.table, "commit", committed)
        with pytest.raises((StoreError, OSError), match="No space left"):
            store.put([Item("x", fields={"fresh": 1})], A, vectors(1), ["-"])
    assert state(store.snapshot()) == before
    assert state(open_store(tmp_path / "store").snapshot()) == before
    store.put([Item("y", fields={"fresh": 1})], A, vectors(1), ["-"])
    for opened in (store, open_store(tmp_path / "store")):
        assert opened.ids() == [*before[2], "y"]
        assert opened.index(A).total == 41
    assert verify(tmp_path / "store").sound


@pytest.mark.parametrize("error", [FULL, RuntimeError("Error: 'ret == size' failed: No space")])
def test_a_full_disk_at_the_index_files_costs_only_time(tmp_path, monkeypatch, error):
    with open_store(tmp_path / "store", create=True, exact_floats=0) as opened:
        put(opened, range(300))

        def full(*_):
            raise error

        monkeypatch.setattr(derived, "_write", full)
        index = opened.index(A)
        assert index.ids(index.nearest(vectors(300)[7], 1).rows) == ["7"]
        assert [path.name for path in (tmp_path / "store/derived").iterdir()] == [derived.MARKS]


def test_a_file_that_came_out_short_is_never_committed(store, tmp_path, monkeypatch):
    """Lance does not notice such a write."""
    before = state(store.snapshot())
    real = table.commit

    def short(dataset, rows, doomed):
        known = set((tmp_path / "store/items.lance/data").iterdir())
        dataset = real(dataset, rows, doomed)
        for file in set((tmp_path / "store/items.lance/data").iterdir()) - known:
            file.write_bytes(file.read_bytes()[:500])
        return dataset

    with monkeypatch.context() as patch:
        patch.setattr(store_module.table, "commit", short)
        with pytest.raises(StoreError, match="short"):
            put(store, [100])
    assert state(open_store(tmp_path / "store").snapshot()) == before
    put(store, [100])
    assert open_store(tmp_path / "store").count() == 41


STEPS = ["create", "write", "rename", "write_settings"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_store_whose_maker_was_killed_is_made_by_the_next(tmp_path, monkeypatch, step, late):
    owner = {"create": table, "write": seal, "rename": creation.Path, "write_settings": creation}
    real = getattr(owner[step], step)

    class Killed(BaseException):
        pass

    def killed(*arguments):
        if late:
            real(*arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(owner[step], step, killed)
        with pytest.raises((Killed, StoreError)):
            open_store(tmp_path / "store", create=True)
    with open_store(tmp_path / "store", create=True) as opened:
        assert opened.count() == 0
        put(opened, range(3))
    assert open_store(tmp_path / "store").ids() == ["0", "1", "2"]
    left = {path.name for path in (tmp_path / "store").iterdir()}
    assert left <= {"items.lance", "store.json", "derived", "writer.lock", "writer.json"}


def test_an_empty_table_is_made_anew_and_one_with_items_never(store, tmp_path):
    empty = tmp_path / "empty"
    (empty / "items.lance").mkdir(parents=True)
    (empty / "store.json").write_text('{"format": 2, "store": "x"}')
    with pytest.raises(StoreDamagedError):
        open_store(empty)
    assert open_store(empty, create=True).count() == 0
    (tmp_path / "store/store.json").unlink()
    assert open_store(tmp_path / "store", create=True).count() == 40
    (tmp_path / "store/store.json").unlink()
    shutil.rmtree(tmp_path / "store/items.lance/_seals")
    with pytest.raises(StoreError, match="half of a store"):
        open_store(tmp_path / "store", create=True)


def make_old(folder):
    """A store as coordi wrote it before there were seals."""
    import pyarrow as pa

    schema = pa.schema([
        ("seq", pa.int64()), ("id", pa.string()), ("title", pa.string()),
        ("description", pa.string()), ("image_path", pa.string()), ("image_bytes", pa.binary()),
        ("hash", pa.string()), ("file", pa.string()), ("line", pa.int64()),
        ("i_n", pa.int64()), (f"v_{A}", pa.list_(pa.float32(), 8)),
    ])  # fmt: skip
    rows = [
        {"seq": (2 << 24) + n, "id": str(n), "title": "old", "description": "", "hash": "-",
         "i_n": n, f"v_{A}": vectors(5)[n].tolist()}
        for n in range(5)
    ]  # fmt: skip
    folder.mkdir()
    lance.write_dataset(pa.Table.from_pylist(rows, schema), str(folder / "items.lance"))
    entry = {"fingerprint": A, "name": "one", "dim": 8, "created": "2026-01-01T00:00:00+00:00"}
    settings = {"format": 1, "store": "cafe", "encoders": [entry]}
    (folder / "store.json").write_text(json.dumps(settings))


def test_a_store_of_the_former_format_is_brought_up_to_date(tmp_path):
    make_old(tmp_path / "store")
    with open_store(tmp_path / "store") as opened:
        assert opened.ids() == list("01234")
        assert opened.get(["3"])[0].fields == {"n": 3}
        assert opened.snapshot().encoder.name == "one"
        assert opened.roots() == ()
        index = opened.index(A)
        assert index.ids(index.nearest(vectors(5)[2], 1).rows) == ["2"]
        opened.put([Item("5", more=(ImageRef(data=b"x"),))], A, vectors(1, 9), ["-"])
    assert open_store(tmp_path / "store").count() == 6
    assert verify(tmp_path / "store").sound


def test_an_upgrade_that_was_killed_goes_on(tmp_path, monkeypatch):
    make_old(tmp_path / "store")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(creation, "write_settings", killed)
        with pytest.raises(KeyboardInterrupt):
            open_store(tmp_path / "store")
    assert open_store(tmp_path / "store").count() == 5
    assert verify(tmp_path / "store").sound


def age(folder, seconds):
    """Make all that is written so far look as old."""
    then = time.time() - seconds
    for path in (folder / "items.lance/_versions").iterdir():
        os.utime(path, (then, then))


def test_versions_are_forgotten_once_nobody_can_be_reading_them(store, tmp_path):
    for step in range(4):
        put(store, range(3), step)
    late = store.snapshot()
    age(tmp_path / "store", 3600)
    put(store, range(3), 8)
    store.compact()
    # The newest of an hour ago was replaced a moment ago: a request may still read it.
    assert len(late.get(late.ids())) == 40
    kept = seal.numbers(tmp_path / "store/items.lance")
    assert seal.load(tmp_path / "store/items.lance", kept[0]).token == late.token
    assert verify(tmp_path / "store").sound
    assert verify(tmp_path / "store").notes == []
    assert open_store(tmp_path / "store").count() == 40
    assert not table.forgettable(store.snapshot().dataset, timedelta(minutes=10))
