"""`coordi compare`: whether two reports differ by more than noise."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from coordi.cli.options import DebugOption, JsonOption
from coordi.cli.output import reporting


def compare(
    first: Annotated[Path, typer.Argument(metavar="A.json", help="A report.")],
    second: Annotated[Path, typer.Argument(metavar="B.json", help="Another, of the same queries.")],
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Say whether B differs from A by more than noise (paired bootstrap over query groups)."""
    with reporting(as_json, debug) as out:
        from coordi.evaluation.compare import compare as paired
        from coordi.evaluation.report import Report
        from coordi.evaluation.tables import name_of

        a, b = Report.load(first), Report.load(second)
        differences = paired(a, b)
        out.json(
            {"first": a.model, "second": b.model, "differences": [asdict(d) for d in differences]}
        )
        rows = [
            (
                d.metric, f"{d.first:.3f}", f"{d.second:.3f}", f"{d.difference:+.3f}",
                f"{d.low:+.3f} to {d.high:+.3f}", f"{d.p:.4f}",
                ("better" if d.difference > 0 else "worse") if d.real else "no more than noise",
            )
            for d in differences
        ]  # fmt: skip
        headings = ("metric", name_of(a), name_of(b), "difference", "95% interval", "p", "")
        out.table(headings, rows, title=f"{a.terms.benchmark}: {a.terms.queries:,} queries")
