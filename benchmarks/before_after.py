"""Search and ingest of two source trees side by side in one run, as ratios.

    python benchmarks/before_after.py --before ../before/src --after src \\
        --catalog ../shared/data/mango/products.csv

Each tree answers from a process and a store of its own. Blocks of the same queries go round
between the two, and so does which comes first, so that other work on the machine meets both
alike; a percentile is the median of those of five parts of the run. Words, photo and item are
asked with an encoder that costs nothing, so that what is timed is the engine (version check,
filter, ranking, fetching 20 items); "encoded" means coordi-mini, and "decoded" a JPEG of
800 × 600. `--sizes` are items: up to 100,000 the search is exact. Ingests are whole processes
over the first `--rows` rows of the catalogue, taken in turns. A ratio above 1 is slower; for
images/s below 1 is slower. Exit code 1 where a ratio is worse than `--most` allows.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import torture

BLOCK = 25
FILTERS = {"all": None, "a filter": "shelf = 's7' and price < 50"}
KINDS = ("words", "photo", "item")
ENCODED = ("words, encoded", "photo, decoded and encoded")


def main() -> None:
    arguments = _arguments()
    trees = {"before": arguments.before.resolve(), "after": arguments.after.resolve()}
    report: dict[str, Any] = {name: str(tree) for name, tree in trees.items()}
    with torture.scratch("before-after") as folder:
        report["search"] = compare_search(trees, folder, arguments)
        report["ingest"] = compare_ingest(trees, folder, arguments)
    worst = max(row["ratio"][p] for row in report["search"] for p in ("p50", "p99"))
    report |= {"worst search ratio": worst, "ingest ratio": report["ingest"]["ratio"]}
    slow = sum(
        row["ratio"][p] > arguments.most for row in report["search"] for p in ("p50", "p99")
    ) + (report["ingest"]["ratio"] < 1 / arguments.most)
    torture.finish(report, int(slow), arguments.out)


class Tree:
    """A worker process that runs one source tree."""

    def __init__(self, name: str, source: Path, folder: Path) -> None:
        """Start it, and make sure that it is that tree's code."""
        command = [sys.executable, str(torture.ROOT / "benchmarks/timed_worker.py"), str(folder)]
        self.name = name
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env_of(source)
        )
        about = self.do("about")
        assert Path(about).is_relative_to(source), f"{about} is not of {source}"

    def do(self, what: str, **given: object) -> Any:
        """Have something done; the answer."""
        to, back = self._process.stdin, self._process.stdout
        assert to is not None
        assert back is not None
        print(json.dumps({"do": what, **given}), file=to, flush=True)
        line = back.readline()
        if not line:
            sys.exit(f"the worker of {self.name} died at {what} {given}")
        return json.loads(line)

    def end(self) -> None:
        """Let it go."""
        self._process.communicate()


def env_of(source: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}


def compare_search(
    trees: dict[str, Path], folder: Path, arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    rows = []
    workers = []
    for name, source in trees.items():
        (folder / name).mkdir()
        workers.append(Tree(name, source, folder / name))
    for size in arguments.sizes:
        for worker in workers:
            filled = worker.do("fill", size=size, seed=arguments.seed)
            torture.told(f"{worker.name}: {size} items, {filled}")
        kinds = (*KINDS, *ENCODED) if size == arguments.sizes[0] else KINDS
        rows += [
            compare_kind(workers, {"size": size, "kind": kind, "where": where}, arguments)
            for kind in kinds
            for where in FILTERS.values()
        ]
    for worker in workers:
        worker.end()
    return rows


def compare_kind(
    workers: list[Tree], asked: dict[str, Any], arguments: argparse.Namespace
) -> dict[str, Any]:
    """p50 and p99 of one kind of query, in milliseconds."""
    times: dict[str, list[float]] = {worker.name: [] for worker in workers}
    rounds = arguments.rounds if asked["kind"] in KINDS else max(2, arguments.rounds // 4)
    for turn in range(-1, rounds):
        ordered = workers if turn % 2 else workers[::-1]
        for worker in ordered:
            spent = worker.do("ask", **asked, start=BLOCK * (turn + 1), count=BLOCK)
            times[worker.name] += spent if turn >= 0 else []  # the first round warms up
    row: dict[str, Any] = dict(asked)
    for name, spent in times.items():
        row[name] = {f"p{p}": round(1e3 * quiet(spent, p), 3) for p in (50, 99)}
    row["ratio"] = {p: round(row["after"][p] / row["before"][p], 3) for p in ("p50", "p99")}
    torture.told(f"{asked}: {row['before']}, {row['after']}, {row['ratio']}")
    return row


def quiet(spent: list[float], percent: int) -> float:
    """The median of a percentile over fifths of the time, so that one burst of other work on the
    machine does not make the number.
    """
    import numpy as np

    return float(np.median([np.percentile(part, percent) for part in np.array_split(spent, 5)]))


def compare_ingest(
    trees: dict[str, Path], folder: Path, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Images/s of whole ingests, taken in turns."""
    catalog, images = first_rows(arguments, folder)
    paces: dict[str, list[float]] = {name: [] for name in trees}
    for turn in range(arguments.ingests):
        for name in list(trees) if turn % 2 else list(trees)[::-1]:
            store = folder / f"ingest {name} {turn}"
            command = [*torture.COORDI, "ingest", str(catalog), "--store", str(store), "--json"]
            began = time.monotonic()
            done = subprocess.run(
                [*command, "--images", str(images)], env=env_of(trees[name]),
                capture_output=True, check=False,
            )  # fmt: skip
            if done.returncode not in (0, 3):
                sys.exit(f"the ingest of {name} failed: {done.stdout.decode()}")
            paces[name].append(json.loads(done.stdout)["added"] / (time.monotonic() - began))
            torture.told(f"ingest {name}: {paces[name][-1]:.1f} images/s")
    best = {name: round(median(found), 1) for name, found in paces.items()}
    ratio = round(best["after"] / best["before"], 3)
    return {"images_per_s": best, "ratio": ratio, "rows": arguments.rows, "all": paces}


def first_rows(arguments: argparse.Namespace, folder: Path) -> tuple[Path, Path]:
    """The catalogue's first rows as a file of their own, and the folder of its pictures."""
    source = arguments.catalog or torture.drawn_wardrobe(folder / "wardrobe", arguments.rows)
    csv.field_size_limit(10_000_000)
    with source.open(newline="", encoding="utf-8-sig") as file:
        rows = [row for _, row in zip(range(arguments.rows + 1), csv.reader(file), strict=False)]
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return folder / "rows.csv", source.parent


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, required=True, help="the former source tree")
    parser.add_argument("--after", type=Path, default=Path("src"), help="the new source tree")
    parser.add_argument("--catalog", type=Path, help="a CSV file; a drawn wardrobe without one")
    parser.add_argument("--rows", type=int, default=1000, help="rows of it to ingest")
    parser.add_argument("--ingests", type=int, default=4, help="ingests of each tree")
    parser.add_argument("--sizes", type=int, nargs="+", default=[5000, 120_000])
    parser.add_argument("--rounds", type=int, default=40, help="blocks of queries of each kind")
    parser.add_argument("--most", type=float, default=1.05, help="the worst ratio that is good")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
