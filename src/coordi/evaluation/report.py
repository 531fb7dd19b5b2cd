"""One system measured on one benchmark: a dataclass that is a JSON file and back again."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

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
class Found:
    """One place of a ranking that is shown."""

    photo: str
    score: float
    right: bool


@dataclass(frozen=True, slots=True)
class Example:
    """A query and what it found first."""

    photo: str
    rank: int
    """Rank of its best answer in the whole gallery; 0 for never."""
    answers: int
    found: tuple[Found, ...]


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
    missing: int = 0
    """Photos that the benchmark should have and that could not be used."""
    problems: tuple[str, ...] = ()
    """The first of them, with reasons."""
    best: tuple[Example, ...] = ()
    worst: tuple[Example, ...] = ()
    format: str = FORMAT

    def save(self, path: Path) -> None:
        """Write the report as JSON; it replaces an earlier one as a whole."""
        write_whole(path, json.dumps(asdict(self), ensure_ascii=False, allow_nan=False))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a report; `InputError` for a file that is missing or is not one."""
        try:
            content = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"cannot read the report {path}: {error}") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise InputError(f"{path} is no report of `coordi evaluate`")
        try:
            return cls(**_typed(content))
        except (TypeError, KeyError, ValueError) as error:
            raise InputError(f"{path} is a damaged report ({error}); evaluate again") from error


def _typed(content: dict[str, Any]) -> dict[str, Any]:
    """JSON's dictionaries and lists as the dataclasses and tuples they were."""
    terms = content["terms"]
    shortfalls = {name: tuple(pair) for name, pair in terms["shortfalls"].items()}
    return content | {
        "terms": Terms(**(terms | {"shortfalls": shortfalls})),
        "values": _values(content["values"]),
        "slices": tuple(
            Slice(s["category"], s["queries"], _values(s["values"])) for s in content["slices"]
        ),
        "photos": tuple(content["photos"]),
        "groups": tuple(content["groups"]),
        "per_query": {name: tuple(column) for name, column in content["per_query"].items()},
        "problems": tuple(content["problems"]),
        "best": tuple(map(_example, content["best"])),
        "worst": tuple(map(_example, content["worst"])),
    }


def _values(content: Mapping[str, Any]) -> dict[str, Value]:
    return {name: Value(**value) for name, value in content.items()}


def _example(content: Mapping[str, Any]) -> Example:
    return Example(**{**content, "found": tuple(Found(**f) for f in content["found"])})


def write_whole(path: Path, text: str) -> None:
    """Write a text file; who reads meanwhile sees the earlier one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, "utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
