"""Search against bare FAISS with the same index, in the same run.

    python benchmarks/search.py --sizes 5000 35000 1000000 --out build/search.json

Vectors are drawn: a mixture of many Gaussians of low intrinsic dimension, embedded in `--dim`
dimensions and scaled to length one; queries come from the same mixture and are not stored. Blocks
of queries go round between coordi and bare FAISS, and so does which comes first, so that other
work on the machine meets all alike; whoever takes over asks one query untimed, since the
processor's caches then hold the other's work. What is timed of coordi is all of
`coordi.tasks.search` (checks, version check, query vector, filter, ranking) but for fetching the
items, which bare FAISS does not do; that time stands in a column of its own. All queries are
asked once before the clock runs: a first fetch reads items from disk, and the query that comes
after it finds the processor's caches full of them, which is no cost of searching. The first use
of a filter, which evaluates it, is timed apart as well.

Where coordi quantises, it scores what it finds once more in float32. Bare FAISS is therefore
timed twice: with its own refinement (`IndexRefine`) of as many candidates ("refined"), and
without ("bare"), whose recall is lower. Both look into as many cells as coordi does on average,
or, where refined FAISS then finds less than coordi (which skips cells in which nothing passes the
filter), into the smallest number at which it finds as much.
"""

import argparse
import json
import math
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

K = 10
BLOCK = 50
COMPONENTS = 1500
LATENT = 32
STEP = 20_000
FINGERPRINT = "be9c4be9c4be9c40"


def main() -> None:
    arguments = _arguments()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(arguments.threads)
    import faiss

    faiss.omp_set_num_threads(arguments.threads)
    folder = Path(tempfile.mkdtemp(prefix="coordi-search-", dir=arguments.folder))
    rows: list[dict[str, Any]] = []
    try:
        for size in arguments.sizes:
            rows += measure(folder / str(size), size, arguments)
            shutil.rmtree(folder / str(size))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    about = {"threads": arguments.threads, "k": K, "dim": arguments.dim, "cpu": platform.machine()}
    report = {**about, "faiss": faiss.__version__, "queries": arguments.queries, "rows": rows}
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(markdown(rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[5000, 35_000, 1_000_000])
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3, help="times that all queries are asked")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the stores are made (and removed)")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


class Mixture:
    """Unit vectors that resemble embeddings."""

    def __init__(self, dim: int, seed: int) -> None:
        import numpy as np

        self.random = np.random.default_rng(seed)
        self.centers = self.random.standard_normal((COMPONENTS, LATENT)).astype(np.float32)
        self.shares = self.random.dirichlet(np.full(COMPONENTS, 0.5))
        self.frame = self.random.standard_normal((LATENT, dim)).astype(np.float32) / LATENT**0.5

    def draw(self, count: int) -> tuple[Any, Any]:
        """Vectors (count, dim) and the component of each."""
        import numpy as np

        from coordi.geometry import unit_rows

        component = self.random.choice(COMPONENTS, count, p=self.shares)
        latent = self.random.standard_normal((count, LATENT), dtype=np.float32)
        rows = (self.centers[component] + 0.5 * latent) @ self.frame
        rows += 0.05 * self.random.standard_normal(rows.shape, dtype=np.float32)
        return unit_rows(rows), component


class GivenVector:
    """An encoder whose text is the number of a prepared query: it costs nothing."""

    name = "given"
    fingerprint = FINGERPRINT
    modalities = frozenset({"text"})

    def __init__(self, vectors: Any) -> None:
        self.vectors = vectors
        self.dim = vectors.shape[1]

    def encode_texts(self, texts: list[str]) -> Any:
        row = int(texts[0])
        return self.vectors[row : row + 1]

    def unknown_words(self, text: str) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def cut_from(self, text: str) -> str:  # noqa: ARG002
        return ""


def fill(
    path: Path, size: int, mixture: Mixture, fingerprint: str = FINGERPRINT
) -> tuple[Any, float]:
    """A store of `size` items and the seconds that storing took.

    The field "shelf" is one of 20 at random; "corner" is 5% of the mixture's components.
    """
    from coordi.store import open_store
    from coordi.types import Item

    store = open_store(path, create=True)
    seconds = 0.0
    for start in range(0, size, STEP):
        vectors, component = mixture.draw(min(STEP, size - start))
        shelves = mixture.random.integers(0, 20, len(vectors))
        items = [
            Item(f"item-{start + row}", title=f"Item {start + row}", fields=fields)
            for row, fields in enumerate(
                {"shelf": f"s{shelf}", "corner": bool(part % 20 == 0), "price": float(shelf)}
                for shelf, part in zip(shelves.tolist(), component.tolist(), strict=True)
            )
        ]
        began = perf_counter()
        store.put(items, fingerprint, vectors, ["-"] * len(items), encoder="given")
        seconds += perf_counter() - began
    began = perf_counter()
    store.compact()
    return store, seconds + perf_counter() - began


def measure(path: Path, size: int, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    mixture = Mixture(arguments.dim, arguments.seed)
    store, filling = fill(path, size, mixture)
    queries, _ = mixture.draw(arguments.queries)
    began = perf_counter()
    index = store.index(FINGERPRINT)
    building = perf_counter() - began
    print(f"{size}: stored in {filling:.1f} s, index in {building:.1f} s", file=sys.stderr)
    again = _reopen(path)
    rows = []
    for name, where in (
        ("none", None),
        ("5% at random", "shelf = 's7'"),
        ("5% alike", "corner"),
    ):
        row = compare(store, index, queries, name, where, arguments)
        row |= {"items": size, "store_s": filling, "index_s": building, "reopen_s": again}
        row["disk_mb"] = store.stats().bytes / 1e6
        rows.append(row)
    return rows


def _reopen(path: Path) -> float:
    from coordi.store import open_store

    began = perf_counter()
    with open_store(path) as store:
        store.index(FINGERPRINT)
        return perf_counter() - began


def compare(
    store: Any, index: Any, queries: Any, name: str, where: str | None, arguments: Any
) -> dict[str, Any]:
    """Time and recall of one filter."""
    import numpy as np

    from coordi.tasks.search import search
    from coordi.types import Query

    encoder = GivenVector(queries)
    asked = [Query(text=str(i), where=where, limit=K) for i in range(len(queries))]
    began = perf_counter()
    first = search(asked[0], store=store.snapshot(), encoder=encoder)
    cold = perf_counter() - began
    truth = truth_of(index, where, queries)
    contenders = {"bare": bare_flat(index, where, queries)}
    if index._ivf is not None:
        contenders = bare_ivf(index, where, queries, truth)
    found: dict[int, list[str]] = {}
    times: dict[str, list[float]] = {name: [] for name in ("ours", "fetch", *contenders)}

    def ask(i: int, *, keep: bool) -> None:
        began = perf_counter()
        answer = search(asked[i], store=store.snapshot(), encoder=encoder)
        spent = perf_counter() - began
        found[i] = [hit.item.id for hit in answer.hits]
        if keep:
            times["ours"].append(spent - answer.seconds["fetch"])
            times["fetch"].append(answer.seconds["fetch"])

    def timed(name: str, i: int, *, keep: bool) -> None:
        began = perf_counter()
        contenders[name](i)
        if keep:
            times[name].append(perf_counter() - began)

    turns = [ask, *(partial(timed, name) for name in contenders)]
    for i in range(len(queries)):
        for take in turns:
            take(i, keep=False)
    for block, first_turn in blocks(len(queries), arguments.rounds):
        for turn in range(len(turns)):
            take = turns[(first_turn + turn) % len(turns)]
            take(block[-1], keep=False)
            for i in block:
                take(i, keep=True)
    truth_ids = [index.ids(rows) for rows in truth]
    row = {"filter": name, "index": first.index, "allowed": first.total - first.filtered_out}
    row |= {"cold_ms": 1e3 * cold, "recall": recall(found, truth_ids)}
    for who, run in contenders.items():
        bare_ids = {i: index.ids(run(i)) for i in range(len(queries))}
        row[f"{who}_recall"] = recall(bare_ids, truth_ids)
    for who, spent in times.items():
        p50, p99 = np.percentile(spent, [50, 99])
        row[who] = {"p50_ms": 1e3 * p50, "p99_ms": 1e3 * p99, "per_s": len(spent) / sum(spent)}
    row["worst"] = {who: worst_ratio(row["ours"], row[who]) for who in contenders}
    return row


def worst_ratio(ours: dict[str, float], other: dict[str, float]) -> float:
    """The largest of the ratios of p50, p99 and queries/s."""
    slower = [ours[key] / other[key] for key in ("p50_ms", "p99_ms")]
    return max(*slower, other["per_s"] / ours["per_s"])


def blocks(count: int, rounds: int) -> Iterator[tuple[range, int]]:
    """Blocks of queries and the number of whose turn is first with this block."""
    number = 0
    for _ in range(rounds):
        for start in range(0, count, BLOCK):
            yield range(start, min(start + BLOCK, count)), number
            number += 1


def bare_flat(index: Any, where: str | None, queries: Any) -> Callable[[int], Any]:
    """FAISS's flat index over the same rows, with a prepared bitmap."""
    import faiss

    engine = faiss.IndexFlatIP(queries.shape[1])
    engine.add(index.vectors(index.live_rows()))
    parameters = faiss.SearchParameters(sel=_selector(index, where))
    return lambda i: engine.search(queries[i : i + 1], K, params=parameters)[1][0]


def bare_ivf(
    index: Any, where: str | None, queries: Any, truth: Any
) -> dict[str, Callable[[int], Any]]:
    """The very IVF that coordi searches: by its codes alone, and refined in float32."""
    import faiss

    selector = _selector(index, where)
    codes = index._ivf.index
    vectors = index.vectors(index.live_rows())
    refined = faiss.IndexRefineFlat(codes, faiss.swig_ptr(vectors))
    factor = (K + 1 + max(16, (K + 1) // 4)) / K
    ours = [index.nearest(query, K, where) for query in queries]
    wanted = _shared([found.rows for found in ours], truth)
    probed = [int(found.index.split("=")[1]) for found in ours if "nprobe=" in found.index]

    def settings(nprobe: int) -> tuple[Any, Any]:
        inner = faiss.SearchParametersIVF(nprobe=nprobe, sel=selector)
        return inner, faiss.IndexRefineSearchParameters(k_factor=factor, base_index_params=inner)

    nprobe = max(1, round(sum(probed) / max(1, len(probed))))
    while nprobe < codes.nlist:
        found = refined.search(queries, K, params=settings(nprobe)[1])[1]
        if _shared(found, truth) >= wanted:
            break
        nprobe = math.ceil(nprobe * 1.05)
    inner, outer = settings(min(nprobe, codes.nlist))
    print(f"bare FAISS looks into {inner.nprobe} cells", file=sys.stderr)
    return {
        "bare": lambda i: codes.search(queries[i : i + 1], K, params=inner)[1][0],
        "refined": lambda i: refined.search(queries[i : i + 1], K, params=outer)[1][0],
    }


def _shared(found: Any, truth: Any) -> int:
    return sum(
        len(set(rows.tolist()) & set(wanted.tolist()))
        for rows, wanted in zip(found, truth, strict=True)
    )


def _selector(index: Any, where: str | None) -> Any:
    import faiss
    import numpy as np

    if where is None:
        return None
    return faiss.IDSelectorBitmap(np.packbits(index._selection(where).mask, bitorder="little"))


def truth_of(index: Any, where: str | None, queries: Any) -> Any:
    """Exact neighbours (queries, K) by brute force over the rows that pass."""
    import faiss

    rows = index.live_rows()
    mask = index._selection(where).mask
    if mask is not None:
        rows = rows[mask[rows]]
    _, places = faiss.knn(queries, index.vectors(rows), K, metric=faiss.METRIC_INNER_PRODUCT)
    return rows[places]


def recall(found: dict[int, list[str]], truth: list[list[str]]) -> float:
    hits = sum(len(set(found[i]) & set(ids)) for i, ids in enumerate(truth))
    return hits / sum(len(ids) for ids in truth)


def markdown(rows: list[dict[str, Any]]) -> str:
    head = (
        "| items | filter | index | p50 ms (bare, refined) | p99 ms | queries/s "
        "| worst ratio | recall@10 | fetch p50 ms | cold filter ms |"
    )
    lines = [head, "|" + " --- |" * 10]
    for row in rows:
        whom = list(row["worst"])
        cells = [
            f"{row['items']:,}", row["filter"], row["index"],
            *(_beside(form, row["ours"][key], [row[who][key] for who in whom])
              for key, form in (("p50_ms", ".3f"), ("p99_ms", ".3f"), ("per_s", ",.0f"))),
            ", ".join(f"{ratio:.2f}" for ratio in row["worst"].values()),
            _beside(".4f", row["recall"], [row[f"{who}_recall"] for who in whom]),
            f"{row['fetch']['p50_ms']:.2f}", f"{row['cold_ms']:.1f}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    built = {row["items"]: row for row in rows}.values()
    lines += ["", "| items | stored in s | index in s | reopened in s | disk MB |"]
    lines.append("|" + " --- |" * 5)
    lines += [
        f"| {row['items']:,} | {row['store_s']:.1f} | {row['index_s']:.1f} "
        f"| {row['reopen_s']:.2f} | {row['disk_mb']:.0f} |"
        for row in built
    ]
    return "\n".join(lines)


def _beside(form: str, ours: float, others: list[float]) -> str:
    return f"{ours:{form}} ({', '.join(f'{other:{form}}' for other in others)})"


if __name__ == "__main__":
    main()
