"""The index against a slow, obvious loop: order, ties, filters, growth, damaged files."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from coordi.geometry import unit_rows
from coordi.store import exact, ivf, open_store, space
from coordi.store import index as store_index
from coordi.types import Item

A = "a" * 16
DIM = 16


def clustered(count, seed=0):
    """Nearly unit rows on a grid of 1/64, so that sums of products are exact in any order."""
    centers = np.random.default_rng(99).standard_normal((20, DIM))
    random = np.random.default_rng(seed)
    noise = 0.4 * random.standard_normal((count, DIM))
    rows = unit_rows(centers[random.integers(0, 20, count)] + noise)
    return np.round(rows * 64) / np.float32(64)


def fill(store, rows, start=0, fields=lambda i: {"n": i}):
    items = [Item(str(start + i), fields=fields(start + i)) for i in range(len(rows))]
    store.put(items, A, rows, ["-"] * len(rows))


def slow_nearest(query, rows, k, allowed):
    """Ids and scores by one multiplication after the other, ties by row."""
    pairs = []
    for row in range(len(rows)):
        if allowed[row]:
            pairs.append((-np.dot(rows[row].astype(float), query.astype(float)), row))
    pairs.sort()
    return [row for _, row in pairs[:k]]


def opened(tmp_path, *, floats=space.EXACT_FLOATS, create=False):
    return open_store(tmp_path / "store", create=create, exact_floats=floats)


@settings(max_examples=60, deadline=None, phases=set(Phase) - {Phase.shrink})
@given(st.data())
def test_scan_finds_what_a_slow_loop_finds_in_the_same_order(data):
    count = data.draw(st.integers(1, 40))
    # Few distinct rows on a coarse grid: many exact ties, none by rounding.
    grid = data.draw(st.lists(st.integers(-2, 2), min_size=4 * 5, max_size=4 * 5))
    distinct = np.array(grid, dtype=np.float32).reshape(5, 4) / 4
    rows = distinct[data.draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))]
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    query = distinct[0] + np.float32(0.25)
    k = data.draw(st.integers(1, 45))
    whole = exact.scan(query, rows, k)[1].tolist()
    assert whole == slow_nearest(query, rows, k, np.ones(count, dtype=bool))
    selector, _bits = exact.bitmap(mask)
    assert exact.scan(query, rows, k, selector)[1].tolist() == slow_nearest(query, rows, k, mask)


def test_scores_of_chosen_rows_are_the_scores_of_the_scan():
    random = np.random.default_rng(5)
    rows = unit_rows(random.standard_normal((300, 67)))
    query = unit_rows(random.standard_normal((1, 67)))[0]
    scores, order = exact.scan(query, rows, 300)
    for chosen in (order, order[:0], order[[7, 7, 3]]):
        places = [order.tolist().index(row) for row in chosen]
        assert np.array_equal(exact.scores_of(query, rows, chosen), scores[places])
    assert np.array_equal(exact.inner_products(query, rows)[order], scores)


def test_equal_rows_get_equal_scores_and_stand_in_store_order(tmp_path):
    rows = clustered(1003)
    copies = [3, 17, 400, 401, 402, 999, 1002]
    rows[copies] = rows[3]
    store = opened(tmp_path, create=True)
    fill(store, rows)
    found = store.index(A).nearest(rows[3], 5)
    assert found.rows.tolist() == copies[:5]
    assert len(set(found.scores.tolist())) == 1
    assert store.index(A).nearest(rows[3], 3, "n > 17").rows.tolist() == [400, 401, 402]


@pytest.mark.parametrize("floats", [space.EXACT_FLOATS, 0])
def test_filters_and_deletions_against_the_slow_loop(tmp_path, floats):
    rows = clustered(600)
    store = opened(tmp_path, floats=floats, create=True)
    fill(store, rows)
    store.index(A)
    gone = list(range(0, 100, 3))
    store.delete([str(i) for i in gone])
    alive = ~np.isin(np.arange(600), gone)
    index = store.index(A)
    number = np.arange(600)
    for where, mask in [
        (None, alive),
        ("n < 300", alive & (number < 300)),
        ("n in (1, 2, 3, 4)", alive & np.isin(number, [1, 2, 4])),
        ("n < 0", alive & False),
    ]:
        assert index.allowed(where) == mask.sum()
        for query in clustered(20, seed=9):
            found = index.nearest(query, 600, where)
            assert index.ids(found.rows) == [str(i) for i in slow_nearest(query, rows, 600, mask)]


def test_many_deletions_and_updates_leave_the_rest_in_order(tmp_path):
    rows = clustered(500)
    store = opened(tmp_path, create=True)
    fill(store, rows)
    expected = {str(i): rows[i] for i in range(500)}
    for step in range(6):
        store.index(A)
        gone = [str(i) for i in range(step, 500, 11)]
        store.delete(gone)
        for id in gone:
            expected.pop(id, None)
        changed = [str(i) for i in range(step, 500, 7)]
        fresh = clustered(len(changed), seed=step)
        items = [Item(id) for id in changed]
        store.put(items, A, fresh, ["-"] * len(items))
        for id, row in zip(changed, fresh, strict=True):
            expected.pop(id, None)
            expected[id] = row
        index = store.index(A)
        matrix = np.stack(list(expected.values()))
        query = clustered(1, seed=step + 50)[0]
        slow = slow_nearest(query, matrix, 40, np.ones(len(matrix), dtype=bool))
        assert index.ids(index.nearest(query, 40).rows) == [list(expected)[i] for i in slow]
        assert [index.row(id) for id in index.ids(index.live_rows())] == index.live_rows().tolist()


def test_ivf_finds_nearly_all_and_scores_exactly(tmp_path, monkeypatch):
    monkeypatch.setattr(store_index, "GATHERED_FLOATS", 0)
    rows, queries = clustered(6000), clustered(100, seed=3)
    store = opened(tmp_path, floats=0, create=True)
    fill(store, rows)
    index = store.index(A)
    assert index.nearest(queries[0], 10).index.startswith("ivf128,sq8 nprobe=")
    for where, allowed in [(None, np.arange(6000)), ("n < 2000", np.arange(2000))]:
        hits = 0
        for query in queries:
            found = index.nearest(query, 10, where)
            scores = rows[allowed] @ query
            best = allowed[np.argsort(-scores, kind="stable")[:10]]
            hits += len(set(best.tolist()) & set(found.rows.tolist()))
            np.testing.assert_allclose(found.scores, rows[found.rows] @ query, atol=1e-6)
            assert (np.diff(found.scores) <= 0).all()
        assert hits / 1000 >= 0.98


def test_small_filtered_sets_are_scanned_exactly(tmp_path):
    rows = clustered(3000)
    store = opened(tmp_path, floats=0, create=True)
    fill(store, rows)
    found = store.index(A).nearest(rows[5], 3, "n < 20")
    assert found.index == "exact (filtered)"
    assert found.rows.tolist() == slow_nearest(rows[5], rows, 3, np.arange(3000) < 20)


def test_filters_against_the_grain_still_find_their_neighbours(tmp_path, monkeypatch):
    """The rows that pass all lie far from the query: the nearest cells hold none of them."""
    monkeypatch.setattr(store_index, "GATHERED_FLOATS", 0)
    rows = clustered(4000)
    far = rows @ rows[0] < 0
    store = opened(tmp_path, floats=0, create=True)
    fill(store, rows, fields=lambda i: {"far": bool(far[i])})
    index = store.index(A)
    found = index.nearest(rows[0], 10, "far")
    best = slow_nearest(rows[0], rows, 10, far)
    assert len(found.rows) == 10
    assert far[found.rows].all()
    # By nprobe alone, as set for all rows, it is 1 of 10.
    assert len(set(found.rows.tolist()) & set(best)) >= 8


def test_a_filter_that_passes_evenly_finds_its_neighbours(tmp_path, monkeypatch):
    monkeypatch.setattr(store_index, "GATHERED_FLOATS", 0)
    rows = clustered(6000)
    passing = np.random.default_rng(3).random(6000) < 0.4
    store = opened(tmp_path, floats=0, create=True)
    fill(store, rows, fields=lambda i: {"passing": bool(passing[i])})
    index = store.index(A)
    queries = unit_rows(rows[:40] + 0.02 * np.random.default_rng(4).standard_normal((40, DIM)))
    shared = 0
    for query in queries:
        found = index.nearest(query, 10, "passing")
        best = slow_nearest(query, rows, 10, passing)
        assert passing[found.rows].all()
        shared += len(set(found.rows.tolist()) & set(best))
    assert index._selection("passing").routes[16].nprobe > 0
    assert shared >= 0.98 * 400


def test_a_grown_ivf_finds_new_rows_before_and_after_folding(tmp_path, monkeypatch):
    monkeypatch.setattr(space, "_TAIL_ROWS", 50)
    monkeypatch.setattr(store_index, "GATHERED_FLOATS", 0)
    rows = clustered(1500)
    store = opened(tmp_path, floats=0, create=True)
    fill(store, rows[:1000])
    built = store.index(A)._ivf
    for start in range(1000, 1500, 25):
        fill(store, rows[start : start + 25], start)
        index = store.index(A)
        newest = start + 24
        assert index.nearest(rows[newest], 1).rows.tolist() == [newest]
        assert index.nearest(rows[newest], 1, "n >= 1000").rows.tolist() == [newest]
        np.testing.assert_array_equal(index.vectors(np.array([newest, 3])), rows[[newest, 3]])
    assert built.covers == 1000
    assert 1000 < index._ivf.covers <= 1500
    with opened(tmp_path, floats=0) as again:
        assert again.index(A).nearest(rows[1499], 1).rows.tolist() == [1499]
        every = again.index(A).nearest(rows[7], 1500)
        assert every.rows.tolist() == slow_nearest(rows[7], rows, 1500, np.ones(1500, dtype=bool))


def test_far_more_rows_make_new_cells(tmp_path):
    rows = clustered(2000)
    store = opened(tmp_path, floats=0, create=True)
    fill(store, rows[:200])
    first = store.index(A)._ivf.cells
    fill(store, rows[200:], 200)
    assert store.index(A)._ivf.cells > first


def test_calibration_knows_the_rank_of_every_neighbours_cell():
    rows = clustered(3000)
    built = ivf.build(rows, 32)
    cells = ivf.cell_of_rows(built.index, 3000)
    centroids = built.index.quantizer.reconstruct_n(0, 32)
    # Of a sample only its neighbours are stored; the sample row is the one that has them.
    nearest = np.argsort(-(rows @ rows.T), axis=1, kind="stable")
    owners = {frozenset(row[1:21].tolist()): row[0] for row in nearest}
    known = [
        pair
        for pair in zip(built.neighbors, built.ranks, strict=True)
        if frozenset(pair[0][:20].tolist()) in owners
    ]
    assert len(known) > 20
    for neighbors, ranks in known[:20]:
        owner = owners[frozenset(neighbors[:20].tolist())]
        order = np.argsort(-(centroids @ rows[owner]), kind="stable").tolist()
        assert [order.index(cells[n]) for n in neighbors[:50]] == ranks[:50].tolist()
    assert built.nprobe(1) <= built.nprobe(100) <= 32
    none = built.route(10, np.zeros(3000, dtype=bool))
    assert none.counts.sum() == 0
    every = built.route(10, np.ones(3000, dtype=bool))
    assert every.counts.sum() == 3000
    assert every.counts[built.orders[0][: built.nprobe(10)]].sum() <= every.enough


def damage_nothing(folder):
    pass


def damage_index(folder):
    path = next(folder.glob("*/index.faiss"))
    path.write_bytes(path.read_bytes()[:1000])


def damage_vectors(folder):
    path = next(folder.glob("*/vectors.npy"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(bytes(data))


def damage_meta(folder):
    (folder / f"{A}.json").write_text("[1")


def damage_identity(folder):
    path = folder / f"{A}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "store": "another"}))


def damage_missing_file(folder):
    next(folder.glob("*/rows.npz")).unlink()


def damage_everything(folder):
    shutil.rmtree(folder)


DAMAGE = [
    damage_index, damage_vectors, damage_meta, damage_identity, damage_missing_file,
    damage_everything,
]  # fmt: skip


@pytest.mark.parametrize("damage", [damage_nothing, *DAMAGE])
def test_derived_files_are_used_when_sound_and_made_again_when_not(tmp_path, monkeypatch, damage):
    rows = clustered(800)
    with opened(tmp_path, floats=0, create=True) as store:
        fill(store, rows)
        store.index(A)
    damage(tmp_path / "store" / "derived")
    builds = []
    monkeypatch.setattr(
        space.ivf, "build", lambda rows, build=ivf.build: builds.append(1) or build(rows)
    )
    with opened(tmp_path, floats=0) as store:
        found = store.index(A).nearest(rows[5], 800)
        assert found.rows.tolist() == slow_nearest(rows[5], rows, 800, np.ones(800, dtype=bool))
    assert len(builds) == (damage is not damage_nothing)
    with opened(tmp_path, floats=0) as store:
        store.index(A)
    assert len(builds) == (damage is not damage_nothing)
    assert len([p for p in (tmp_path / "store" / "derived").iterdir() if p.is_dir()]) == 1


def test_derived_files_follow_what_changed_while_nobody_looked(tmp_path):
    rows = clustered(800)
    with opened(tmp_path, floats=0, create=True) as store:
        fill(store, rows)
        store.index(A)
    with opened(tmp_path) as writer:
        writer.delete([str(i) for i in range(50)])
        fill(writer, rows[:20], 0)
        writer.compact()
    expected = np.concatenate([rows[50:], rows[:20]])
    names = [*map(str, range(50, 800)), *map(str, range(20))]
    with opened(tmp_path, floats=0) as store:
        index = store.index(A)
        found = index.ids(index.nearest(rows[3], 800).rows)
        slow = slow_nearest(rows[3], expected, 800, np.ones(len(expected), dtype=bool))
        assert found == [names[i] for i in slow]


def test_a_store_that_cannot_keep_derived_files_still_searches(tmp_path):
    rows = clustered(300)
    store = opened(tmp_path, floats=0, create=True)
    fill(store, rows)
    shutil.rmtree(tmp_path / "store" / "derived")
    (tmp_path / "store" / "derived").write_text("in the way")
    assert store.index(A).nearest(rows[4], 1).rows.tolist() == [4]
