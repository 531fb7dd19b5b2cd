"""The store's state machine for thousands of steps: `tests/store/test_machine.py`, run long.

    python benchmarks/store_machine.py --steps 5000
    python benchmarks/store_machine.py --steps 5000 --tmpfs 64    # as root: a disk that is full

Hypothesis draws put, update, delete, prune, a second encoder, compaction, kill -9, reopening,
swapped handles, held snapshots, deleted derived files and full disks; after every step all
handles and snapshots are compared with a dictionary. Without `--tmpfs` a full disk is a limit on
the size of files, which fails writes midway; with it, the store lies on a disk of that many
megabytes and a ballast file leaves no room. A fault ends its run of steps and is counted by its
place; the next run goes on with the next seed.
"""

import argparse
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import ClassVar

import torture

sys.path.insert(0, str(torture.ROOT / "tests"))

from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test

from store.test_machine import QUICK, StoreMachine


class OnSmallDisk(StoreMachine):
    """The machine on a disk of its own that a ballast file fills."""

    megabytes: ClassVar[int] = 64

    def new_root(self) -> Path:
        root = super().new_root()
        command = ["mount", "-t", "tmpfs", "-o", f"size={self.megabytes}m", "tmpfs", str(root)]
        subprocess.run(command, check=True)
        return root

    def drop_root(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.root)], check=True)
        self.root.rmdir()

    def full(self, limit: int) -> AbstractContextManager[None]:
        return ballast(self.root, limit)


@contextmanager
def ballast(folder: Path, left: int) -> Iterator[None]:
    """Fill the disk of `folder` but for `left` bytes."""
    path = folder / "ballast"
    disk = os.statvfs(folder)
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, disk.f_bavail * disk.f_frsize - left))
        yield
    finally:
        path.unlink(missing_ok=True)


def main() -> None:
    arguments = _arguments()
    machine = OnSmallDisk if arguments.tmpfs else StoreMachine
    OnSmallDisk.megabytes = arguments.tmpfs or 64
    machine.kills = arguments.kills
    faults: Counter[str] = Counter()
    examples: dict[str, int] = {}
    number = arguments.seed
    while steps_done() < arguments.steps and sum(faults.values()) < arguments.most_faults:
        fault = run(machine, number, arguments.length)
        if fault is not None:
            faults[fault] += 1
            examples.setdefault(fault, number)
        number += 1
        torture.told(f"{steps_done()} steps, {sum(faults.values())} faults")
    counts = dict(sorted(StoreMachine.counts.items()))
    report = {"steps": steps_done(), "runs": number - arguments.seed, "seed": arguments.seed}
    report |= {"counts": counts, "found": torture.most_frequent(faults), "first_seed": examples}
    torture.finish(report, sum(faults.values()), arguments.out)


def steps_done() -> int:
    return sum(count for what, count in StoreMachine.counts.items() if what != "checks")


def run(machine: type[StoreMachine], number: int, length: int) -> str | None:
    """Runs of `length` steps; the first fault's place."""
    # Not derandomised: the seed decides.
    asked = settings(QUICK, derandomize=False, max_examples=25, stateful_step_count=length)
    try:
        run_state_machine_as_test(seed(number)(machine), settings=asked)
    except Exception as error:
        return torture.fault_at(error)
    return None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--length", type=int, default=50, help="steps of one run")
    parser.add_argument("--kills", type=int, default=4, help="most processes killed in a run")
    parser.add_argument("--tmpfs", type=int, metavar="MB", help="size of a disk for the store")
    parser.add_argument("--most-faults", type=int, default=200, help="stop after so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
