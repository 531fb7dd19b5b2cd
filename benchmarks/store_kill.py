"""kill -9 at any moment: is every commit that was told there, and does the store live?

    python benchmarks/store_kill.py --store 200 --command 40 --creation 60

`--store` kills a process that puts, updates, deletes and compacts without a pause, each step one
commit whose number it tells when it is done; afterwards the store must hold the state of the last
step told or of the one after, items and vectors alike. `--command` kills `coordi ingest` of a
drawn wardrobe, four times in a row, runs it to its end, and compares with an undisturbed run, as
kill.py does. `--creation` kills a process that is making a store; whoever comes next must be able
to make or open it, put, and read. After each kill the store is verified where it can be.
"""

import argparse
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kill
import torture

IDS = 80
KILLS_A_STORE = 25
IN_A_ROW = 4
GARMENTS = 200

State = dict[str, int]
"""Id → stamp."""


def main() -> None:
    arguments = _arguments()
    parts: dict[str, Callable[..., Counter[str]]] = {
        "store": kill_writers,
        "command": kill_commands,
        "creation": kill_makers,
    }
    report: dict[str, Any] = {"seed": arguments.seed}
    faults = 0
    for name, part in parts.items():
        times = getattr(arguments, name)
        if not times:
            continue
        with torture.scratch("kill") as folder:
            counts = part(folder, times, torture.chance(arguments.seed, name))
        found = sum(count for what, count in counts.items() if what.startswith("fault"))
        faults += found
        report[name] = {"faults": found, **dict(sorted(counts.items()))}
        torture.told(f"{name}: {counts['killed']} killed, {found} faults")
    torture.finish(report, faults, arguments.out)


# At store level


def step(state: State, number: int) -> State:
    """The state after one more commit: a function of the number alone."""
    chance = torture.chance(0, number)
    some = [str(id) for id in chance.sample(range(IDS), chance.randint(1, 12))]
    left = {id: stamp for id, stamp in state.items() if id not in some}
    return left if number % 7 == 6 else left | dict.fromkeys(some, number)


def write(path: str, first: int, pipe: Any) -> None:
    """Take one step after the other, telling each, until killed."""
    from coordi.store import open_store

    state: State = {}
    for number in range(first):
        state = step(state, number)
    store = open_store(path, create=True)
    for number in range(first, first + 1_000_000):
        after = step(state, number)
        changed = [id for id, stamp in after.items() if stamp == number]
        if changed:
            torture.put_stamped(store, changed, number)
        else:
            store.delete([id for id in state if id not in after])
        if number % 5 == 4:
            store.compact()
        pipe.send(number)
        state = after


def kill_writers(folder: Path, times: int, chance: random.Random) -> Counter[str]:
    counts: Counter[str] = Counter()
    path, done, told = folder / "0", 0, -1
    for number in range(times):
        if number % KILLS_A_STORE == 0:
            path, done, told = folder / str(number), 0, -1
        child = torture.Child(write, str(path), done)
        started = child.hear(60)
        time.sleep(chance.uniform(0, 0.25))
        counts["killed"] += child.kill() == -9
        last = started
        while (heard := child.hear(0)) is not None:
            last = heard
        told = max(told, -1 if last is None else last)
        try:
            done = find_state(path, told) + 1
            counts["a step further than told"] += done > told + 1
        except Exception as error:
            counts[f"fault after a kill: {torture.fault_at(error)}"] += 1
            path, done, told = folder / f"after {number}", 0, -1
        note_soundness(path, counts)
    return counts


def find_state(path: Path, told: int) -> int:
    """The number of the step whose state the store holds: the last told or the next."""
    state: State = {}
    for number in range(told + 1):
        state = step(state, number)
    found = read_state(path)
    if found == state:
        return told
    assert found == step(state, told + 1), f"neither the state of step {told} nor the next"
    return told + 1


def read_state(path: Path) -> State:
    """Id → stamp, after everything else was compared with what follows from them."""
    import numpy as np

    from coordi.store import open_store

    with open_store(path) as store:
        ids = store.ids()
        assert len(ids) == len(set(ids)) == store.count(), "an id stands twice"
        items = store.get(ids)
        stamps = {item.id: int(item.fields["stamp"]) for item in items}
        assert items == [torture.item_of(id, stamp) for id, stamp in stamps.items()], "fields"
        if ids:
            wanted = np.stack([torture.vector_of(id, stamp) for id, stamp in stamps.items()])
            found = store.vectors_of(ids, torture.FINGERPRINT)
            assert np.array_equal(found, wanted), "vectors of another stamp"
        return stamps


def note_soundness(path: Path, counts: Counter[str]) -> None:
    sound, why = torture.verified(path)
    if sound is None:
        counts["not verified"] += 1
    elif sound:
        counts["sound"] += 1
    else:
        counts[f"fault: not sound: {why[:100]}"] += 1


# While a store is made


def make(path: str, pipe: Any) -> None:
    """Make a store as soon as told to, and say so."""
    from coordi.store import open_store

    pipe.send("ready")
    pipe.recv()
    open_store(path, create=True)
    pipe.send("made")
    time.sleep(60)


def kill_makers(folder: Path, times: int, chance: random.Random) -> Counter[str]:
    counts: Counter[str] = Counter()
    duration = sorted(seconds_of_making(folder / f"whole {number}") for number in range(5))[2]
    counts["ms to make one"] = round(1000 * duration)
    for number in range(times):
        path = folder / str(number)
        child = torture.Child(make, str(path))
        child.hear(60)
        child.say("go")
        time.sleep(chance.uniform(0, 1.1 * duration))
        counts["killed"] += child.kill() == -9
        counts["had been made"] += child.hear(0) == "made"
        counts["folder was there"] += path.exists()
        try:
            use_anyway(path)
            counts["alive"] += 1
        except Exception as error:
            counts[f"fault: dead: {torture.fault_at(error)}"] += 1
            continue
        note_soundness(path, counts)
    return counts


def seconds_of_making(path: Path) -> float:
    """How long it takes where nobody kills."""
    child = torture.Child(make, str(path))
    child.hear(60)
    started = time.monotonic()
    child.say("go")
    assert child.hear(60) == "made"
    duration = time.monotonic() - started
    child.kill()
    return duration


def use_anyway(path: Path) -> None:
    """Open or make what the killed process left, put, and read from a second handle."""
    from coordi.store import open_store

    with open_store(path, create=True) as store:
        assert store.count() == 0
        torture.put_stamped(store, ["1", "2"], 3)
    assert read_state(path) == {"1": 3, "2": 3}


# At the command line


def kill_commands(folder: Path, times: int, chance: random.Random) -> Counter[str]:
    counts: Counter[str] = Counter()
    catalog = torture.drawn_wardrobe(folder / "wardrobe", GARMENTS)
    command = [*kill.COMMAND, str(catalog), "--json"]
    duration = kill.complete(command, folder / "whole")
    expected = kill.contents(folder / "whole")
    for trial in range(-(-times // IN_A_ROW)):
        store = folder / f"trial{trial}"
        kills = min(IN_A_ROW, times - trial * IN_A_ROW)
        # Shares of the whole, so that the kills fall over all of one ingest.
        delays = [chance.uniform(0, duration * 1.2 / kills**0.5) for _ in range(kills)]
        try:
            left = [kill.kill_after(command, store, delay) for delay in delays]
            counts["killed"] += kills
            counts["items were there after a kill"] += sum(count > 0 for count in left)
            assert left == sorted(left), f"items were lost from one kill to the next: {left}"
            kill.complete(command, store)
            assert kill.alike(expected, kill.contents(store)), "not what an undisturbed run stores"
            note_soundness(store, counts)
        except (Exception, SystemExit) as error:
            counts[f"fault: {torture.fault_at(error)}"] += 1
    return counts


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", type=int, default=200, help="kills of a writer")
    parser.add_argument("--command", type=int, default=40, help="kills of coordi ingest")
    parser.add_argument("--creation", type=int, default=60, help="kills while a store is made")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
