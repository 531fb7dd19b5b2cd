"""What an audit says: findings with their severity, and tables of figures that always stand."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from coordi.types import ImageRef, Problem

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""Worst first: breaks a measurement as it stands; can break one; good to know."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One example: a line of text, and rows of the dataset whose pictures show it."""

    text: str
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or good to know."""

    check: str
    """The check that found it, as `CHECKS` names it."""
    severity: Severity
    title: str
    """What was found, one line."""
    advice: str
    """What to do about it, one line."""
    count: int
    """How many of `total` rows, outfits or queries it concerns."""
    total: int
    figures: Mapping[str, float] = field(default_factory=dict)
    exhibits: tuple[Exhibit, ...] = ()


@dataclass(frozen=True, slots=True)
class Figures:
    """A table that is reported whether or not anything is wrong (controls against chance)."""

    check: str
    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


Result = Finding | Figures


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that was found in one dataset."""

    name: str
    kind: str
    """"catalogue", "collection", "outfits" or "edits"."""
    facts: Mapping[str, int]
    """How much there is of what ("items": 4916)."""
    findings: tuple[Finding, ...]
    """Worst first."""
    figures: tuple[Figures, ...]
    clean: tuple[str, ...]
    """Checks that ran and found nothing."""
    skipped: Mapping[str, str]
    """Checks that could not run → why."""
    pictures: Mapping[int, ImageRef] = field(default_factory=dict)
    """Row → picture, for the rows that exhibits show."""
    captions: Mapping[int, str] = field(default_factory=dict)
    """Row → its id, for the same rows."""


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings, worst first; those of one severity in the order of the checks."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def worst(audit: Audit) -> Severity | None:
    """The worst severity of an audit; None where nothing was found."""
    return audit.findings[0].severity if audit.findings else None


def share(count: float, total: float) -> str:
    """Write a share for people ("3.2%")."""
    return f"{100 * count / total:.1f}%" if total else "0%"


def places(problems: Iterable[Problem]) -> tuple[Exhibit, ...]:
    """Where each problem lies, and what it is."""
    return tuple(Exhibit(f"{problem.origin}: {problem.reason}") for problem in problems)


def against_published(
    published: Mapping[str, int], counts: Mapping[str, int], which: str
) -> Iterator[Result]:
    """The counts that a dataset's authors state, against those found; where they differ it is
    `which` ("another", "a reduced") benchmark.
    """
    pairs = {name: (there, counts.get(name, 0)) for name, there in published.items()}
    yield Figures(
        "published counts",
        "Counts",
        ("what", "published", "found"),
        tuple((name, f"{there:,}", f"{here:,}") for name, (there, here) in pairs.items()),
    )
    wrong = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if wrong:
        yield Finding(
            "published counts",
            "error",
            f"{len(wrong)} of {len(pairs)} counts are not the published ones",
            f"Numbers on it are those of {which} benchmark: say so, and do not compare them with "
            "published ones.",
            len(wrong),
            len(pairs),
            exhibits=tuple(
                Exhibit(f"{name}: {here:,} instead of {there:,}")
                for name, (there, here) in wrong.items()
            ),
        )
