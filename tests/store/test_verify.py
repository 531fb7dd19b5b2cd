"""Damage is noticed, never answered wrongly, and mended where it can be."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from coordi.errors import CoordiError, NotFoundError, StoreDamagedError
from coordi.geometry import unit_rows
from coordi.store import open_store, seal
from coordi.store.repair import repair
from coordi.store.verify import verify
from coordi.types import Item

A, B = "a" * 16, "b" * 16
NOT_CHECKED = {"writer.lock", "writer.json", "latest_version_hint.json"}
"""Files that say who writes, and a note of Lance's that nothing goes by."""


def vectors(count, seed):
    return unit_rows(np.random.default_rng(seed).standard_normal((count, 8)))


def item(number, title=""):
    return Item(str(number), title=title, fields={"n": number, "color": "red"})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store with several commits, deletions, two encoders and derived files."""
    folder = tmp_path_factory.mktemp("whole") / "store"
    with open_store(folder, create=True, exact_floats=0) as store:
        for step in range(3):
            items = [item(10 * step + i) for i in range(10)]
            store.put(items, A, vectors(10, step), ["-"] * 10, encoder="one")
        store.put([item(3, "new")], B, vectors(1, 9), ["-"], encoder="two")
        store.delete(["7", "21"])
        store.index(A)
    return folder


@pytest.fixture
def store(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "store")


def files_of(folder):
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.name not in NOT_CHECKED)


def contents(folder):
    """All that a store answers."""
    with open_store(folder, exact_floats=0) as opened:
        at = opened.snapshot()
        ids = at.ids()
        index = at.index(A)
        found = [
            (index.ids(near.rows), near.scores.tolist())
            for near in (index.nearest(query, 30) for query in vectors(4, 77))
        ]
        stored = {
            id: rows.tolist()
            for names, rows in at.vectors(A)
            for id, rows in zip(names, rows, strict=True)
        }
        chosen = at.select("n >= 5 and color = 'red'").tolist()
        return ids, at.get(ids), found, stored, chosen, [e.name for e in at.encoders()]


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << (place % 8)
    path.write_bytes(bytes(data))


def cut(path, place):
    data = path.read_bytes()
    path.write_bytes(data[: place % len(data)])


def lose(path, _):
    path.unlink()


def may_be_absent(name):
    """Derived files, the first seal, which a store that has forgotten its first commit lacks, and
    the note of the newest, which a writer that was killed had not written yet.
    """
    return name.startswith("derived") or name.endswith(("0000000001.json", "_seals/newest"))


def test_a_sound_store_is_sound_and_everything_in_it_is_looked_at(store):
    found = verify(store)
    assert found.sound
    assert (found.items, found.notes) == (28, [])
    sealed = [name for name in files_of(store) if "_seals" in name]
    assert found.files + 1 >= len(sealed) + len(files_of(store / "items.lance/data"))


@pytest.mark.parametrize("damage", [flip, cut, lose])
def test_every_damage_is_noticed_and_none_is_answered_wrongly(whole, tmp_path, damage):
    right = contents(whole)
    chance = random.Random(damage.__name__)
    for number, name in enumerate(files_of(whole)):
        if damage is lose and may_be_absent(name):
            continue
        folder = shutil.copytree(whole, tmp_path / str(number))
        damage(folder / name, chance.randrange(1, 10**6))
        assert not verify(folder).sound, name
        try:
            answered = contents(folder)
        except CoordiError:
            pass
        else:
            assert answered == right, name
        shutil.rmtree(folder)


@pytest.mark.parametrize("damage", [flip, cut, lose])
def test_what_can_be_mended_is_and_the_store_takes_items_again(whole, tmp_path, damage):
    ids, *_ = contents(whole)
    chance = random.Random(damage.__name__)
    for number, name in enumerate(files_of(whole)):
        if damage is lose and may_be_absent(name):
            continue
        folder = shutil.copytree(whole, tmp_path / str(number))
        damage(folder / name, chance.randrange(1, 10**6))
        mended = repair(folder)
        assert verify(folder).sound, name
        left, items, *_ = contents(folder)
        assert len(ids) - len(left) == mended.lost or "commit" in " ".join(mended.done), name
        assert all(one.fields["n"] == int(one.id) for one in items)
        with open_store(folder) as opened:
            opened.put([item(99)], A, vectors(1, 5), ["-"])
            assert opened.get(["99"]) == [item(99)]
        shutil.rmtree(folder)


def test_damage_under_a_running_reader_is_not_answered(store):
    with open_store(store) as opened:
        for file in (store / "items.lance/data").iterdir():
            flip(file, 300)
        with pytest.raises(StoreDamagedError, match="coordi verify"):
            opened.get(["1"])
        with pytest.raises(StoreDamagedError):
            opened.snapshot().check_files()


def test_derived_files_changed_under_a_running_reader_are_left_alone(store):
    opened = open_store(store, exact_floats=0)
    right = contents(store)[2]
    assert opened.index(A).total == 28
    for file in store.glob("derived/*/vectors.npy"):
        flip(file, 2000)
    index = opened.index(A)
    found = [
        (index.ids(near.rows), near.scores.tolist())
        for near in (index.nearest(query, 30) for query in vectors(4, 77))
    ]
    assert found == right


def test_a_table_put_back_beside_newer_derived_files_is_answered_from_the_table(tmp_path):
    folder, backup = tmp_path / "store", tmp_path / "backup"
    with open_store(folder, create=True, exact_floats=0) as opened:
        opened.put([item(i) for i in range(200)], A, vectors(200, 1), ["-"] * 200)
        shutil.copytree(folder / "items.lance", backup)
        opened.put([item(i) for i in range(200, 300)], A, vectors(100, 2), ["-"] * 100)
        opened.index(A)  # writes derived files
        shutil.rmtree(folder / "items.lance")
        shutil.copytree(backup, folder / "items.lance")
        other = vectors(100, 3)
        for one in (opened, open_store(folder, exact_floats=0)):
            if one is opened:
                one.put([item(i) for i in range(500, 600)], A, other, ["-"] * 100)
            index = one.index(A)
            assert index.total == 300
            for row in (0, 50, 99):
                assert index.ids(index.nearest(other[row], 1).rows) == [str(500 + row)]
            np.testing.assert_array_equal(one.vectors_of(["500"], A)[0], other[0])


def test_a_note_of_lances_that_is_wrong_is_said_and_changes_nothing(store):
    right = contents(store)
    for text in ("", "x", '{"version": 99}', '{"version": 1}'):
        (store / "items.lance/_versions/latest_version_hint.json").write_text(text)
        found = verify(store)
        assert found.sound
        assert bool(found.notes) == (text != '{"version": 1}')
        assert contents(store) == right


def test_an_older_snapshot_does_not_take_derived_files_made_without_its_rows(tmp_path):
    with open_store(tmp_path / "store", create=True, exact_floats=0) as opened:
        opened.put([item(i) for i in range(100)], A, vectors(100, 1), ["-"] * 100)
        old = opened.snapshot()
        opened.delete([str(i) for i in range(60)])
        assert opened.index(A).total == 40  # writes derived files of the 40
        assert old.index(A).total == 100


def test_a_table_put_back_that_only_lost_items_since_is_answered_from_the_table(tmp_path):
    folder, backup = tmp_path / "store", tmp_path / "backup"
    with open_store(folder, create=True, exact_floats=0) as opened:
        opened.put([item(i) for i in range(100)], A, vectors(100, 1), ["-"] * 100)
    shutil.copytree(folder / "items.lance", backup)
    with open_store(folder, exact_floats=0) as opened:
        opened.delete([str(i) for i in range(60)])
        opened.index(A)
    shutil.rmtree(folder / "items.lance")
    shutil.copytree(backup, folder / "items.lance")
    with open_store(folder, exact_floats=0) as opened:
        for last in range(90, 94):
            opened.delete([str(last)])
        assert opened.index(A).total == 96


def test_a_store_made_anew_in_its_place_is_opened_anew(tmp_path):
    folder = tmp_path / "store"
    reader = open_store(folder, create=True)
    reader.put([item(i) for i in range(50)], A, vectors(50, 1), ["-"] * 50)
    assert reader.index(A).total == 50
    shutil.rmtree(folder)
    with pytest.raises(CoordiError, match="not there any more"):
        reader.snapshot()
    assert not folder.exists()
    new = vectors(20, 2)
    with open_store(folder, create=True) as writer:
        writer.put([item(i, "new") for i in range(20)], A, new, ["-"] * 20)
    assert reader.ids() == [str(i) for i in range(20)]
    assert {one.title for one in reader.get(reader.ids())} == {"new"}
    index = reader.index(A)
    assert index.ids(index.nearest(new[7], 1).rows) == ["7"]


def test_parts_of_two_stores_do_not_make_one(store, tmp_path):
    with open_store(tmp_path / "other", create=True) as other:
        other.put([item(1)], A, vectors(1, 1), ["-"])
    shutil.rmtree(store / "items.lance")
    shutil.copytree(tmp_path / "other/items.lance", store / "items.lance")
    with pytest.raises(StoreDamagedError, match="another store"):
        open_store(store)
    assert not verify(store).sound


def test_a_note_of_files_that_were_checked_saves_reading_and_is_not_trusted_blindly(store):
    open_store(store).close()
    kept = store / "derived/checked.json"
    before = kept.read_text()
    name = next(name for name in json.loads(before.splitlines()[0]) if name.startswith("data"))
    flip(store / "items.lance" / name, 200)
    with pytest.raises(StoreDamagedError):
        open_store(store)
    assert kept.read_text() == before


def test_no_store_is_told_from_a_damaged_one(tmp_path):
    with pytest.raises(NotFoundError, match="no store"):
        verify(tmp_path)


def test_seals_chain_and_their_tokens_are_never_the_same(store):
    table = store / "items.lance"
    seals = [seal.load(table, number) for number in seal.numbers(table)]
    assert [one.number for one in seals] == list(range(1, len(seals) + 1))
    assert [one.parent for one in seals[1:]] == [one.token for one in seals[:-1]]
    assert len({one.token for one in seals}) == len(seals)
    assert Path(seal.place(table, 1)).name == "0000000001.json"
