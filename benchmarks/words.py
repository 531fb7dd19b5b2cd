"""Word queries against catalogues: share right among ten, by kind of query, with controls.

    python benchmarks/words.py --data ../shared/data --out build/words.json

A store is made of each catalogue by the public path (`Engine.ingest`), or brought up to date where
`--work` has one, and each query goes through `Engine.search` as a shopper's would. Which hits are
right is told by a filter over the store's fields, or for a few queries by what was seen
(`word-eyes.yaml`); where fewer than ten items are right, that many hits are looked at, so that one
exact code found first is 1. Of a catalogue with `split: title` only the test side is taken, which
coordi-mini never saw: sides are those of `coordi.data.splits` by the title without colour words.

The same queries are asked of three controls: by words alone, by vectors alone, and of items in a
drawn order, for which the share that is right is expected, not drawn.
"""

import argparse
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from coordi.engine import Engine

HERE = Path(__file__).parent
TEN = 10
SYSTEMS = {"coordi": "hybrid", "words alone": "words", "vectors alone": "vectors"}
"""Column → `Query.by`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One query, and what came of it."""

    text: str
    kind: str
    catalogue: str
    right: str = ""
    """Filter that tells the right items; "" where they are judged by eye."""
    language: str = ""
    rights: int = 0
    """Right items in the catalogue; 0 where nobody counted."""
    shares: dict[str, float | None] = field(default_factory=dict)
    """System → share right among the first ten; None where a hit was never looked at."""
    hits: dict[str, list[str]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    """The first system's hits as the sheet shows them."""
    notes: list[str] = field(default_factory=list)


def main() -> None:
    arguments = _arguments()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    plan = yaml.safe_load(arguments.queries.read_text(encoding="utf-8"))
    eyes = _eyes(arguments.eyes)
    asked: list[Asked] = []
    sizes: dict[str, int] = {}
    for name, catalogue in plan["catalogues"].items():
        with opened(name, catalogue, arguments) as engine:
            sizes[name] = engine.store.count()
            encoder = engine.encoder.name
            asked += [
                ask(engine, query, eyes.get(query["text"], {}))
                for query in plan["queries"]
                if query["catalogue"] == name
            ]
    report = {
        "encoder": encoder, "queries": len(asked), "items": sizes,
        "shares": shares(asked), "asked": [asdict(one) for one in asked],
    }  # fmt: skip
    print(table(report))
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(report, indent=1, ensure_ascii=False), "utf-8")
    if arguments.page:
        arguments.page.write_text(page(report, asked), "utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--queries", type=Path, default=HERE / "word-queries.yaml")
    parser.add_argument("--eyes", type=Path, default=HERE / "word-eyes.yaml")
    parser.add_argument("--encoder", default="coordi-mini")
    parser.add_argument("--work", type=Path, default=Path("build/words"), help="where stores stay")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--page", type=Path, help="markdown page to write")
    return parser.parse_args()


def _eyes(path: Path) -> dict[str, dict[str, list[str]]]:
    """Query → {"right": ids, "wrong": ids} that somebody looked at."""
    return (yaml.safe_load(path.read_text("utf-8")) or {}) if path.exists() else {}


def opened(
    name: str, catalogue: Mapping[str, Any], arguments: argparse.Namespace, side: str = "test"
) -> "Engine":
    """The catalogue's store, brought up to date."""
    from coordi.engine import Engine

    source = arguments.data / catalogue["path"]
    if catalogue.get("split") == "title":
        source = kept_back(source, catalogue["map"], arguments.work / f"{name}.parquet", side)
    label = arguments.encoder.replace("/", "-")
    folder = arguments.work / f"{name}-{label}"
    engine = Engine.open(folder, encoder=arguments.encoder, create=True)
    engine.ingest(source, mapping=catalogue["map"] or None)
    return engine


def kept_back(shards: Path, mapping: Mapping[str, str], out: Path, side: str) -> Path:
    """The rows of a folder of Parquet files whose title stands on one side, as one file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from coordi.data.splits import split_of
    from coordi.data.vocabulary import without_colors

    out.parent.mkdir(parents=True, exist_ok=True)
    parts = []
    for file in sorted(shards.glob("*.parquet")):
        rows = pq.read_table(file)
        titles = (title or "" for title in rows[mapping["title"]].to_pylist())
        parts.append(rows.filter(pa.array([split_of(without_colors(t)) == side for t in titles])))
    pq.write_table(pa.concat_tables(parts), out)
    return out


def ask(engine: "Engine", query: Mapping[str, Any], seen: Mapping[str, list[str]]) -> Asked:
    """Ask one query of each system."""
    from coordi.types import Query

    where = query.get("right", "")
    at = engine.view().at
    rights = (
        {id for id, yes in zip(at.ids(), at.select(where), strict=True) if yes} if where else set()
    )
    if where and not rights:
        raise SystemExit(f"{query['text']!r}: no item passes {where}")
    one = Asked(query["text"], query["kind"], query["catalogue"], where,
                query.get("language", ""), len(rights))  # fmt: skip
    for column, by in SYSTEMS.items():
        answer = engine.search(Query(text=one.text, limit=TEN, by=by))
        ids = [hit.item.id for hit in answer.hits]
        one.hits[column] = ids
        one.shares[column] = _share(ids, rights) if where else _seen(ids, seen)
        if not one.lines:
            one.lines.extend(
                _line(hit.item, rights if where else set(seen.get("right", ())))
                for hit in answer.hits
            )
            one.notes.extend(filter(None, [answer.suggestion and f"searched: {answer.suggestion}"]))
    one.shares["drawn order"] = len(rights) / at.count() if where else None
    return one


def _share(ids: list[str], rights: set[str]) -> float:
    """Share right among the first ten, or among as many as there are right items."""
    depth = min(TEN, len(rights))
    return len(rights.intersection(ids[:depth])) / depth


def _seen(ids: list[str], seen: Mapping[str, list[str]]) -> float | None:
    right, wrong = set(seen.get("right", ())), set(seen.get("wrong", ()))
    if not set(ids) <= right | wrong:
        return None
    return len(right.intersection(ids)) / TEN


def _line(item: Any, rights: set[str]) -> str:
    named = ("type", "color_es") if "color_es" in item.fields else ("category", "color")
    values = [str(item.fields[name]) for name in named if item.fields.get(name) is not None]
    mark = "✓" if item.id in rights else "·"
    return f"{mark} {item.title or item.id} ({', '.join(values)})"


def shares(asked: Iterable[Asked]) -> dict[str, dict[str, Any]]:
    """Kind → {"queries", "judged", system → mean share over the judged}; "all" is the last row.

    A query counts where every system that answers has been judged on it; the drawn order is
    judged by labels alone.
    """
    rows: dict[str, list[Asked]] = {}
    for one in asked:
        rows.setdefault(one.kind, []).append(one)
    rows["all"] = [one for part in list(rows.values()) for one in part]
    return {kind: _row(part) for kind, part in rows.items()}


def _row(part: list[Asked]) -> dict[str, Any]:
    row: dict[str, Any] = {"queries": len(part)}
    row["judged"] = sum(one.shares["coordi"] is not None for one in part)
    for column in (*SYSTEMS, "drawn order"):
        known = [one.shares[column] for one in part if one.shares[column] is not None]
        row[column] = sum(known) / len(known) if known else None
    return row


def table(report: Mapping[str, Any]) -> str:
    """The shares as a markdown table."""
    columns = (*SYSTEMS, "drawn order")
    lines = [f"| queries | n (judged) | {' | '.join(columns)} |", "|---" * (len(columns) + 2) + "|"]
    for kind, row in report["shares"].items():
        cells = ["–" if row[c] is None else f"{row[c]:.3f}".lstrip("0") for c in columns]
        lines.append(f"| {kind} | {row['queries']} ({row['judged']}) | {' | '.join(cells)} |")
    return "\n".join(lines)


def page(report: Mapping[str, Any], asked: Iterable[Asked]) -> str:
    """The page: the table, then each query with its hits."""
    sizes = ", ".join(f"{name} {count:,}" for name, count in report["items"].items())
    lines = [
        "# Word queries", "",
        "Made by `python benchmarks/words.py --data ../shared/data --page docs/word-queries.md`; "
        "do not edit. Share right among the ten first (among as many as there are right items, "
        "where they are fewer). The queries and what is right stand in "
        "benchmarks/word-queries.yaml, what was judged by eye in benchmarks/word-eyes.yaml. In "
        "each row the mean is over the queries on which that column is judged.", "",
        f"Encoder: {report['encoder']}. Items: {sizes} (kaggle: the test side of its split by "
        "title).", "",
        table(report), "",
    ]  # fmt: skip
    for one in asked:
        share = one.shares["coordi"]
        told = "not judged" if share is None else f"{share:.2f}"
        how = f"`{one.right}`, {one.rights:,} items" if one.right else "by eye"
        lines += [f"## {one.text}", "", f"{one.kind}, {one.catalogue}: **{told}** ({how})", ""]
        lines += [f"_{note}_" for note in one.notes] + ([""] if one.notes else [])
        lines += [f"{rank}. {line}" for rank, line in enumerate(one.lines, 1)] + [""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
