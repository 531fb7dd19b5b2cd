"""Choose what words weigh against likeness, on queries made from labels.

    python benchmarks/fusion.py --data ../shared/data

The catalogue is the side of kaggle's split by title that models are chosen by (`val`), which has
no item in common with what `benchmarks/words.py` measures on; none of its sixty queries is used.
Queries are drawn from the labels of drawn items and typed as people would: a colour and a kind,
who it is for and a kind, the brand (a title's first word) and a kind, another word for the kind
(`coordi.data.vocabulary`), and each of these with a slip of the pen. The weight that is best on
all of them leans on words too much, because labels are words of the catalogue and shoppers' are
not always: `coordi.tasks.fusion.WORDS` is the least weight within `NEAR` of it.
Reciprocal rank fusion of the same two lists (Cormack et al. 2009, k = 60) stands beside it.
"""

import argparse
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import words

TEN = 10
NEAR = 0.015
STEPS = [step / 10 for step in range(11)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--encoder", default="coordi-mini")
    parser.add_argument("--work", type=Path, default=Path("build/words"))
    parser.add_argument("--each", type=int, default=40, help="queries of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    mapping = {"id": "id", "image": "image", "title": "productDisplayName",
               "category": "articleType", "color": "baseColour"}  # fmt: skip
    catalogue = {"path": "kaggle", "map": mapping, "split": "title"}
    with words.opened("kaggle-val", catalogue, arguments, side="val") as engine:
        at = engine.view().at
        items = at.get(at.ids())
        queries = list(drawn(items, arguments.each, random.Random(arguments.seed)))
        table = {str(w): measured(engine, queries, w) for w in STEPS}
        table["reciprocal ranks"] = measured(engine, queries, None)
    report = {"items": len(items), "queries": len(queries), "shares": table}
    print(f"{len(queries)} queries, {len(items):,} items")
    kinds = list(table["0.0"])
    print("| weight of words |", " | ".join(kinds), "|\n|" + "---|" * (len(kinds) + 1))
    for name, row in table.items():
        print(f"| {name} |", " | ".join(f"{row[kind]:.3f}" for kind in kinds), "|")
    best = max(table[str(w)]["all"] for w in STEPS)
    chosen = next(w for w in STEPS if table[str(w)]["all"] >= best - NEAR)
    print(f"the least weight within {NEAR} of the best: {chosen}")
    if arguments.out:
        arguments.out.write_text(json.dumps(report, indent=1), "utf-8")


def drawn(items: list[Any], each: int, rng: random.Random) -> Iterator[tuple[str, str, str]]:
    """(kind, text, filter of the right items)."""
    makers = {"colour": _colour, "for": _for, "brand": _brand, "synonym": _synonym}
    for kind, make in makers.items():
        seen: set[str] = set()
        while len(seen) < each:
            made = make(rng.choice(items), rng)
            if made is None or made[0] in seen:
                continue
            seen.add(made[0])
            yield kind, *made
            slip = slipped(made[0], rng)
            if slip:
                yield f"{kind}, slip", slip, made[1]


def _kind(item: Any) -> str:
    return f"category = '{_quoted(item.fields['category'])}'"


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _colour(item: Any, _: random.Random) -> tuple[str, str] | None:
    color = item.fields.get("color")
    if color in (None, "NA", "Multi"):
        return None
    text = f"{color} {_singular(item.fields['category'])}"
    return text.lower(), f"{_kind(item)} and color = '{color}'"


def _for(item: Any, rng: random.Random) -> tuple[str, str] | None:
    said = {"Men": ["mens", "men", "for men"], "Women": ["womens", "ladies", "for women"]}
    gender = item.fields.get("gender")
    if gender not in said:
        return None
    who, kind = rng.choice(said[gender]), _singular(item.fields["category"]).lower()
    text = f"{kind} {who}" if who.startswith("for ") else f"{who} {kind}"
    return text, f"{_kind(item)} and gender = '{gender}'"


def _brand(item: Any, _: random.Random) -> tuple[str, str] | None:
    brand = (item.title or " ").split()[0]
    if len(brand) < 3 or not brand.isalpha():
        return None
    text = f"{brand} {_singular(item.fields['category'])}".lower()
    return text, f"{_kind(item)} and title like '{brand}%'"


def _synonym(item: Any, rng: random.Random) -> tuple[str, str] | None:
    from coordi.data.vocabulary import CATEGORIES, canonical

    name = canonical(item.fields["category"], CATEGORIES)
    others = [w for w in CATEGORIES[name].words if w != name] if name else []
    return (rng.choice(others), _kind(item)) if others else None


def _singular(kind: str) -> str:
    return kind[:-1] if kind.endswith("s") and not kind.endswith("ss") else kind


def slipped(text: str, rng: random.Random) -> str:
    """The text with one slip inside its longest word; "" where that is too short for one."""
    parts = text.split()
    longest = max(range(len(parts)), key=lambda place: len(parts[place]))
    word = parts[longest]
    if len(word) < 5 or not word.isalpha():
        return ""
    at = rng.randrange(1, len(word) - 1)
    ways = [word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :]]  # fmt: skip
    parts[longest] = rng.choice(ways)
    return " ".join(parts)


def measured(engine: Any, queries: list[Any], weight: float | None) -> dict[str, float]:
    """Kind → share right among the first ten (or as many as there are); "all" over all queries."""
    from coordi.tasks.search import search
    from coordi.types import Query

    at, encoder = engine.view().at, engine.encoder
    shares: dict[str, list[float]] = {}
    for kind, text, where in queries:
        passing = at.select(where)
        rights = {id for id, yes in zip(at.ids(), passing, strict=True) if yes}
        if weight is None:
            ids = _reciprocal(at, encoder, text)
        else:
            found = search(Query(text=text, limit=TEN), store=at, encoder=encoder, weight=weight)
            ids = [hit.item.id for hit in found.hits]
        depth = min(TEN, len(rights))
        shares.setdefault(kind, []).append(len(rights.intersection(ids[:depth])) / depth)
    every = [share for row in shares.values() for share in row]
    return {kind: sum(row) / len(row) for kind, row in {**shares, "all": every}.items()}


def _reciprocal(at: Any, encoder: Any, text: str) -> list[str]:
    """The first ten by reciprocal ranks of both lists."""
    from coordi.tasks.search import search
    from coordi.types import Query

    scores: dict[str, float] = {}
    for by in ("words", "vectors"):
        found = search(Query(text=text, limit=500, by=by), store=at, encoder=encoder)
        for rank, hit in enumerate(found.hits, 1):
            scores[hit.item.id] = scores.get(hit.item.id, 0.0) + 1 / (60 + rank)
    return sorted(scores, key=lambda id: -scores[id])[:TEN]


if __name__ == "__main__":
    main()
