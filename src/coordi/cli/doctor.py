"""`coordi doctor`: what in a dataset would make a number measured on it mean something else."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coordi.cli.ingest import ImagesOption, MapOption
from coordi.cli.options import DebugOption, JsonOption, mapping_of
from coordi.cli.output import WITH_PROBLEMS, Output, printable, reporting
from coordi.cli.paths import check_writable
from coordi.cli.progress import progress

if TYPE_CHECKING:
    from coordi.doctor import Audit, Figures, Finding
    from coordi.types import Encoder

SHOWN = 3
"""Examples of a finding that are printed; the page and --json hold more."""
NO_ENCODER = "none"

DatasetArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        help="A catalogue (anything `coordi ingest` takes), a file of outfits (columns outfit_id "
        "and item_id), FashionIQ's or Polyvore's folder, a collection (a packaged NAME, or "
        "FILE.yaml), or a benchmark by its name, with --root.",
    ),
]
RootOption = Annotated[
    Path,
    typer.Option(
        metavar="DIR",
        help="Folder of a benchmark, or what a collection's paths are relative to.",
    ),
]
CacheOption = Annotated[
    Path, typer.Option(metavar="DIR", help="A collection's drawn views are kept here.")
]
EncoderOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=f"What finds neighbours for the check of label noise; {NO_ENCODER} leaves it out.",
    ),
]
CatalogOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Catalogue of an outfits file. Default: the one beside it.",
    ),
]
HtmlOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Also write one HTML page with the examples as pictures."),
]


def doctor(
    dataset: DatasetArgument,
    root: RootOption = Path(),
    cache: CacheOption = Path("coordi-cache"),
    encoder: EncoderOption = "coordi-mini",
    html: HtmlOption = None,
    catalog: CatalogOption = None,
    mapping: MapOption = None,
    images: ImagesOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Examine a dataset for what makes measurements on it wrong: leaks, doubles, shortcuts.

    Exit code 0: nothing that breaks a measurement (there may be warnings); 3: at least one
    finding of severity "error".
    """
    with reporting(as_json, debug) as out:
        roles = mapping_of(mapping or [])
        from coordi.doctor import examine, worst, write_page
        from coordi.doctor.named import find_dataset

        if html is not None and not html.absolute().parent.is_dir():
            raise typer.BadParameter(f"there is no folder {html.parent}", param_hint="--html")
        if html is not None:
            check_writable(html, "--html")
        before = ("{task.description}",)
        with progress(
            out, _fields, _line, before=before, transient=True, description="reading"
        ) as on_progress:
            audit = examine(
                find_dataset(dataset, root, cache=cache, say=out.note),
                encoder=_encoder(encoder),
                mapping=roles,
                images=images,
                catalog=catalog,
                on_progress=on_progress,
            )
        if html is not None:
            write_page(audit, html)
        out.json(audit_json(audit))
        show_audit(out, audit)
        if html is not None:
            out.text(f"\nWith pictures: {html}")
        if worst(audit) == "error":
            raise typer.Exit(WITH_PROBLEMS)


def _encoder(name: str) -> "Encoder | None":
    if name == NO_ENCODER:
        return None
    from coordi.models.opening import open_encoder

    return open_encoder(name)


def audit_json(audit: "Audit") -> dict[str, Any]:
    """The audit as JSON; exhibits name their rows' ids instead of their pictures."""
    findings = [
        {
            **dataclasses.asdict(finding),
            "exhibits": [
                {"text": e.text, "ids": [audit.captions[r] for r in e.rows if r in audit.captions]}
                for e in finding.exhibits
            ],
        }
        for finding in audit.findings
    ]
    return {
        "dataset": audit.name,
        "kind": audit.kind,
        "facts": dict(audit.facts),
        "findings": findings,
        "figures": [dataclasses.asdict(figures) for figures in audit.figures],
        "clean": list(audit.clean),
        "skipped": dict(audit.skipped),
    }


def show_audit(out: Output, audit: "Audit") -> None:
    """Print the audit for people."""
    if out.as_json:
        return
    facts = ", ".join(f"{count:,} {what}" for what, count in audit.facts.items())
    out.text(f"{printable(audit.name)} ({audit.kind}): {facts}")
    for finding in audit.findings:
        _show_finding(out, finding)
    for figures in audit.figures:
        _show_figures(out, figures)
    out.text("\nNothing found by: " + (", ".join(audit.clean) or "none of the checks"))
    for name, why in audit.skipped.items():
        out.text(f"Not run: {name} ({why})")
    found = [finding.severity for finding in audit.findings]
    out.text(
        f"\n{found.count('error')} errors, {found.count('warning')} warnings, "
        f"{found.count('note')} notes"
    )


STYLES = {"error": "bold red", "warning": "yellow", "note": "blue"}


def _show_finding(out: Output, finding: "Finding") -> None:
    from rich.padding import Padding
    from rich.text import Text

    head = Text.assemble((f"{finding.severity:<8}", STYLES[finding.severity]), " ", finding.check)
    lines = [finding.title, f"-> {finding.advice}"]
    lines += [f"   {exhibit.text}" for exhibit in finding.exhibits[:SHOWN]]
    out.text("")
    out.console.print(head)
    for line in lines:
        out.console.print(Padding(Text(printable(line)), (0, 0, 0, 2), expand=False))


def _show_figures(out: Output, figures: "Figures") -> None:
    out.text(f"\n{figures.title}")
    out.table(figures.headings, figures.rows)
    if figures.note:
        out.text(figures.note)


def _fields(what: str, done: int, total: int | None) -> dict[str, Any]:
    return {"description": what, "completed": done, "total": total}


def _line(what: str, done: int, total: int | None) -> str:
    return f"{what}: {done:,}{'' if total is None else f' of {total:,}'}"
