"""Reports as Markdown: one benchmark with all its systems, and systems over several seeds."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean, stdev

from coordi.evaluation.protocols import Published, published_numbers
from coordi.evaluation.report import Report, Terms, Value

Row = tuple[str, ...]


def terms_lines(reports: Sequence[Report]) -> list[str]:
    """What was measured, in a few lines: protocol, sizes, what is missing."""
    terms = reports[0].terms
    lines = [terms.asked, *missing_lines(reports)]
    if terms.left_out:
        lines.append(
            f"Left out, because the gallery holds no answer: {terms.left_out:,} more queries."
        )
    unusable = max(report.unusable for report in reports)
    if unusable:
        lines.append(f"Rows of the data that give no photo, so are in no count: {unusable:,}.")
    if terms.reduced:
        short = ", ".join(
            f"{what} {found:,} of {published:,}"
            for what, (published, found) in terms.shortfalls.items()
        )
        lines.append(f"Reduced: {short}. Numbers do not compare with published ones.")
    return lines


def missing_lines(reports: Sequence[Report]) -> list[str]:
    """What is missing on each side; system by system where they do not miss the same."""
    looked = [report for report in reports if report.fingerprint] or reports
    if len({_missing_ids(report) for report in looked}) == 1:
        return [f"Missing or unreadable pictures: {missing_text(looked[0])}."]
    told = "; ".join(f"{name_of(report)}: {missing_text(report)}" for report in looked)
    return [
        "The systems do not miss the same pictures, so their numbers are not of the same test. "
        f"Missing or unreadable: {told}. `coordi compare --common` compares what two of them share."
    ]


def _missing_ids(report: Report) -> tuple[frozenset[str], frozenset[str]] | int:
    lost = report.lost
    return report.missing if lost is None else (lost.queries, frozenset(lost.gallery))


def missing_text(report: Report) -> str:
    """How many pictures of a report are missing, per side."""
    lost = report.lost
    if lost is None:
        return f"{report.missing:,}, and an earlier version of coordi did not say which"
    if not (lost.queries or lost.gallery):
        return "none"
    terms = report.terms
    sides = f"{len(lost.queries):,} of {terms.queries:,} {terms.unit}"
    if isinstance(gallery := terms.rules.get("gallery"), int):
        sides += f" and {len(lost.gallery):,} of {gallery:,} gallery photos"
    return f"{sides}, counted as misses"


def title_of(terms: Terms) -> str:
    """The benchmark's name with the labels that change what its numbers mean."""
    side = "" if terms.trial == "test" else f", {terms.trial}"
    return f"{terms.benchmark}{side}{' (reduced)' if terms.reduced else ''}"


def benchmark_markdown(reports: Sequence[Report]) -> str:
    """One benchmark: systems, controls, published numbers."""
    terms, metrics = reports[0].terms, list(reports[0].values)
    rows: list[Row] = [system_row(report, metrics) for report in reports]
    rows += published_rows(terms, metrics)
    parts = [
        f"# {_plain(title_of(terms))}",
        *map(_plain, terms_lines(reports)),
        markdown_table(("system", *metrics), rows),
        f"Intervals: 95% bootstrap over query groups ({len(set(reports[0].groups)):,}). "
        "Controls are in italics.",
        *map(_plain, notes_of(reports)),
    ]
    return "\n\n".join(parts) + "\n"


def system_row(report: Report, metrics: Sequence[str]) -> Row:
    """A system's line: values with intervals."""
    return (_emphasized(report), *(value_text(report.values[name], name) for name in metrics))


def name_of(*same: Report) -> str:
    """A system as tables call it: its seeds, and whose features it learned on, tell it apart."""
    seeds = [str(report.seed) for report in same if report.seed is not None]
    seeded = f" (seed{'s' * (len(seeds) > 1)} {', '.join(seeds)})" if seeds else ""
    encoder = same[0].recipe.get("encoder")
    learned = f" on {Path(str(encoder)).name}" if encoder else ""
    return same[0].model + seeded + learned


def _emphasized(*same: Report) -> str:
    return f"*{name_of(*same)}*" if same[0].control else name_of(*same)


def notes_of(reports: Sequence[Report]) -> list[str]:
    """What systems say of themselves, once each."""
    return sorted({f"{report.model}: {report.note}." for report in reports if report.note})


def value_text(value: Value, metric: str) -> str:
    """A value with its interval; an infinite rank is ∞."""
    digits = digits_of(metric)
    middle, low, high = (number(v, digits) for v in (value.value, value.low, value.high))
    return f"{middle} [{low}–{high}]"


def digits_of(metric: str) -> int:
    """Decimals of a number in a table; medians are of ranks, which are whole."""
    return 0 if metric.startswith("median") else 3


def number(value: float | None, digits: int = 3) -> str:
    """A number in a table."""
    return "∞" if value is None else f"{value:.{digits}f}"


def published_rows(terms: Terms, metrics: Sequence[str]) -> list[Row]:
    """What others reported, beside a whole test set only."""
    if terms.reduced or terms.trial != "test":
        return []
    return [_published_row(entry, metrics) for entry in published_numbers(terms.benchmark)]


def _published_row(entry: Published, metrics: Sequence[str]) -> Row:
    cells = (number(entry.value) if metric == entry.metric else "" for metric in metrics)
    return (f"{entry.system} (published)", *cells)


def markdown_table(headings: Sequence[str], rows: Iterable[Row]) -> str:
    """A Markdown table; numbers to the right."""
    rule = ["---", *["---:"] * (len(headings) - 1)]
    lines = [headings, rule, *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """Text of a catalogue on one line, of which Markdown makes no HTML."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")


def results_markdown(reports: Iterable[Report], remarks: str = "") -> str:
    """All reports as one page: a section per benchmark, a row per system, seeds together.

    `remarks` (Markdown) stand at the end: what a number alone does not say.
    """
    sections: dict[tuple[str, str, str], list[Report]] = {}
    for report in _distinct(reports):
        terms = report.terms
        key = (title_of(terms), str(terms.queries), json.dumps(terms.rules, sort_keys=True))
        sections.setdefault(key, []).append(report)
    parts = [
        "# Results",
        "Made by `coordi results` from the JSON files of `coordi evaluate`. A cell is a value "
        "with its 95% interval over query groups, or mean ± standard deviation over the seeds "
        "that the row names. Controls are in italics.",
    ]
    for key in sorted(sections, key=str):
        parts += _section(sections[key])
    return "\n\n".join([*parts, remarks.strip()]).rstrip() + "\n"


def _section(reports: list[Report]) -> list[str]:
    terms, metrics = reports[0].terms, list(reports[0].values)
    systems: dict[str, list[Report]] = {}
    for report in reports:
        systems.setdefault(system_key(report), []).append(report)
    ordered = sorted(systems.values(), key=lambda same: (same[0].control, -_first(same, metrics)))
    rows = [_seeds_row(same, metrics) for same in ordered] + published_rows(terms, metrics)
    table = markdown_table(("system", *metrics), rows)
    lines, notes = map(_plain, terms_lines(reports)), map(_plain, notes_of(reports))
    return [f"## {_plain(title_of(terms))}", *lines, table, *notes]


def system_key(report: Report) -> str:
    """What reports of one system share however it was seeded."""
    recipe = {k: v for k, v in report.recipe.items() if k not in {"seed", "data", "cache"}}
    # an untrained encoder is told apart by its weights: it has no recipe
    weights = "" if report.recipe else report.fingerprint
    return json.dumps([report.model, report.control, recipe, weights], sort_keys=True, default=str)


def _first(same: list[Report], metrics: Sequence[str]) -> float:
    return fmean(report.values[metrics[0]].value or 0.0 for report in same)


def _seeds_row(same: list[Report], metrics: Sequence[str]) -> Row:
    if len(same) == 1:
        return system_row(same[0], metrics)
    return (_emphasized(*same), *(_spread(same, metric) for metric in metrics))


def _spread(same: list[Report], metric: str) -> str:
    values = [report.values[metric].value for report in same]
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if len(finite) < len(values):
        return "∞"
    digits = digits_of(metric)
    return f"{fmean(finite):.{digits}f} ± {stdev(finite):.{digits}f}"


def _distinct(reports: Iterable[Report]) -> list[Report]:
    """One report of each model, seed and weights on each benchmark; the last one given stays."""
    kept = {
        (report.terms.benchmark, report.terms.trial, report.model, report.seed, report.fingerprint):
        report for report in reports
    }  # fmt: skip
    return list(kept.values())
