"""One writer and four readers at once: is every answer true of one commit?

    python benchmarks/store_concurrency.py --seconds 120

The writer puts, updates (fields and vectors of an item carry one stamp and change together),
deletes and compacts without a pause. Each reader takes one snapshot at a time (where there are
none, the store itself), and asks it for a search with a filter, items, masks and facets; every
other round it asks an `Engine.view()` for search, browsing and facets. What is counted:

- wrong version: a hit's score is not the cosine of the vector that its own stamp had
- unfiltered: an item in an answer does not pass the answer's filter
- torn: two answers of one snapshot contradict each other (counts, ids, items, token)
- errors: whatever was raised, by type and place

First with readers that are processes, then with threads that share the writer's handle.
"""

import argparse
import multiprocessing
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torture

ITEMS = 400
LIMIT = 20
ROUNDING = 1e-4
FILTERS: dict[str, Callable[[Any], bool]] = {
    "color = 'red'": lambda fields: fields["color"] == "red",
    "color in ('red', 'blue') and price < 60": lambda fields: (
        fields["color"] in ("red", "blue") and fields["price"] < 60
    ),
    "not price >= 40": lambda fields: fields["price"] < 40,
}


def main() -> None:
    arguments = _arguments()
    kinds = ["processes", "threads"] if arguments.readers == "both" else [arguments.readers]
    report: dict[str, Any] = {"seconds": arguments.seconds, "seed": arguments.seed}
    faults = 0
    for kind in kinds:
        with torture.scratch("concurrency") as folder:
            counts = run(folder / "store", kind, arguments)
        found = sum(count for what, count in counts.items() if what.startswith(FAULTS))
        faults += found
        report[kind] = {"faults": found, **dict(sorted(counts.items()))}
        torture.told(f"{kind}: {found} faults in {counts['answers']} answers")
    torture.finish(report, faults, arguments.out)


FAULTS = ("wrong version", "unfiltered", "torn", "error")


def run(path: Path, kind: str, arguments: argparse.Namespace) -> Counter[str]:
    """Write and read for a while; all counts."""
    store = open_small_index(path, create=True)
    torture.put_stamped(store, [str(id) for id in range(ITEMS)], 0)
    processes = multiprocessing.get_context("spawn")
    results: Any = processes.Queue()
    places = range(arguments.number)
    given = [(path, arguments.seed + place, arguments.seconds, results) for place in places]
    if kind == "threads":
        jobs: list[Any] = [threading.Thread(target=read, args=(store, *more[1:])) for more in given]
    else:
        jobs = [processes.Process(target=read_elsewhere, args=more) for more in given]
    for job in jobs:
        job.start()
    counts = write(store, arguments.seed, jobs)
    for _ in jobs:
        counts += results.get(timeout=60)
    for job in jobs:
        job.join()
    return counts


def open_small_index(path: Path, *, create: bool = False) -> Any:
    """A store that already makes an index of cells, so that it is attacked as well."""
    from coordi.store import open_store

    return open_store(path, create=create, exact_floats=ITEMS * torture.DIM // 2)


def write(store: Any, seed: int, readers: list[Any]) -> Counter[str]:
    """Change the store until the last reader is done."""
    chance = random.Random(seed)
    counts: Counter[str] = Counter()
    stamp = 0
    while any(reader.is_alive() for reader in readers):
        stamp += 1
        some = [str(id) for id in chance.sample(range(ITEMS), chance.randint(1, 40))]
        try:
            if chance.random() < 0.2:
                store.delete(some)
            else:
                torture.put_stamped(store, some, stamp)
            if stamp % 40 == 0:
                store.compact()
        except Exception as error:
            counts[f"error of the writer: {torture.fault_at(error)}"] += 1
        counts["commits"] += 1
        # A writer that never rests keeps readers at the very moments of its commits only.
        time.sleep(chance.choice((0, 0, 0.01, 0.05)))
    return counts


def read_elsewhere(path: Path, seed: int, seconds: float, results: Any) -> None:
    """A reader in a process of its own, with a handle of its own."""
    with open_small_index(path) as store:
        read(store, seed, seconds, results)


def read(store: Any, seed: int, seconds: float, results: Any) -> None:
    """Ask for a while; the counts go to `results`."""
    from coordi.engine.engine import Engine

    chance = random.Random(-1 - seed)
    counts: Counter[str] = Counter()
    engine = Engine(store, torture.GivenVector())
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            ask_snapshot(torture.snapshot_of(store), chance, counts)
            ask_view(engine.view() if hasattr(engine, "view") else engine, chance, counts)
        except Exception as error:
            counts[f"error: {torture.fault_at(error)}"] += 1
        time.sleep(chance.choice((0, 0.005)))  # so that threads let their writer write
    results.put(counts)


def ask_snapshot(snapshot: Any, chance: random.Random, counts: Counter[str]) -> None:
    """Search, look up, count: all of one snapshot."""
    from coordi.tasks.search import search

    query, where = draw_query(chance)
    answer = search(query, store=snapshot, encoder=torture.GivenVector())
    check_hits(answer, query, where, counts)
    ids, mask = snapshot.ids(), snapshot.select(where)
    passing = int(mask.sum())
    with noting(counts, "torn: a hit is another item when it is looked up"):
        hits = [hit.item for hit in answer.hits]
        assert snapshot.get([item.id for item in hits]) == hits
    with noting(counts, "torn: the numbers of ids, of the mask and of the index differ"):
        assert len(ids) == len(set(ids)) == len(mask) == snapshot.count() == answer.total
    with noting(counts, "torn: the mask and the search let different numbers pass"):
        assert passing == answer.total - answer.filtered_out
    with noting(counts, "torn: the facets are of other items"):
        check_facets(snapshot.facets(), len(ids))
    some = chance.sample(ids, min(5, len(ids)))
    with noting(counts, "wrong version: an item beside another stamp's vector"):
        check_vectors(snapshot.index(torture.FINGERPRINT), snapshot.get(some))
    if hasattr(snapshot, "token"):
        with noting(counts, "torn: an answer of another token"):
            assert answer.token == snapshot.token


def ask_view(view: Any, chance: random.Random, counts: Counter[str]) -> None:
    """What a request asks of the engine: search, browse, facets."""
    query, where = draw_query(chance)
    check_hits(view.search(query), query, where, counts)
    items, passing = view.browse(where, limit=LIMIT)
    counts["answers"] += 1
    with noting(counts, "unfiltered: browsing"):
        assert all(FILTERS[where](item.fields) for item in items)
    everything = view.browse(None, limit=1)[1]
    with noting(counts, "torn: more items pass than there are"):
        assert passing <= everything
    with noting(counts, "torn: the facets are of other items"):
        check_facets(view.facets(), everything)


def draw_query(chance: random.Random) -> tuple[Any, str]:
    from coordi.types import Query

    where = chance.choice(list(FILTERS))
    text = f"{chance.randrange(ITEMS)} {chance.randrange(1000)}"
    return Query(text=text, where=where, limit=LIMIT), where


def check_hits(answer: Any, query: Any, where: str, counts: Counter[str]) -> None:
    """Every hit passes the filter, and scores what its own stamp's vector scores."""
    counts["answers"] += 1
    id, stamp = query.text.split()
    wanted = torture.vector_of(id, int(stamp))
    counts["hits"] += len(answer.hits)
    with noting(counts, "torn: an item twice in one answer"):
        assert len({hit.item.id for hit in answer.hits}) == len(answer.hits)
    for hit in answer.hits:
        with noting(counts, "unfiltered: search"):
            assert FILTERS[where](hit.item.fields)
        own = torture.vector_of(hit.item.id, int(hit.item.fields["stamp"]))
        with noting(counts, "wrong version: a score of another stamp"):
            assert abs(float(own @ wanted) - hit.score) < ROUNDING


def check_facets(facets: Any, total: int) -> None:
    colors = next(facet for facet in facets if facet.name == "color")
    assert sum(count for _, count in colors.values) == total


def check_vectors(index: Any, items: list[Any]) -> None:
    import numpy as np

    rows = np.array([index.row(item.id) for item in items], dtype=np.int64)
    wanted = [torture.vector_of(item.id, int(item.fields["stamp"])) for item in items]
    assert np.array_equal(index.vectors(rows), np.array(wanted).reshape(len(rows), -1))


@contextmanager
def noting(counts: Counter[str], what: str) -> Iterator[None]:
    """Count an assertion that fails under a name, and go on."""
    try:
        yield
    except AssertionError:
        counts[what] += 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120, help="for each kind of reader")
    parser.add_argument("--readers", choices=["processes", "threads", "both"], default="both")
    parser.add_argument("--number", type=int, default=4, help="readers at once")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
