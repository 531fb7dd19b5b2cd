"""`coordi tag`: what a catalogue does not say of its items, read from their pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coordi.cli.options import DebugOption, JsonOption, StoreOption, open_engine
from coordi.cli.output import WITH_PROBLEMS, Output, reporting
from coordi.cli.progress import progress

if TYPE_CHECKING:
    from coordi.engine.tagging import TagReport
    from coordi.models.tagger.probe import Probe

SHOWN_PROBLEMS = 5

LearnOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FIELD",
        help="Learn a field from the items that have it, and tell it of the others in the shop's "
        "own words. Repeatable.",
    ),
]
TaggerOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A tagger's file. Default: what this store has learned, else what comes with its "
        "encoder, else the encoder's words.",
    ),
]
RemoveOption = Annotated[
    bool, typer.Option("--remove", help="Take all automatic fields away, and what was learned.")
]


def tag(
    learn: LearnOption = None,
    tagger: TaggerOption = None,
    remove: RemoveOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Tell category, colours, pattern and more of items whose catalogue does not.

    Writes fields such as auto_category and auto_category_confidence, which can be filtered on
    and searched by words. Exit code 3: some pictures could not be read.
    """
    if remove and (learn or tagger):
        raise typer.BadParameter("takes no other option beside it", param_hint="--remove")
    with reporting(as_json, debug) as out, open_engine(store) as engine:
        if remove:
            count = engine.untag()
            out.json({"removed": count})
            out.text(f"automatic fields of {count:,} items removed")
            return
        bar = progress(out, _fields, _line, description="tag")
        with bar as on_progress:
            report = engine.tag(learn=learn or (), tagger=tagger, on_progress=on_progress)
        out.json(_report_json(report))
        _show(out, report)
        if report.problems:
            raise typer.Exit(WITH_PROBLEMS)


def _fields(done: int, total: int) -> dict[str, Any]:
    return {"total": total, "completed": done}


def _line(done: int, total: int) -> str:
    return f"{done:,} of {total:,} items"


def _show(out: Output, report: "TagReport") -> None:
    before = f", {report.already:,} were tagged before" if report.already else ""
    out.text(f"{report.items:,} items looked at{before}; tagger: {report.origin}")
    headings = ("attribute", "written", "values", "from confidence", "right on held-out labels")
    out.table(headings, _rows(report))
    for problem in report.problems[:SHOWN_PROBLEMS]:
        out.note(f"{problem.id}: {problem.reason}; its colours were not read")
    if len(report.problems) > SHOWN_PROBLEMS:
        out.note(f"... and {len(report.problems) - SHOWN_PROBLEMS:,} more such pictures")
    for note in report.notes:
        out.note(f"note: {note}")


def _rows(report: "TagReport") -> Iterator[tuple[str, ...]]:
    for probe in report.probes:
        count = report.written.get(probe.attribute, 0)
        sure = "never" if probe.confidence is None else f"{probe.confidence:.2f}"
        yield f"auto_{probe.attribute}", f"{count:,}", f"{len(probe.classes):,}", sure, _told(probe)


def _told(probe: "Probe") -> str:
    found = probe.held_out
    if not found.labels:
        return "not measured"
    if probe.confidence is None:
        return f"too few of {found.labels:,}"
    got = f"{found.coverage:.0%} of {found.labels:,} got one"
    return f"{found.precision:.0%} of {found.written:,}; {got}"


def _report_json(report: "TagReport") -> dict[str, Any]:
    from coordi.cli.shapes import problem_json

    return {
        "items": report.items,
        "already": report.already,
        "tagger": report.origin,
        "written": {p.attribute: report.written.get(p.attribute, 0) for p in report.probes},
        "confidence": {probe.attribute: probe.confidence for probe in report.probes},
        "held_out": {probe.attribute: probe.held_out._asdict() for probe in report.probes},
        "problems": [problem_json(problem) for problem in report.problems],
        "notes": list(report.notes),
    }
