"""A store against a plain dictionary, in any order of everything that can happen to it.

Hypothesis draws the order. After every step the writer's handle, a reader's handle and every
snapshot that is still held are compared with the model in full: ids and their order, items,
filters, facets, and the vectors of both encoders by exact and by indexed search.
`benchmarks/store_machine.py` runs the same machine for thousands of steps.
"""

import multiprocessing
import resource
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from coordi.errors import CoordiError
from coordi.geometry import unit_rows
from coordi.store import open_store
from coordi.types import Item, Origin

A, B = "a" * 16, "b" * 16
DIMS = {A: 8, B: 6}
EXACT_FLOATS = 24 * 8
"""So few that 25 items already get an index of cells, with derived files."""
COLORS = ("red", "green", "blue")
HELD = 3


@dataclass(frozen=True)
class Row:
    """What the model knows of one item."""

    item: Item
    hash: str
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)


Model = dict[str, Row]
Predicate = Callable[[Mapping], bool]

FILTERS: dict[str, Predicate] = {
    "color = 'red'": lambda f: f["color"] == "red",
    "not color in ('red', 'blue')": lambda f: f["color"] not in ("red", "blue"),
    "price < 50": lambda f: "price" in f and f["price"] < 50,
    "not price < 50": lambda f: "price" not in f or f["price"] >= 50,
    "price is null or stamp >= 500": lambda f: "price" not in f or f["stamp"] >= 500,
    "sale and price between 20 and 70": lambda f: f["sale"] and 20 <= f.get("price", 0) <= 70,
}


def vector_of(id: str, stamp: int, fingerprint: str) -> np.ndarray:
    """The unit vector that an item has at a stamp: no two are alike."""
    seed = [ord(fingerprint[0]), int(id), stamp]
    return unit_rows(np.random.default_rng(seed).standard_normal((1, DIMS[fingerprint])))[0]


def row_of(id: int, stamp: int) -> Row:
    """An item whose every part follows from its id and its stamp."""
    fields = {"color": COLORS[stamp % 3], "stamp": stamp, "sale": stamp % 2 == 0}
    if stamp % 4:
        fields["price"] = float(stamp % 100)
    if stamp % 10 == 9:  # a column that the table does not have from its beginning
        fields[f"late {stamp % 40}"] = "x"
    origin = Origin(f"f{id % 3}.csv", id)
    return Row(Item(str(id), title=f"t{stamp}", fields=fields, origin=origin), f"h{stamp}-x")


def with_put(model: Model, rows: list[Row], fingerprint: str, bare: frozenset[str]) -> Model:
    """The model after a put; items in `bare` come without a vector."""
    after = dict(model)
    for row in rows:
        old = after.pop(row.item.id, None)
        known = dict(old.vectors) if old is not None and old.hash == row.hash else {}
        known.pop(fingerprint, None)
        if row.item.id not in bare:
            stamp = int(row.item.fields["stamp"])
            known[fingerprint] = vector_of(row.item.id, stamp, fingerprint)
        after[row.item.id] = replace(row, vectors=known)
    return after


def without(model: Model, ids: list[str]) -> Model:
    return {id: row for id, row in model.items() if id not in set(ids)}


def put(store, rows: list[Row], fingerprint: str, bare: frozenset[str]) -> None:
    vectors = [vector_of(row.item.id, int(row.item.fields["stamp"]), fingerprint) for row in rows]
    for place, row in enumerate(rows):
        if row.item.id in bare:
            vectors[place] = np.full(DIMS[fingerprint], np.nan, np.float32)
    hashes = [row.hash for row in rows]
    store.put([row.item for row in rows], fingerprint, np.stack(vectors), hashes)


# What is compared


def check(view, model: Model) -> None:
    """Everything that `view` can be asked equals the model."""
    ids = view.ids()
    assert ids == list(model)
    assert view.count() == len(model)
    assert view.get(ids) == [row.item for row in model.values()]
    for where, passes in FILTERS.items():
        wanted = [passes(row.item.fields) for row in model.values()]
        assert view.select(where).tolist() == wanted, where
    check_facets(view.facets(), model)
    known = {entry.fingerprint for entry in view.encoders()}
    assert {name for row in model.values() for name in row.vectors} <= known
    for fingerprint in sorted(known):
        check_index(view.index(fingerprint), model, fingerprint)


def check_facets(facets, model: Model) -> None:
    found = {facet.name: facet for facet in facets}
    colors = Counter(row.item.fields["color"] for row in model.values())
    assert dict(found["color"].values if "color" in found else ()) == colors
    stamps = [row.item.fields["stamp"] for row in model.values()]
    if stamps:
        assert (found["stamp"].minimum, found["stamp"].maximum) == (min(stamps), max(stamps))


def check_index(index, model: Model, fingerprint: str) -> None:
    """Search finds what brute force finds: all of it, in order, with and without a filter."""
    rows = {id: row.vectors[fingerprint] for id, row in model.items() if fingerprint in row.vectors}
    assert index.total == len(rows)
    everything = index.ids(index.live_rows())
    assert everything == list(rows)
    if not rows:
        return
    stored = index.vectors(index.live_rows())
    np.testing.assert_array_equal(stored, np.stack(list(rows.values())))
    own = next(reversed(rows))
    assert index.ids(index.nearest(rows[own], 1).rows) == [own]
    query = vector_of("0", 12345, fingerprint)
    for where in (None, *FILTERS):
        passing = [id for id in rows if where is None or FILTERS[where](model[id].item.fields)]
        check_ranking(index, query, rows, passing, where)


def check_ranking(index, query, rows, passing: list[str], where: str | None) -> None:
    """All that pass, nearest first. Scores within rounding of each other may change places."""
    assert index.allowed(where) == len(passing)
    found = index.nearest(query, len(rows), where)
    ids = index.ids(found.rows)
    assert sorted(ids) == sorted(passing), where
    assert (np.diff(found.scores) <= 0).all()
    wanted = np.array([rows[id] @ query for id in ids], dtype=np.float32)
    np.testing.assert_allclose(found.scores, wanted, atol=1e-5)


# What a process that is killed was about to do


def act(store, action: tuple) -> None:
    kind, *rest = action
    if kind == "put":
        put(store, *rest)
    elif kind == "delete":
        store.delete(*rest)
    else:
        store.compact()


def act_when_told(path: str, action: tuple, pipe) -> None:
    """Open the store, say so, and act; the parent kills this process meanwhile."""
    with open_store(path, exact_floats=EXACT_FLOATS) as store:
        pipe.send("open")
        act(store, action)
        pipe.send("done")


def killed(path: Path, action: tuple, delay: float) -> bool:
    """Kill a process `delay` seconds into an action; whether it said that it was done."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["coordi.store.lance", "lance", "hypothesis.stateful"])
    ours, theirs = processes.Pipe()
    process = processes.Process(target=act_when_told, args=(str(path), action, theirs))
    process.start()
    theirs.close()
    assert ours.recv() == "open"
    done = ours.poll(delay)
    process.kill()
    process.join()
    process.close()
    try:
        return ours.recv() == "done" if done or ours.poll() else False
    except EOFError:
        return False
    finally:
        ours.close()


@contextmanager
def small_files(limit: int) -> Iterator[None]:
    """Let every write behind byte `limit` of a file fail, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


IDS = st.integers(0, 59)
STAMPS = st.integers(0, 999)
ROWS = st.lists(
    st.builds(row_of, IDS, STAMPS), min_size=1, max_size=12, unique_by=lambda r: r.item.id
)
PARTS = st.sets(IDS.map(str), max_size=12)
BARE = st.frozensets(IDS.map(str), max_size=2)
ENCODERS = st.sampled_from([A, A, A, B])


class StoreMachine(RuleBasedStateMachine):
    """One store on disk, its writer, a reader beside it, and snapshots that are held."""

    kills: ClassVar[int] = 2
    """Processes killed in one run: each costs about 0.1 s."""
    counts: ClassVar[Counter] = Counter()
    """Steps by what they did, over all runs."""

    def __init__(self) -> None:
        super().__init__()
        self.root = self.new_root()
        self.path = self.root / "store"
        self.store = open_store(self.path, create=True, exact_floats=EXACT_FLOATS)
        self.reader = open_store(self.path, exact_floats=EXACT_FLOATS)
        self.model: Model = {}
        self.held: list[tuple] = []
        self.kills_left = self.kills

    def new_root(self) -> Path:
        return Path(tempfile.mkdtemp(prefix="coordi-machine-"))

    def teardown(self) -> None:
        try:
            self.verify()
        finally:
            self.store.close()
            self.reader.close()
            self.drop_root()

    def drop_root(self) -> None:
        shutil.rmtree(self.root)

    def full(self, limit: int) -> AbstractContextManager[None]:
        """Room for about `limit` more bytes; the benchmark has a real disk for it."""
        return small_files(limit)

    def did(self, what: str) -> None:
        StoreMachine.counts[what] += 1

    def to(self, before: Model, after: Model, *, told: bool) -> None:
        """Take on the state that the store is in: the one after, or, where nobody was told that
        it was reached, the one before. There is no third.
        """
        self.model = after if told or self.is_in(after) else before

    def is_in(self, model: Model) -> bool:
        """Whether whoever opens the store now finds this state."""
        with open_store(self.path, exact_floats=EXACT_FLOATS) as fresh:
            try:
                check(fresh, model)
            except (AssertionError, CoordiError):
                return False
        return True

    def verify(self) -> None:
        """Nothing that happens in this file is damage."""
        try:
            from coordi.store.verify import verify
        except ImportError:  # written against stores that cannot be verified as well
            return
        report = verify(self.path)
        assert report.sound, report.faults

    @initialize(stamp=STAMPS)
    def first(self, stamp: int) -> None:
        """One item that has every field that the filters name, so that all of them can be asked."""
        row = row_of(0, stamp | 1)
        put(self.store, [row], A, frozenset())
        self.model = with_put({}, [row], A, frozenset())

    # Writing

    @rule(rows=ROWS, fingerprint=ENCODERS, bare=BARE)
    def put(self, rows, fingerprint, bare) -> None:
        self.did("put")
        put(self.store, rows, fingerprint, bare)
        self.model = with_put(self.model, rows, fingerprint, bare)

    @rule(start=st.integers(0, 30), stamp=STAMPS)
    def put_many(self, start, stamp) -> None:
        self.did("put many")
        rows = [row_of(id, stamp) for id in range(start, start + 30)]
        put(self.store, rows, A, frozenset())
        self.model = with_put(self.model, rows, A, frozenset())

    @precondition(lambda self: self.model)
    @rule(some=PARTS, fingerprint=ENCODERS)
    def embed_again(self, some, fingerprint) -> None:
        """The same items once more: what another encoder made of them stays."""
        self.did("embed again")
        rows = [replace(row, vectors={}) for id, row in self.model.items() if id in some]
        if rows:
            put(self.store, rows, fingerprint, frozenset())
        self.model = with_put(self.model, rows, fingerprint, frozenset())

    @rule(some=PARTS)
    def delete(self, some) -> None:
        self.did("delete")
        assert self.store.delete(sorted(some)) == len(some & set(self.model))
        self.model = without(self.model, sorted(some))

    @rule(kept=st.sets(IDS.map(str), max_size=40))
    def prune(self, kept) -> None:
        self.did("prune")
        self.store.delete([id for id in self.model if id not in kept])
        self.model = without(self.model, [id for id in self.model if id not in kept])

    # Handles

    @rule(what=st.sampled_from(["compact", "reopen", "swap handles", "derived files deleted"]))
    def tidy(self, what) -> None:
        """What changes nothing that can be asked. Handles that swap follow each other's commits."""
        self.did(what)
        if what == "compact":
            self.store.compact()
        elif what == "reopen":
            self.store.close()
            self.store = open_store(self.path, create=True, exact_floats=EXACT_FLOATS)
        elif what == "swap handles":
            self.store, self.reader = self.reader, self.store
        else:
            shutil.rmtree(self.path / "derived", ignore_errors=True)

    @precondition(lambda self: hasattr(self.reader, "snapshot"))
    @rule(writer=st.booleans())
    def hold(self, writer) -> None:
        self.did("hold a snapshot")
        snapshot = (self.store if writer else self.reader).snapshot()
        self.held = [*self.held, (snapshot, snapshot.token, self.model)][-HELD:]

    # What must not hurt

    @rule(limit=st.integers(0, 12_000), rows=ROWS, fingerprint=ENCODERS, what=st.integers(0, 5))
    def disk_full(self, limit, rows, fingerprint, what) -> None:
        ids = list(self.model)[: len(rows)]
        action, after = {
            0: (("delete", ids), without(self.model, ids)),
            1: (("compact",), self.model),
        }.get(what, (("put", rows, fingerprint, frozenset()),
                     with_put(self.model, rows, fingerprint, frozenset())))  # fmt: skip
        told = True
        with self.full(limit):
            try:
                act(self.store, action)
            except CoordiError:
                told = False
        self.did("disk full: refused" if not told else "disk full: fitted")
        self.to(self.model, after, told=told)

    @rule(limit=st.integers(0, 6_000))
    def disk_full_while_indexing(self, limit) -> None:
        """Derived files only save time: without room for them the answers are the same."""
        self.did("disk full while indexing")
        shutil.rmtree(self.path / "derived", ignore_errors=True)
        with self.full(limit), open_store(self.path, exact_floats=EXACT_FLOATS) as fresh:
            check(fresh, self.model)

    @precondition(lambda self: self.kills_left > 0)
    @rule(rows=ROWS, fingerprint=ENCODERS, what=st.integers(0, 4), share=st.floats(0, 1))
    def kill(self, rows, fingerprint, what, share) -> None:
        self.kills_left -= 1
        ids = list(self.model)[: len(rows)]
        action, after = {
            0: (("delete", ids), without(self.model, ids)),
            1: (("compact",), self.model),
        }.get(what, (("put", rows, fingerprint, frozenset()),
                     with_put(self.model, rows, fingerprint, frozenset())))  # fmt: skip
        told = killed(self.path, action, 0.06 * share)
        self.did("killed" if not told else "killed after it was done")
        self.to(self.model, after, told=told)

    # Always

    @invariant()
    def handles_show_the_newest(self) -> None:
        StoreMachine.counts["checks"] += 1
        check(self.reader, self.model)
        check(self.store, self.model)

    @invariant()
    def snapshots_stay(self) -> None:
        for snapshot, token, model in self.held:
            assert snapshot.token == token
            check(snapshot, model)

    @invariant()
    def the_token_is_one_of_the_commit(self) -> None:
        if hasattr(self.reader, "snapshot"):
            token = self.reader.snapshot().token
            assert self.store.snapshot().token == token
            for snapshot, other, model in self.held:
                assert other != token or list(model) == list(self.model), snapshot.version


QUICK = settings(
    max_examples=6,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    # Steps on a disk take too long to be shrunk: a failing run is told as it was drawn.
    phases=[Phase.explicit, Phase.generate],
    report_multiple_bugs=False,
)


def test_a_store_behaves_like_a_dictionary_whatever_happens_to_it():
    run_state_machine_as_test(StoreMachine, settings=QUICK)
