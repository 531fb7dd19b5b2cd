"""All street-to-shop systems on one collection and one encoder's features, over several seeds.

    python benchmarks/street_to_shop.py worn --encoder efficientnet-lite0 --data ../shared/data \
        --imagenet ../shared/weights/mobilenet_v2_imagenet.tflite --threads 1

Each system trains by its packaged recipe, chooses its weights on val and is measured on test.
Controls: random rows, the colour histogram, an ImageNet network, and the encoder itself, whose
ranking the re-rankers start from. `csn` is asked for the garment, its only condition here.
`street2fashion2shop` takes COLLECTION-white, the same photos and split with white behind people,
where there is one; the encoder itself on those photos stands beside it.

What is measured stands in OUT as a report each and is not measured again, so that a killed run
goes on; a run's folder is deleted once its report is there. The table goes to OUT/table.md and,
with --doc, between the markers of that collection and encoder in a page.
"""

import argparse
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev

import torch

from coordi.artifacts import write_atomically
from coordi.data.collection import Collection
from coordi.data.specs import COLLECTIONS, load_spec
from coordi.drawn.collections import load_collection
from coordi.evaluation.benchmark import report_of
from coordi.evaluation.report import Report
from coordi.evaluation.retrieval import Retrieval
from coordi.models.opening import open_encoder
from coordi.training.run import run

COLUMNS = ("R@1", "R@10", "MRR")


@dataclass(frozen=True)
class Row:
    """A line of the table: a recipe with what is set otherwise, or a control."""

    label: str
    recipe: str = ""
    """"" for a control."""
    overrides: tuple[str, ...] = ()
    model: str = ""
    """Of a control: what `open_encoder` opens."""
    white: bool = False
    """Whether it is measured on the photos before white."""


SYSTEMS = (
    Row("cross-triplet", "cross-triplet"),
    Row("csn@item", "csn", ("match=item", "model.conditions=[item]", "validate_every=100")),
    Row("darn", "darn"),
    Row("darn, rank: dense", "darn", ("model.rank=dense",)),
    Row("ddan", "ddan"),
    Row("ddan, align: item", "ddan", ("model.align=item",)),
    Row("head", "head"),
    Row("mtct", "mtct"),
    Row("robust-contrastive", "robust-contrastive"),
    Row("robust-contrastive, dead zone", "robust-contrastive", ("model.positive=dead-zone",)),
    Row("single-tower", "single-tower"),
    Row("street2fashion2shop", "street2fashion2shop", white=True),
    Row("studio2shop", "studio2shop"),
    Row("wtbi", "wtbi"),
)


@dataclass
class Table:
    """What is measured, where it is kept, and on what."""

    args: argparse.Namespace
    out: Path
    benchmarks: dict[bool, Retrieval] = field(default_factory=dict)

    def name(self, white: bool) -> str:
        """The collection of a row, by name."""
        return f"{self.args.collection}-white" if white else self.args.collection

    def benchmark(self, white: bool) -> Retrieval:
        """The test trial, read once."""
        if white not in self.benchmarks:
            root, cache = Path(self.args.data), Path(self.args.cache)
            found: Collection = load_collection(load_spec(self.name(white)), root, cache=cache)
            self.benchmarks[white] = Retrieval(found, cache=cache)
        return self.benchmarks[white]

    def reports(self, row: Row) -> list[Report]:
        """One report of a control, one for each seed of a system; made where OUT lacks them."""
        seeds = range(self.args.seeds) if row.recipe else range(1)
        return [self._report(row, seed) for seed in seeds]

    def _report(self, row: Row, seed: int) -> Report:
        plain = re.sub(r"[^\w@-]+", "-", row.label)
        file = self.out / f"{plain}-seed{seed}.json"
        if not file.exists():
            print(f"{row.label}, seed {seed}", flush=True)
            folder = self.out / "runs" / f"{plain}-seed{seed}"
            model = row.model if not row.recipe else str(self._train(row, seed, folder))
            benchmark = self.benchmark(row.white)
            report_of(benchmark, benchmark.measure(model), control=not row.recipe).save(file)
            shutil.rmtree(folder, ignore_errors=True)
        return Report.load(file)

    def _train(self, row: Row, seed: int, folder: Path) -> Path:
        given = [
            f"collection={self.name(row.white)}", f"data={self.args.data}",
            f"cache={self.args.cache}", f"encoder={self.args.encoder}", f"seed={seed}",
        ]  # fmt: skip
        if self.args.steps:
            given.append(f"steps={self.args.steps}")
        return run(row.recipe, [*given, *row.overrides], output=folder, quiet=True)


def controls(args: argparse.Namespace, white: bool) -> Iterator[Row]:
    """What a number must beat before it means anything."""
    yield Row("the encoder itself", model=args.encoder)
    if white:
        yield Row("the encoder itself, before white", model=args.encoder, white=True)
    yield Row("colour histogram", model="color-histogram")
    if args.imagenet:
        yield Row(f"ImageNet ({Path(args.imagenet).stem})", model=args.imagenet)
    yield Row("random", model="random")


def numbers(reports: list[Report], column: str) -> list[float]:
    """A column of each report; all of `COLUMNS` are finite."""
    return [float(report.values[column].value or 0) for report in reports]


def line(row: Row, reports: list[Report]) -> str:
    """The table's line: values of a control, mean ± sd over seeds of a system."""
    cells = []
    for column in COLUMNS:
        values = numbers(reports, column)
        spread = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
        cells.append(f"{fmean(values):.3f}{spread}")
    anew = " (re-ranks)" if reports[0].note.startswith("orders the first") else ""
    label = f"{row.label}{anew}" if row.recipe else f"*{row.label}*"
    seeds = str(len(reports)) if row.recipe else "–"
    return f"| {label} | {' | '.join(cells)} | {seeds} |"


def page(args: argparse.Namespace, measured: list[tuple[Row, list[Report]]]) -> str:
    """The table, systems by R@1, controls below."""
    terms = measured[0][1][0].terms
    missing = max(report.missing for _, reports in measured for report in reports)

    def first(pair: tuple[Row, list[Report]]) -> tuple[bool, float]:
        return not pair[0].recipe, -fmean(numbers(pair[1], "R@1"))

    steps = f", {args.steps} steps each" if args.steps else ""
    head = [
        f"### {args.collection}, features of {Path(args.encoder).name}{steps}",
        f"{terms.asked} {missing} missing or unreadable pictures.",
        "| system | " + " | ".join(COLUMNS) + " | seeds |\n| --- |" + " ---: |" * 4,
    ]
    lines = [line(row, reports) for row, reports in sorted(measured, key=first)]
    return "\n\n".join(head) + "\n" + "\n".join(lines) + "\n"


def put_between(doc: Path, name: str, text: str) -> None:
    """Replace what a page has between the markers of `name`, or append both."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    old = doc.read_text("utf-8") if doc.exists() else ""
    new = f"{begin}\n\n{text}\n{end}"
    if begin in old:
        before, rest = old.split(begin, 1)
        new = before + new + rest.split(end, 1)[1]
    else:
        new = f"{old.rstrip()}\n\n{new}\n".lstrip()
    write_atomically(doc, new)


def main() -> None:
    """Measure what is missing and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("collection")
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--data", default=".")
    parser.add_argument("--cache", default="coordi-cache")
    parser.add_argument("--out", default="runs/street-to-shop")
    parser.add_argument("--imagenet", help="a MobileNetV2 .tflite file, as a control")
    parser.add_argument("--only", nargs="+", help="labels of the systems to take")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=0, help="instead of the recipes' own")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--doc", type=Path, help="page to write the table into")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if unknown := sorted(set(args.only or ()) - {row.label for row in SYSTEMS}):
        parser.error(f"no system {unknown[0]!r}; there are {', '.join(r.label for r in SYSTEMS)}")
    base = open_encoder(args.encoder)
    kept = f"{args.collection}-{Path(base.name).name}-{base.fingerprint}"
    out = Path(args.out) / (kept + (f"-{args.steps}" if args.steps else ""))
    out.mkdir(parents=True, exist_ok=True)
    white = f"{args.collection}-white" in COLLECTIONS
    chosen = [row for row in SYSTEMS if not args.only or row.label in args.only]
    table = Table(args, out)
    measured = []
    for row in (*controls(args, white), *chosen):
        if white or not row.white:
            measured.append((row, table.reports(row)))
            write_atomically(out / "table.md", page(args, measured))
    text = page(args, measured)
    print(text)
    if args.doc:
        put_between(args.doc, f"{args.collection} {Path(base.name).name}", text)


if __name__ == "__main__":
    main()
