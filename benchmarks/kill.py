"""Kill an ingest at random moments, run it again, and compare with an undisturbed run.

    python benchmarks/kill.py --catalog ../shared/data/closet --kills 5

Each trial kills (SIGKILL) the process group once, at a moment drawn evenly from the undisturbed
run's duration, and then runs the same command to the end; the last trial kills as many times in
a row. Ids, titles, fields and picture places must be equal, and no id may stand twice. Vectors
may differ by rounding only: batches are cut differently after a kill. Exit code 1 if not so.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from coordi.store.lance import open_store
from coordi.types import Item, Vectors

COMMAND = [sys.executable, "-c", "from coordi.cli import main; main()", "ingest"]
ROUNDING = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalog", type=Path, default=Path("../shared/data/closet"))
    parser.add_argument("--encoder", default="coordi-mini")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    command = [*COMMAND, str(arguments.catalog), "--encoder", arguments.encoder, "--json"]
    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "whole"
        duration = complete(command, whole)
        expected = contents(whole)
        print(f"undisturbed: {len(expected[0]):,} items in {duration:.1f} s")
        good = True
        for trial in range(arguments.kills + 1):
            store = Path(scratch) / f"trial{trial}"
            times = arguments.kills if trial == arguments.kills else 1
            share = 1 / times  # of the whole, so that several kills fall within one ingest
            delays = [moments.uniform(0, duration * share) for _ in range(times)]
            left = [kill_after(command, store, delay) for delay in delays]
            complete(command, store)
            good &= report(delays, left, expected, contents(store))
    sys.exit(0 if good else 1)


def complete(command: list[str], store: Path) -> float:
    """Run an ingest to its end; the seconds it took. Problems in rows (3) are no failure."""
    started = time.monotonic()
    done = subprocess.run([*command, "--store", str(store)], stdout=subprocess.DEVNULL, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"the ingest failed with exit code {done.returncode}")
    return time.monotonic() - started


def kill_after(command: list[str], store: Path, delay: float) -> int:
    """Kill an ingest after `delay` seconds; how many items it left."""
    process = subprocess.Popen(
        [*command, "--store", str(store)], stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if not (store / "store.json").exists():
        return 0
    with open_store(store) as opened:
        return opened.count()


def contents(folder: Path) -> tuple[dict[str, Item], dict[str, Vectors], int]:
    """Items and vectors by id, and how many ids stand more than once."""
    with open_store(folder) as store:
        ids = store.ids()
        items = {item.id: item for item in store.get(ids)}
        vectors: dict[str, Vectors] = {}
        for some, rows in store.vectors(store.encoders()[-1].fingerprint):
            vectors |= dict(zip(some, rows, strict=True))
    return items, vectors, len(ids) - len(set(ids))


Contents = tuple[dict[str, Item], dict[str, Vectors], int]


def report(delays: list[float], left: list[int], expected: Contents, found: Contents) -> bool:
    """Print one trial; whether it ended as the undisturbed run did."""
    moments = ", ".join(
        f"{delay:.1f} s ({count:,} items)" for delay, count in zip(delays, left, strict=True)
    )
    print(
        f"killed after {moments}: same items {'yes' if expected[0] == found[0] else 'NO'}, "
        f"twice {found[2]}, vectors differ by {away(expected, found):.0e} at most"
    )
    return alike(expected, found)


def alike(expected: Contents, found: Contents) -> bool:
    """Whether two stores hold the same: items exactly, vectors but for rounding, no id twice."""
    same = expected[0] == found[0] and expected[1].keys() == found[1].keys()
    return same and found[2] == 0 and away(expected, found) < ROUNDING


def away(expected: Contents, found: Contents) -> float:
    """The largest difference between two numbers of the same item's vectors."""
    both = expected[1].keys() & found[1].keys()
    return max((float(np.abs(expected[1][id] - found[1][id]).max()) for id in both), default=0.0)


if __name__ == "__main__":
    main()
