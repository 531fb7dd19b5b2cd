"""What `ingest` and `demo` share: a shown mapping, a running ingest, and its report."""

import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from coordi.artifacts import write_atomically
from coordi.cli.output import FAILURE, WITH_PROBLEMS, Output, printable
from coordi.cli.progress import progress
from coordi.cli.shapes import problem_json
from coordi.cli.signals import INTERRUPTED

if TYPE_CHECKING:
    from coordi.data.catalog import Catalog
    from coordi.data.fetching import Fetcher
    from coordi.engine import Engine, IngestProgress, IngestReport
    from coordi.types import Origin, Problem

SHOWN_PROBLEMS = 20
SHOWN_NOTES = 12


@contextmanager
def no_store_left_behind(folder: Path) -> Iterator[None]:
    """Take an empty store away again where the ingest that was to fill it fails."""
    from coordi.errors import StoreLockedError
    from coordi.store import discard

    there = folder.exists()
    try:
        yield
    except typer.Exit:  # it is done, and said what it had to say
        raise
    except Exception:
        if not there:
            with suppress(StoreLockedError):  # somebody else fills it
                discard(folder)
        raise


def run_ingest(
    engine: "Engine",
    source: str,
    out: Output,
    *,
    mapping: Mapping[str, str],
    images: Path | None = None,
    roots: Sequence[Path] = (),
    fetch: "Fetcher | None" = None,
    encoding: str | None = None,
    prune: bool = False,
    yes: bool = False,
    views: str | None = None,
) -> "IngestReport":
    """Open a catalogue, show how it is understood, and ingest it under a progress display.

    Unless `yes` says so, `prune` asks before it removes much, or refuses where nobody can answer.
    """
    from coordi.engine.ingest import open_absolute

    catalog = open_absolute(source, mapping=mapping, images=images, fetch=fetch, encoding=encoding)
    show_mapping(out, catalog)
    out.note(f"encoder: {engine.encoder.name}, {engine.encoder.dim} dimensions")
    behind = ("{task.fields[pace]}", "{task.fields[left]}")
    bar = progress(out, _fields, _line, behind=behind, description="ingest", pace="", left="")
    with ExitStack() as shown:
        on_progress = shown.enter_context(bar)

        def may_prune(gone: int, stored: int) -> bool:
            shown.close()  # a question below a moving bar cannot be read
            return yes or _agreed(out, gone, stored)

        return engine.ingest(
            catalog,
            roots=roots,
            prune=prune,
            may_prune=may_prune,
            views=views,
            on_progress=on_progress,
        )


def _agreed(out: Output, gone: int, stored: int) -> bool:
    """Ask on a terminal whether so many items may be removed; nobody else can answer."""
    if not _answers(out):
        return False
    question = f"--prune would remove {gone:,} of {stored:,} items of this catalogue. Remove them?"
    return typer.confirm(question, err=True)


def _answers(out: Output) -> bool:
    """Whether somebody sits there who sees a question and can answer it."""
    return not out.as_json and sys.stdin.isatty() and sys.stderr.isatty()


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


def _fields(now: "IngestProgress") -> dict[str, Any]:
    left = "" if now.eta_seconds is None else f"{_duration(now.eta_seconds)} left"
    pace = (_fetched(now) + _pace(now.images_per_second)).removeprefix(", ")
    return {"total": now.total, "completed": _done(now), "pace": pace, "left": left}


def _line(now: "IngestProgress") -> str:
    total = "" if now.total is None else f" of {now.total:,}"
    left = "" if now.eta_seconds is None else f", {_duration(now.eta_seconds)} left"
    return f"{_done(now):,}{total} rows{_fetched(now)}{_pace(now.images_per_second)}{left}"


def _done(now: "IngestProgress") -> int:
    """Rows that need nothing more."""
    return now.stored + now.unchanged + now.failed + now.folded


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
    file: Path | None = None,
) -> None:
    """Say what an ingest did and leave with its exit code, unless all went well."""
    show_report(out, report, store, interrupted=interrupted, file=file)
    out.json(report_json(report, store, interrupted=interrupted))
    if interrupted:
        out.note(
            "Stopped. What is counted above is safe in the store; run the same command again "
            "to go on from there."
        )
        raise typer.Exit(INTERRUPTED)
    if report.prune_refused is not None:
        gone, stored = report.prune_refused
        out.note(
            f"error: nothing was pruned: the catalogue no longer lists {gone:,} of {stored:,} "
            "items. If that is meant, run again with --prune --yes; all else is done."
        )
        raise typer.Exit(FAILURE)
    if report.problems:
        raise typer.Exit(WITH_PROBLEMS)


def show_report(
    out: Output,
    report: "IngestReport",
    store: Path,
    *,
    interrupted: bool = False,
    file: Path | None = None,
) -> None:
    """Print the counts, what was guessed and converted, and the first problems for people.

    With `file`, all of it is written there as JSON.
    """
    if file is not None:
        write_report(file, report, store, interrupted=interrupted)
    out.text(_counts(report, store, interrupted=interrupted))
    said = _said(report)
    for line in said[:SHOWN_NOTES]:
        out.text(f"  {printable(line)}")
    if len(said) > SHOWN_NOTES:
        whole = file or "run again with --report FILE"
        out.text(f"  ... and {len(said) - SHOWN_NOTES:,} more such notes: {whole}")
    _show_problems(out, report, file)
    if file is not None:
        out.text(f"The whole report: {file}")


def _said(report: "IngestReport") -> list[str]:
    """What people should know of how the catalogue was understood, a line each."""
    by_values = [role for role, how in report.known_by.items() if how == "by its values"]
    guessed = ", ".join(f"{role} <- {report.mapping[role]}" for role in by_values)
    lines = [f"guessed by the values: {guessed}; otherwise: --map ROLE=COLUMN"] if guessed else []
    lines += report.notes
    if report.text_only:
        lines.append(f"{report.text_only:,} items have no picture: their words were embedded")
    return lines


def write_report(
    path: Path, report: "IngestReport", store: Path, *, interrupted: bool = False
) -> None:
    """Write all that an ingest did, as JSON: a file whole or not at all."""
    document = report_json(report, store, interrupted=interrupted, most=None)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    if path.exists() and not path.is_file():  # as /dev/stdout, which cannot be replaced
        path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    else:
        write_atomically(path.resolve(), text + "\n")


def report_json(
    report: "IngestReport", store: Path, *, interrupted: bool, most: int | None = SHOWN_PROBLEMS
) -> dict[str, Any]:
    """The report as JSON, with at most so many of its problems."""
    document = dataclasses.asdict(dataclasses.replace(report, problems=()))
    document["problems"] = [problem_json(problem) for problem in report.problems[:most]]
    return {
        "store": str(store),
        "interrupted": interrupted,
        **document,
        "problem_count": len(report.problems),
    }


def _counts(report: "IngestReport", store: Path, *, interrupted: bool = False) -> str:
    counts = {
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "folded into others": report.folded,
        "removed": report.pruned,
        "not usable": report.failed,
    }
    named = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    pace = _pace(report.images_per_second)
    nothing = "nothing stored yet" if interrupted else "nothing to do"
    return f"{store}: {named or nothing} in {report.seconds:.1f} s{pace}"


def _show_problems(out: Output, report: "IngestReport", file: Path | None) -> None:
    problems = report.problems
    if not problems:
        return
    shown = problems[:SHOWN_PROBLEMS]
    rows = ((_place(problem.origin), problem.id or "", problem.reason) for problem in shown)
    out.table(("where", "id", "problem"), rows, title=_title(problems))
    if file is None and len(problems) > len(shown):
        rest = len(problems) - len(shown)
        out.text(f"... and {rest:,} more. All of them: run again with --report report.json")


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
