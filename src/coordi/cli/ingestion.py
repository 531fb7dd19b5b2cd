"""What `ingest` and `demo` share: a shown mapping, a running ingest, and its report."""

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from coordi.cli.output import WITH_PROBLEMS, Output
from coordi.cli.shapes import problem_json
from coordi.cli.signals import INTERRUPTED

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from coordi.data.catalog import Catalog
    from coordi.data.fetching import Fetcher
    from coordi.engine import Engine, IngestProgress, IngestReport
    from coordi.types import Origin, Problem

SHOWN_PROBLEMS = 20
PLAIN_SECONDS = 10.0
"""Time between two lines of progress where no bar can be drawn."""


def run_ingest(
    engine: "Engine",
    source: str,
    out: Output,
    *,
    mapping: Mapping[str, str],
    images: Path | None = None,
    roots: Sequence[Path] = (),
    fetch: "Fetcher | None" = None,
    prune: bool = False,
) -> "IngestReport":
    """Open a catalogue, show how it is understood, and ingest it under a progress display."""
    from coordi.engine.ingest import open_absolute

    catalog = open_absolute(source, mapping=mapping, images=images, fetch=fetch)
    show_mapping(out, catalog)
    out.note(f"encoder: {engine.encoder.name}, {engine.encoder.dim} dimensions")
    with _progress(out) as on_progress:
        report = engine.ingest(catalog, roots=roots, prune=prune, on_progress=on_progress)
    for note in report.notes:
        if note not in catalog.notes:  # those were said before the work
            out.note(f"note: {note}")
    return report


def show_mapping(out: Output, catalog: "Catalog") -> None:
    """Say what each column was taken for and why, and what to do where that is wrong."""
    rows = "" if catalog.count is None else f", {catalog.count:,} rows"
    out.note(f"{catalog.source} ({catalog.kind}{rows})")
    for role, column in catalog.mapping.items():
        how = catalog.known_by.get(role)
        out.note(f"  {role:<12} <- {column}{f'   ({how})' if how else ''}")
    others = [name for name in catalog.fields if name not in catalog.mapping]
    if others:
        out.note(f"  fields       <- {', '.join(others)}")
    for note in catalog.notes:
        out.note(f"  note: {note}")
    out.note("  (something wrong? say it with --map role=column)")


@contextmanager
def _progress(out: Output) -> "Iterator[Callable[[IngestProgress], None] | None]":
    if out.as_json:
        yield None
    elif sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _lines()


@contextmanager
def _bar() -> "Iterator[Callable[[IngestProgress], None]]":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("ingest", total=None, pace="", left="")
        yield lambda now: _update(progress, task, now)


def _update(progress: "Progress", task: "TaskID", now: "IngestProgress") -> None:
    left = "" if now.eta_seconds is None else f"{_duration(now.eta_seconds)} left"
    pace = (_fetched(now) + _pace(now.images_per_second)).removeprefix(", ")
    progress.update(task, total=now.total, completed=_done(now), pace=pace, left=left)


def _lines() -> "Callable[[IngestProgress], None]":
    last = time.monotonic()

    def show(now: "IngestProgress") -> None:
        nonlocal last
        if time.monotonic() < last + PLAIN_SECONDS:
            return
        last = time.monotonic()
        total = "" if now.total is None else f" of {now.total:,}"
        left = "" if now.eta_seconds is None else f", {_duration(now.eta_seconds)} left"
        typer.echo(
            f"{_done(now):,}{total} rows{_fetched(now)}{_pace(now.images_per_second)}{left}",
            err=True,
        )

    return show


def _done(now: "IngestProgress") -> int:
    """Rows that need nothing more."""
    return now.stored + now.unchanged + now.failed


def _pace(images_per_second: float) -> str:
    return f", {images_per_second:,.0f} images/s" if images_per_second else ""


def _fetched(now: "IngestProgress") -> str:
    return f", {now.fetched:,} pictures fetched" if now.fetched else ""


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def finish(
    out: Output,
    report: "IngestReport",
    store: Path,
    *,
    interrupted: bool = False,
    problem_file: Path | None = None,
) -> None:
    """Say what an ingest did and leave with its exit code, unless all went well."""
    if problem_file:
        _write_problems(problem_file, report.problems)
    out.json(report_json(report, store, interrupted=interrupted))
    show_report(out, report, store, problem_file=problem_file)
    if interrupted:
        out.note(
            "Stopped. What is counted above is safe in the store; run the same command again "
            "to go on from there."
        )
        raise typer.Exit(INTERRUPTED)
    if report.problems:
        raise typer.Exit(WITH_PROBLEMS)


def show_report(
    out: Output, report: "IngestReport", store: Path, *, problem_file: Path | None = None
) -> None:
    """Print the counts and the first problems for people."""
    out.text(_counts(report, store))
    if report.text_only:
        out.text(f"{report.text_only:,} items have no picture: their words were embedded.")
    _show_problems(out, report, problem_file)


def _write_problems(path: Path, problems: "Sequence[Problem]") -> None:
    with path.open("w", encoding="utf-8") as file:
        for problem in problems:
            file.write(json.dumps(problem_json(problem), ensure_ascii=False) + "\n")


def report_json(report: "IngestReport", store: Path, *, interrupted: bool) -> dict[str, Any]:
    """The report as JSON: its counts, the mapping, the first problems and their number."""
    document = dataclasses.asdict(report)
    del document["problems"]
    shown = [problem_json(problem) for problem in report.problems[:SHOWN_PROBLEMS]]
    return {"store": str(store), "interrupted": interrupted, **document, "problems": shown}


def _counts(report: "IngestReport", store: Path) -> str:
    counts = {
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "removed": report.pruned,
        "not usable": report.failed,
    }
    named = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    pace = _pace(report.images_per_second)
    return f"{store}: {named or 'nothing to do'} in {report.seconds:.1f} s{pace}"


def _show_problems(out: Output, report: "IngestReport", file: Path | None) -> None:
    problems = report.problems
    if not problems:
        return
    shown = problems[:SHOWN_PROBLEMS]
    rows = ((_place(problem.origin), problem.id or "", problem.reason) for problem in shown)
    out.table(("where", "id", "problem"), rows, title=_title(problems))
    if file:
        out.text(f"All of them: {file}")
    elif len(problems) > len(shown):
        rest = len(problems) - len(shown)
        out.text(f"... and {rest:,} more. All of them: run again with --report problems.jsonl")


def _title(problems: "Sequence[Problem]") -> str:
    """How many rows are lost, and how many problems cost none."""
    rows = sum(problem.rows for problem in problems)
    aside = sum(problem.rows == 0 for problem in problems)
    lost = f"{rows:,} rows could not be used"
    return f"{lost}; {aside:,} problems cost no row" if aside else lost


def _place(origin: "Origin") -> str:
    """The origin with the file's name alone: the folder was shown above."""
    line = "" if origin.line is None else f":{origin.line}"
    return Path(origin.file).name + line
