"""One system measured on one benchmark: a dataclass that is a JSON file and back again."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from coordi.artifacts import write_atomically
from coordi.errors import InputError

FORMAT = "coordi-report-1"


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
    match: str
    apart: str
    within: str
    queries: int
    """Queries measured."""
    gallery: int
    reduced: bool
    """Whether counts fall short of the published ones."""
    left_out: int = 0
    """Queries for which the gallery holds no answer; they are not measured."""
    shortfalls: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Count → (published, found), where they differ."""


class Lost(NamedTuple):
    """Photos of a trial that are in the count without a picture that can be read."""

    queries: frozenset[str]
    gallery: Mapping[str, str]
    """Id → what a query looks for that could have found it."""


@dataclass(frozen=True, slots=True)
class Report:
    """A system's numbers on a benchmark, query by query and together."""

    terms: Terms
    model: str
    control: bool
    """Whether it is printed as a control."""
    values: Mapping[str, Value]
    slices: tuple[Slice, ...]
    photos: tuple[str, ...]
    """Ids of the queries' photos."""
    groups: tuple[str, ...]
    """Their groups; intervals draw groups."""
    per_query: Mapping[str, tuple[float | None, ...]]
    """Metric → value of each query, in the order of `photos`; None means infinite."""
    fingerprint: str = ""
    dim: int | None = None
    note: str = ""
    """What to know of the row, such as the depth of a re-ranking."""
    seed: int | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """The recipe that made the model, where its folder holds one."""
    keys: tuple[str, ...] = ()
    """What each query looks for: its value of `Terms.match`; () in reports of earlier versions."""
    missing: int = 0
    """Photos of the trial, each once, whose picture is missing or cannot be read. They are in the
    count: such a query is a miss, such a gallery photo is never found."""
    missing_queries: tuple[str, ...] | None = None
    """Which of them are queries; None in reports of earlier versions, whose `missing` also counted
    what was in no count."""
    missing_gallery: Mapping[str, str] | None = None
    """Which of them stand in the gallery → what a query looks for that could have found them."""
    unusable: int = 0
    """Rows of the data that give no photo at all, so that they are in no count."""
    problems: tuple[str, ...] = ()
    """The first of both, with reasons."""
    best: tuple[ShownQuery, ...] = ()
    worst: tuple[ShownQuery, ...] = ()
    format: str = FORMAT

    @property
    def lost(self) -> Lost | None:
        """Which pictures are missing; None where an earlier version did not say which."""
        if self.missing_queries is None or self.missing_gallery is None:
            return None if self.missing else Lost(frozenset(), {})
        return Lost(frozenset(self.missing_queries), self.missing_gallery)

    def save(self, path: Path) -> None:
        """Write the report as JSON; it replaces an earlier one as a whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(asdict(self), ensure_ascii=False, allow_nan=False))

    @staticmethod
    def load(path: Path) -> "Report":
        """Read a report; `InputError` for a file that is missing or is not one."""
        try:
            content = json.loads(
                path.read_text("utf-8"), parse_constant=_finite, parse_float=_finite
            )
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"cannot read the report {path}: {error}") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise InputError(f"{path} is no report of `coordi evaluate`")
        try:
            report = _reader().validate_python(content)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise InputError(
                f"{path} is a damaged report ({place}: {first['msg']}); evaluate again"
            ) from error
        _check_lengths(report, path)
        return report


@cache
def _reader() -> TypeAdapter[Report]:
    return TypeAdapter(Report)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number that a report holds")
    return value


def _check_lengths(report: Report, path: Path) -> None:
    """Everything that is told query by query is as long as the queries are many."""
    lengths = {"photos": len(report.photos), "groups": len(report.groups)}
    lengths |= {name: len(column) for name, column in report.per_query.items()}
    lengths |= {"keys": len(report.keys)} if report.keys else {}
    wrong = next((name for name, n in lengths.items() if n != report.terms.queries), None)
    if wrong or not report.photos or not report.values:
        raise InputError(
            f"{path} is a damaged report ({wrong or 'values'} does not fit its "
            f"{report.terms.queries:,} queries); evaluate again"
        )
