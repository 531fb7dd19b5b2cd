"""`coordi evaluate` and `coordi results`: numbers on a benchmark, and the table of them all."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coordi.cli.options import DebugOption, JsonOption
from coordi.cli.output import WITH_PROBLEMS, reporting
from coordi.cli.paths import check_writable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coordi.data.collection import Collection
    from coordi.evaluation.report import Report


def evaluate(
    benchmark: Annotated[
        str,
        typer.Argument(
            metavar="BENCHMARK",
            help="A packaged collection, a YAML file of one, or a benchmark's reader.",
        ),
    ],
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model", metavar="NAME", help="Encoder or trained folder to measure; repeatable."
        ),
    ] = None,
    root: Annotated[
        Path, typer.Option(metavar="DATA", help="Folder that the data's paths start at.")
    ] = Path(),
    cache: Annotated[
        Path, typer.Option(metavar="DIR", help="Features and drawn views are kept here.")
    ] = Path("coordi-cache"),
    output: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the reports.")
    ] = Path("reports"),
    trial: Annotated[
        str,
        typer.Option(metavar="test|val", help="The side to report, or to choose by."),
    ] = "test",
    imagenet: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Generic network to compare with: a MobileNetV2 .tflite file or a hub name. "
            "Default: $COORDI_IMAGENET.",
        ),
    ] = None,
    controls: Annotated[
        bool, typer.Option("--controls/--no-controls", help="Measure the controls as well.")
    ] = True,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Measure models on a benchmark, beside controls: JSON, Markdown and an HTML page."""
    with reporting(as_json, debug) as out:
        if trial not in {"test", "val"}:
            raise typer.BadParameter(f"{trial!r} is neither test nor val", param_hint="--trial")
        check_writable(output / "report.html", "--out")
        from coordi.evaluation.run import evaluate as run

        collection = _collection(benchmark, root, cache, out.note)
        reports = run(
            collection, models or ["coordi-mini"], cache=cache, trial=trial,  # type: ignore[arg-type]
            controls=controls, imagenet=imagenet, benchmark=collection.name, say=out.note,
        )  # fmt: skip
        folder = _write(reports, collection, output)
        out.json({"folder": str(folder), "reports": [_brief(report) for report in reports]})
        _show(reports, folder, out)
    if any(report.missing or report.unusable for report in reports):
        raise typer.Exit(WITH_PROBLEMS)


def _collection(benchmark: str, root: Path, cache: Path, say: Any) -> "Collection":
    from coordi.data.benchmarks import READERS
    from coordi.data.specs import COLLECTIONS, CollectionSpec, load_spec
    from coordi.drawn.collections import load_collection
    from coordi.errors import UnknownNameError

    if benchmark in COLLECTIONS or Path(benchmark).suffix in {".yaml", ".yml"}:
        spec = load_spec(benchmark)
    elif benchmark in READERS:
        spec = CollectionSpec(name=benchmark, kind=benchmark)
    else:
        raise UnknownNameError("benchmark", benchmark, {*COLLECTIONS, *READERS})
    return load_collection(spec, root, cache=cache, say=say)


def _write(reports: "Sequence[Report]", collection: "Collection", output: Path) -> Path:
    """One JSON file a system, and the page of all of them twice."""
    from coordi.artifacts import write_atomically
    from coordi.evaluation.page import page
    from coordi.evaluation.tables import benchmark_markdown

    terms = reports[0].terms
    folder = output / _plain(terms.benchmark + ("" if terms.trial == "test" else "-val"))
    names = [_file_name(report) for report in reports]
    for name, report in zip(names, reports, strict=True):
        twin = f"-{report.fingerprint}" if names.count(name) > 1 else ""
        report.save(folder / f"{name}{twin}.json")
    write_atomically(folder / "report.md", benchmark_markdown(reports))
    write_atomically(folder / "report.html", page(reports, collection.photos))
    return folder


def _file_name(report: "Report") -> str:
    seed = "" if report.seed is None else f"-seed{report.seed}"
    kind = "control-" if report.control else ""
    return kind + _plain(report.model) + seed


def _plain(name: str) -> str:
    """A name as that of one file: letters of any script, no way out of the folder."""
    return re.sub(r"[^\w.@-]+", "-", name)[:80].lstrip(".") or "unnamed"


def _brief(report: "Report") -> dict[str, Any]:
    """A report without its units."""
    content = report.content()
    for name in (
        "units", "groups", "keys", "columns", "statistics", "best", "worst", "slices", "recipe",
    ):  # fmt: skip
        del content[name]
    return content


def _show(reports: "Sequence[Report]", folder: Path, out: Any) -> None:
    from coordi.evaluation.tables import (
        name_of,
        published_rows,
        system_row,
        terms_lines,
        title_of,
    )

    terms, metrics = reports[0].terms, list(reports[0].values)
    for line in terms_lines(reports):
        out.text(line)
    rows = [
        (f"control: {report.model}" if report.control else name_of(report), *cells)
        for report, (_, *cells) in ((report, system_row(report, metrics)) for report in reports)
    ]
    rows += published_rows(terms, metrics)
    out.table(("system", *metrics), rows, title=title_of(terms))
    out.text(f"{folder / 'report.html'} shows the best and the worst queries")


def _text_of(file: Path) -> str:
    from coordi.errors import InputError, NotFoundError

    if not file.is_file():
        raise NotFoundError(f"there is no file {file}")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is no text in UTF-8: {error}") from error


def results(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Folders with reports, searched through.")
    ],
    markdown: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Page to write."),
    ] = None,
    remarks: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Markdown to put at the end."),
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make one table of all reports below some folders; seeds of one recipe become mean ± std."""
    with reporting(as_json, debug) as out:
        if markdown is not None:
            check_writable(markdown, "--markdown")
        from coordi.artifacts import write_atomically
        from coordi.errors import NotFoundError
        from coordi.evaluation.report import Report
        from coordi.evaluation.tables import results_markdown

        files = sorted(file for folder in folders for file in folder.rglob("*.json"))
        if not files:
            raise NotFoundError(f"there is no report below {', '.join(map(str, folders))}")
        said = "" if remarks is None else _text_of(remarks)
        text = results_markdown((Report.load(file) for file in files), said)
        if markdown is not None:
            write_atomically(markdown, text)
        out.json({"reports": [str(file) for file in files], "markdown": text})
        out.text(text if markdown is None else f"{markdown}: {len(files)} reports")
