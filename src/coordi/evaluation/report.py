"""One system measured on one benchmark: a dataclass that is a JSON file and back again."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from coordi.artifacts import write_atomically
from coordi.errors import InputError
from coordi.evaluation.protocols import RetrievalRules
from coordi.ranking.aggregates import aggregate

FORMAT = "coordi-report-2"
FORMER = "coordi-report-1"
"""Of retrieval alone: its units were `photos`, its columns `per_query`."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number over queries with its 95% bootstrap interval; None means infinite (never found)."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Slice:
    """The queries of one category."""

    category: str
    queries: int
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class FoundPhoto:
    """One place of a ranking that is shown."""

    photo: str
    score: float
    right: bool


@dataclass(frozen=True, slots=True)
class ShownQuery:
    """A query and what it found first."""

    photo: str
    rank: int
    """Rank of its best answer in the whole gallery; 0 for never."""
    answers: int
    found: tuple[FoundPhoto, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """What was asked of whom: two reports with other terms are not comparable."""

    benchmark: str
    trial: str
    """"test", or "val" to choose by."""
    queries: int
    """Units measured: queries, outfits, questions, photos."""
    reduced: bool = False
    """Whether counts fall short of the published ones."""
    rules: Mapping[str, str | int] = field(default_factory=dict)
    """Whatever else must be the same for two numbers to compare: what a hit shares, how many stand
    in the gallery. In a file they stand among the terms."""
    asked: str = ""
    """A sentence or two: how many units, and what of them was asked."""
    unit: str = "queries"
    """What the units are called, more than one of them."""
    left_out: int = 0
    """Queries for which the gallery holds no answer; they are not measured."""
    shortfalls: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Count → (published, found), where they differ."""


class Statistic(NamedTuple):
    """How a printed number is made of the units' columns."""

    function: str
    """A name of `coordi.ranking.aggregates`."""
    columns: tuple[str, ...]


class Lost(NamedTuple):
    """Units and gallery photos that are in the count without a picture that can be read."""

    queries: frozenset[str]
    gallery: Mapping[str, str]
    """Id → what a query looks for that could have found it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is said of a system beside its numbers."""

    model: str
    fingerprint: str = ""
    """Of the weights; "" of a control that has none."""
    dim: int | None = None
    note: str = ""
    """What to know of the row, such as the depth of a re-ranking."""
    seed: int | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """The recipe that made the model, where its folder holds one."""
    missing: int = 0
    """Photos of the trial, each once, whose picture is missing or cannot be read. They are in the
    count: such a query is a miss, such a gallery photo is never found."""
    missing_queries: tuple[str, ...] | None = None
    """Units of which a picture is missing; None in reports of earlier versions, whose `missing`
    also counted what was in no count."""
    missing_gallery: Mapping[str, str] | None = None
    """Which of them stand in the gallery → what a query looks for that could have found them."""
    unusable: int = 0
    """Rows of the data that give no photo at all, so that they are in no count."""
    problems: tuple[str, ...] = ()
    """The first of both, with reasons."""
    best: tuple[ShownQuery, ...] = ()
    worst: tuple[ShownQuery, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Facts):
    """A system's numbers on a benchmark, unit by unit and together."""

    terms: Terms
    control: bool
    """Whether it is printed as a control."""
    values: Mapping[str, Value]
    statistics: Mapping[str, Statistic]
    """Printed number → how it is made of `columns`."""
    slices: tuple[Slice, ...]
    units: tuple[str, ...]
    """Ids of the units: of the queries' photos, in retrieval."""
    groups: tuple[str, ...]
    """Their groups; intervals draw groups."""
    columns: Mapping[str, tuple[float | None, ...]]
    """Column → value of each unit, in the order of `units`; None means infinite."""
    keys: tuple[str, ...] = ()
    """What each unit looks for; () where that is nothing, or in reports of earlier versions."""
    format: str = FORMAT

    @property
    def lost(self) -> Lost | None:
        """Which pictures are missing; None where an earlier version did not say which."""
        if self.missing_queries is None or self.missing_gallery is None:
            return None if self.missing else Lost(frozenset(), {})
        return Lost(frozenset(self.missing_queries), self.missing_gallery)

    def content(self) -> dict[str, Any]:
        """The report as a file holds it."""
        content = asdict(self)
        content["terms"] |= content["terms"].pop("rules")
        return content

    def save(self, path: Path) -> None:
        """Write the report as JSON; it replaces an earlier one as a whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(self.content(), ensure_ascii=False, allow_nan=False))

    @staticmethod
    def load(path: Path) -> "Report":
        """Read a report; `InputError` for a file that is missing or is not one."""
        try:
            content = json.loads(
                path.read_text("utf-8"), parse_constant=_finite, parse_float=_finite
            )
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"cannot read the report {path}: {error}") from error
        if not isinstance(content, dict) or content.get("format") not in (FORMAT, FORMER):
            raise InputError(f"{path} is no report of `coordi evaluate`")
        try:
            report = _reader().validate_python(_read(content))
            if content["format"] == FORMER:
                report = replace(report, terms=_former_terms(report.terms))
            _check(report)
        except (ValidationError, InputError) as error:
            raise InputError(
                f"{path} is a damaged report ({_told(error)}); evaluate again"
            ) from error
        return report


@cache
def _reader() -> TypeAdapter[Report]:
    return TypeAdapter(Report)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number that a report holds")
    return value


def _read(content: dict[str, Any]) -> dict[str, Any]:
    """A file's content under the names of `Report`."""
    content = dict(content)
    if content["format"] == FORMER:
        _lift(content)
    if isinstance(terms := content.get("terms"), dict):
        known = {f.name for f in fields(Terms)} - {"rules"}
        rules = {name: value for name, value in terms.items() if name not in known}
        content["terms"] = {k: v for k, v in terms.items() if k in known} | {"rules": rules}
    return content


def _lift(content: dict[str, Any]) -> None:
    """Make a report of the former format one of this."""
    content["format"] = FORMAT
    content["units"], content["columns"] = content.get("photos"), content.get("per_query")
    if isinstance(content["columns"], dict):
        content["statistics"] = {
            name: ("median" if name == "median rank" else "mean", (name,))
            for name in content["columns"]
        }


def _former_terms(terms: Terms) -> Terms:
    rules = TypeAdapter(RetrievalRules).validate_python(terms.rules)
    return replace(terms, asked=rules.asked(terms.trial, terms.queries))


def _told(error: ValidationError | InputError) -> str:
    if isinstance(error, InputError):
        return str(error)
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _check(report: Report) -> None:
    """Raise `InputError` where columns do not fit the units, or statistics the columns."""
    lengths = {"units": len(report.units), "groups": len(report.groups)}
    lengths |= {name: len(column) for name, column in report.columns.items()}
    lengths |= {"keys": len(report.keys)} if report.keys else {}
    wrong = next((name for name, n in lengths.items() if n != report.terms.queries), None)
    if wrong or not report.units or not report.values:
        raise InputError(
            f"{wrong or 'values'} does not fit its {report.terms.queries:,} {report.terms.unit}"
        )
    for statistic in report.statistics.values():
        aggregate(statistic.function, len(statistic.columns))
        if not report.columns.keys() >= set(statistic.columns):
            raise InputError(f"it lacks a column of {', '.join(statistic.columns)}")
