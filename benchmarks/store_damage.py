"""Damaged stores: is every damage noticed, and is none answered wrongly?

    python benchmarks/store_damage.py --damages 250

A store of a few hundred items with vectors of two encoders, updates, deletions and derived files
is copied once for each damage: bits flipped, a file cut, blanked in part or deleted, two files
swapped, or an older `items.lance` put back beside what came later (and then written to). On each
copy `coordi verify` must notice it, and a fresh process that opens, reads, filters and searches
must either raise a CoordiError or give exactly what the undamaged store gives. Four of five
damages are to files that the newest version reads; in others (older versions) they are without
consequence, and told apart as "unread". A table that was put back must answer as it would alone,
whether or not `verify` has something to say. Faults are wrong answers, other exceptions, crashes,
hanging, and damage to files that are read which `verify` did not notice.
"""

import argparse
import random
import shutil
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torture

ITEMS = 300
OTHER, OTHER_DIM = "07e407e407e407e4", 12
LOCKS = ("writer.lock", "writer.json")
UNREAD, ROLLED = "unread", "rolled back"
FILTERS = ("color = 'red'", "price < 30", "not (color = 'blue' or price >= 50)", "stamp >= 2")
SECONDS = 60


def main() -> None:
    arguments = _arguments()
    with torture.scratch("damage") as folder:
        stores = Stores(folder)
        results = [one(stores, number, arguments.seed) for number in range(arguments.damages)]
    failures = [asdict(result) for result in results if result.is_fault()]
    table: dict[str, Counter[str]] = {}
    for result in results:
        table.setdefault(result.kind, Counter())[f"{result.verify}, {result.outcome}"] += 1
    report: dict[str, Any] = {"damages": arguments.damages, "seed": arguments.seed}
    report["outcomes"] = Counter(result.outcome for result in results)
    report["verify"] = Counter(result.verify for result in results)
    report["by_kind_of_file"] = dict(sorted(table.items()))
    torture.finish({**report, "failures": failures}, len(failures), arguments.out)


@dataclass(frozen=True, slots=True)
class Result:
    """One damage and what came of it."""

    number: int
    damage: str
    file: str
    kind: str
    verify: str
    """"noticed", "unnoticed" or "not verified"."""
    outcome: str
    """"right", "refused", "wrong", "unexpected …", "crashed …" or "hung"."""
    detail: str

    def is_fault(self) -> bool:
        """Whether it must not be so."""
        silent = self.verify == "unnoticed" and not self.kind.startswith((UNREAD, ROLLED))
        return silent or self.outcome not in ("right", "refused")


def one(stores: "Stores", number: int, seed: int) -> Result:
    """Damage a fresh copy and look at it."""
    copy = stores.fresh_copy()
    chance = torture.chance(seed, number)
    truth = stores.truth
    if chance.random() < 0.03:
        done, place, kind, truth = roll_back(copy, stores), "items.lance", ROLLED, stores.rolled
    else:
        done, place = damage(copy, stores.read_files, chance)
        kind = kind_of(place, stores.read_files)
    noticed = torture.Child(examine, str(copy)).hear(SECONDS)
    child = torture.Child(look, str(copy))
    outcome, detail = child.hear(SECONDS) or outcome_of(child)
    if outcome == "right":
        wrong = [name for name in truth if detail.get(name) != truth[name]]
        outcome, detail = ("wrong", wrong) if wrong else ("right", "")
    if number % 25 == 24:
        torture.told(f"{number + 1} damages")
    return Result(number, done, place, kind, noticed or "unnoticed", outcome, str(detail)[:300])


# The store


class Stores:
    """A store with a history, a copy from the midst of it, and what both answer."""

    def __init__(self, folder: Path) -> None:
        """Make them in `folder`."""
        self.whole, self.older, self._copy = folder / "whole", folder / "older", folder / "copy"
        make_history(self.whole, self.older)
        self.read_files = read_files(self.whole)
        self.truth = answers_of(self.whole)
        shutil.copytree(self.older, folder / "rolled")
        write_after(folder / "rolled")
        self.rolled = answers_of(folder / "rolled")
        del self.rolled["encoders"]  # store.json is that of the newer one

    def fresh_copy(self) -> Path:
        """An undamaged copy of the whole store."""
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(self.whole, self._copy)
        return self._copy


def answers_of(path: Path) -> dict[str, Any]:
    answer = torture.Child(look, str(path)).hear(SECONDS)
    assert answer is not None, "the undamaged store does not answer"
    assert answer[0] == "right", answer
    return dict(answer[1])


def make_history(whole: Path, older: Path) -> None:
    """Puts, updates, deletions, a compaction, a second encoder; `older` is a copy on the way."""
    import numpy as np

    from coordi.geometry import unit_rows

    ids = [str(id) for id in range(ITEMS)]
    store = open_indexed(whole, create=True)
    for start in range(0, ITEMS, 50):
        torture.put_stamped(store, ids[start : start + 50], 1)
    store.index(torture.FINGERPRINT)
    store.delete(ids[::17])
    shutil.copytree(whole, older)
    torture.put_stamped(store, ids[20:200], 2)
    store.compact()
    for start in range(0, 100, 20):
        torture.put_stamped(store, [f"9{id}" for id in ids[start : start + 20]], 3)
    some = ids[100:180]
    items = [torture.item_of(id, 2) for id in some]
    rows = unit_rows(np.random.default_rng(5).standard_normal((len(some), OTHER_DIM)))
    store.put(items, OTHER, rows, ["h2"] * len(some), encoder="other")
    store.delete(ids[1::23])
    store.close()
    shutil.rmtree(whole / "derived")
    with open_indexed(whole) as again:
        for entry in again.encoders():  # derived files of the newest version
            again.index(entry.fingerprint)
    assert any((whole / "derived").iterdir()), "there are no derived files to damage"


def roll_back(store: Path, stores: "Stores") -> str:
    """Put the older table in the place of the newer, and write to it."""
    shutil.rmtree(store / "items.lance")
    shutil.copytree(stores.older / "items.lance", store / "items.lance")
    child = torture.Child(write_after, str(store))
    return f"an older items.lance put back, then {child.hear(SECONDS)}"


def write_after(path: Path | str, pipe: Any = None) -> None:
    """Put new items, commit for commit as the newer store once did."""
    from coordi.errors import CoordiError

    said = "written to"
    try:
        with open_indexed(Path(path)) as store:
            for start in range(0, 160, 20):
                ids = [f"8{id}" for id in range(start, start + 20)]
                torture.put_stamped(store, ids, 4)
    except CoordiError as error:
        said = f"refused to write: {error}"
    if pipe is not None:
        pipe.send(said)


def open_indexed(path: Path, *, create: bool = False) -> Any:
    from coordi.store import open_store

    return open_store(path, create=create, exact_floats=50 * torture.DIM)


# The damage


def damage(store: Path, read: frozenset[str], chance: random.Random) -> tuple[str, str]:
    """Damage a store; what was done, and the file."""
    paths = sorted(path for path in store.rglob("*") if path.is_file())
    files = [path for path in paths if path.name not in LOCKS]
    if chance.random() < 0.8:
        files = [path for path in files if str(path.relative_to(store)) in read]
    kinds = [*(flip,) * 4, *(cut,) * 3, blank, remove, swap]
    while True:
        file = chance.choice(files)
        done = chance.choice(kinds)(file, chance, files)
        if done is not None:
            return done, str(file.relative_to(store))


# Each damages a file, where it can, and says how; some need another file.


def flip(file: Path, chance: random.Random, _: list[Path]) -> str | None:
    """Turn one bit around."""
    data = bytearray(file.read_bytes())
    if not data:
        return None
    place = chance.randrange(len(data))
    data[place] ^= 1 << chance.randrange(8)
    file.write_bytes(data)
    return f"a bit flipped at {place} of {len(data)}"


def cut(file: Path, chance: random.Random, _: list[Path]) -> str | None:
    """Keep only the beginning."""
    size = file.stat().st_size
    if not size:
        return None
    left = chance.choice((0, size - 1, chance.randrange(size)))
    with file.open("r+b") as opened:
        opened.truncate(left)
    return f"cut to {left} of {size}"


def blank(file: Path, chance: random.Random, _: list[Path]) -> str | None:
    """Zeros over a block of 512 bytes, as a disk may give after it lost power."""
    data = file.read_bytes()
    start = chance.randrange(max(1, len(data))) // 512 * 512
    blanked = data[:start] + bytes(len(data[start : start + 512])) + data[start + 512 :]
    if blanked == data:
        return None
    file.write_bytes(blanked)
    return f"a block of zeros at {start} of {len(data)}"


def remove(file: Path, _chance: random.Random, _: list[Path]) -> str | None:
    file.unlink()
    return "deleted"


def swap(one: Path, chance: random.Random, others: list[Path]) -> str | None:
    """Let two files change places."""
    other = chance.choice(others)
    first, second = one.read_bytes(), other.read_bytes()
    if first == second:
        return None
    one.write_bytes(second)
    other.write_bytes(first)
    return f"swapped with {other.parent.name}/{other.name}"


def kind_of(file: str, read: frozenset[str]) -> str:
    """The part of the store that a file belongs to; "unread" first where nothing reads it."""
    parts = Path(file).parts
    part = "/".join(parts[:2]) if parts[0] == "items.lance" else parts[0]
    return part if file in read else f"{UNREAD} {part}"


def read_files(store: Path) -> frozenset[str]:
    """Files that the newest version needs: all of Lance's that it names, all beside the table."""
    import lance

    dataset = lance.dataset(str(store / "items.lance"))
    fragments = dataset.get_fragments()
    names = {Path(file.path).name for fragment in fragments for file in fragment.data_files()}
    names |= {Path(fragment.deletion_file() or "").name for fragment in fragments}
    # Manifests count down from 2**64 - 1, so that the newest is the first by name.
    names |= {f"{2**64 - 1 - dataset.version}.manifest", f"{dataset.version}.manifest"}
    files = (path for path in store.rglob("*") if path.is_file() and path.name not in LOCKS)
    return frozenset(
        str(path.relative_to(store))
        for path in files
        if path.name in names or "items.lance" not in path.parts
    )


# What a fresh process makes of it


def examine(path: str, pipe: Any) -> None:
    """Send whether `verify` notices the damage."""
    sound, _ = torture.verified(Path(path))
    pipe.send({None: "not verified", True: "unnoticed", False: "noticed"}[sound])


def look(path: str, pipe: Any) -> None:
    """Open, read and search everything; send what came of it."""
    from coordi.errors import CoordiError

    try:
        pipe.send(("right", everything(Path(path))))
    except CoordiError as error:
        pipe.send(("refused", f"{type(error).__name__}: {error}"))
    except BaseException as error:  # Lance's panics are no Exceptions
        pipe.send((f"unexpected {type(error).__name__}", torture.fault_at(error)))


def everything(path: Path) -> dict[str, Any]:
    """Every answer that the store gives."""
    with open_indexed(path) as store:
        view = torture.snapshot_of(store)
        ids = view.ids()
        answers = {"ids": ids, "count": view.count(), "items": view.get(ids)}
        answers["facets"] = sorted(view.facets(), key=lambda facet: facet.name)
        answers["encoders"] = [(entry.name, entry.fingerprint) for entry in view.encoders()]
        for where in FILTERS:
            answers[where] = view.select(where).tolist()
        for _, fingerprint in answers["encoders"]:
            answers[f"search {fingerprint}"] = searches(view.index(fingerprint))
        return answers


def searches(index: Any) -> dict[str, Any]:
    """All vectors, and the nearest of some queries."""
    import numpy as np

    from coordi.geometry import unit_rows

    rows = index.live_rows()
    vectors = index.vectors(rows)
    found: dict[str, Any] = {"ids": index.ids(rows), "vectors": vectors.tobytes()}
    # All that pass, so that the candidates of an approximate index leave nothing to chance.
    queries = unit_rows(np.random.default_rng(1).standard_normal((6, vectors.shape[1])))
    for number, query in enumerate(queries):
        for where in (None, FILTERS[number % len(FILTERS)]):
            near = index.nearest(query, index.total, where)
            pairs = zip(index.ids(near.rows), near.scores.tolist(), strict=True)
            found[f"{number} {where}"] = sorted((id, round(score, 4)) for id, score in pairs)
    return found


def outcome_of(child: torture.Child) -> tuple[str, str]:
    """Why a child that said nothing said nothing."""
    code = child.kill()
    return ("hung", f"{SECONDS} s") if code == -9 else (f"crashed ({code})", "no answer")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--damages", type=int, default=250)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
