"""`coordi compare`: whether two reports differ by more than noise."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordi.cli.options import DebugOption, JsonOption
from coordi.cli.output import reporting

if TYPE_CHECKING:
    from coordi.evaluation.compare import LeftOut


def compare(
    first: Annotated[Path, typer.Argument(metavar="A.json", help="A report.")],
    second: Annotated[Path, typer.Argument(metavar="B.json", help="Another, of the same queries.")],
    common: Annotated[
        bool,
        typer.Option(
            "--common",
            help="Compare reports that do not miss the same pictures, on what they share.",
        ),
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Say whether B differs from A by more than noise (paired bootstrap over query groups)."""
    with reporting(as_json, debug) as out:
        from coordi.evaluation.compare import compare as paired
        from coordi.evaluation.compare import compare_common, missing_note
        from coordi.evaluation.report import Report
        from coordi.evaluation.tables import name_of

        a, b = Report.load(first), Report.load(second)
        differences, left_out = compare_common(a, b) if common else (paired(a, b), None)
        queries = len(a.units) - (left_out.first if left_out else 0)
        note = missing_note(a, b)
        out.json(
            {
                "first": a.model, "second": b.model, "queries": queries, "note": note,
                "left_out": left_out and asdict(left_out),
                "differences": [asdict(d) for d in differences],
            }
        )  # fmt: skip
        rows = [
            (
                d.metric, f"{d.first:.3f}", f"{d.second:.3f}", f"{d.difference:+.3f}",
                f"{d.low:+.3f} to {d.high:+.3f}", f"{d.p:.4f}",
                ("better" if d.difference > 0 else "worse") if d.real else "no more than noise",
            )
            for d in differences
        ]  # fmt: skip
        headings = ("metric", name_of(a), name_of(b), "difference", "95% interval", "p", "")
        out.table(headings, rows, title=f"{a.terms.benchmark}: {queries:,} {a.terms.unit}")
        if left_out:
            out.text(_left_out(left_out))
        if note:
            out.text(f"Note: {note}.")


def _left_out(what: "LeftOut") -> str:
    return (
        f"Left out: {what.first:,} queries of the first and {what.second:,} of the second report "
        f"({what.missing_queries:,} whose picture and {what.missing_answers:,} of which an answer "
        f"is missing in one alone). {what.missing_gallery:,} gallery photos are missing in one "
        "alone; to the queries kept they are wrong answers."
    )
