"""An encoder against ImageNet MobileNetV2 and simpler controls, on held-out real photos.

    python benchmarks/mini.py --data ../shared/data --weights WEIGHTS/mobilenet_v2_imagenet.tflite

Every row states its gallery and query counts. Held out is the "test" side of the splits of the
recipe of coordi-mini, coordi-mini.yaml beside this file (one garment, sender or street photo
never stands on two sides); nothing is chosen on it: settings were chosen on the "val" side
(`--split val`).
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordi.data.images import crop, decode_crop, decode_image, read_bytes
from coordi.data.segments import read_list
from coordi.data.specs import load_spec
from coordi.data.vocabulary import CATEGORIES, ancestors
from coordi.drawn.collections import load_collection
from coordi.engine.garments import MARGIN, with_margin
from coordi.geometry import similarities, top_k, truncate, unit_rows
from coordi.models.finder.choice import best
from coordi.models.finder.opening import open_finder
from coordi.models.opening import open_encoder
from coordi.ranking.intervals import cluster_bootstrap, interval
from coordi.ranking.rankings import rank
from coordi.ranking.truth import Truth
from coordi.training.examples import Example, ExampleSet, load_source, squared
from coordi.training.recipes import load_recipe
from coordi.types import Encoder, Image, ImageRef, Vectors

RECIPE = Path(__file__).with_name("coordi-mini.yaml")
"""What made coordi-mini: its sources and their splits."""


@dataclass(frozen=True)
class Row:
    task: str
    metric: str
    model: str
    value: float
    low: float
    high: float
    queries: int
    gallery: int


WORN = "worn photo → its shop photo"
PATTERN = "pattern of a worn dress"
PATTERNS = ("floral", "plain", "stripes", "polka-dot", "tribal", "check", "animal print", "ikat",
            "geometric", "cartoon")  # fmt: skip
"""The ten commonest that say something."""

CLOSET = "closet label, other senders"
TYPE = "kaggle articleType"
SIDE = 224
"""Side of the pictures that all encoders are given, in pixels; each shrinks them to its own."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", type=Path, help="TFLite MobileNetV2, the control")
    parser.add_argument("--encoder", default="coordi-mini")
    parser.add_argument("--split", choices=("val", "test"), default="test")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--markdown", type=Path, help="page to write")
    arguments = parser.parse_args()
    sets = held_out(arguments.data, arguments.split)
    sets |= worn(arguments.data, arguments.split)
    table: list[Row] = []
    encoder = open_encoder(arguments.encoder)
    control = None if arguments.weights is None else open_encoder(str(arguments.weights))
    vectors = {name: encode(encoder, s) for name, s in sets.items()}
    models: dict[str, dict[str, Vectors]] = {arguments.encoder: vectors}
    for dim in (64, 128):
        models[f"{arguments.encoder} first {dim}"] = {
            n: truncate(v, dim) for n, v in vectors.items()
        }
    if control is not None:
        models["ImageNet MobileNetV2"] = {n: encode(control, s) for n, s in sets.items()}
    models["color histogram"] = {n: color_histogram(s) for n, s in sets.items()}
    models["random"] = {n: random_rows(s) for n, s in sets.items()}
    for model, found in models.items():
        table += image_rows(sets, found, model)
    for dim in (64, 128, 256):
        short = truncate(vectors["kaggle"], dim)
        table += [title_row(sets["kaggle"], short, encoder, dim, k) for k in (1, 10)]
    table += whole_photos(sets, vectors["mango"], encoder, arguments.data, arguments.encoder)
    table += [largest_class(sets, task) for task in ("closet", "kaggle")]
    print(markdown(table))
    if arguments.markdown:
        arguments.markdown.write_text(page(table, encoder, arguments.split), "utf-8")
    if arguments.out:
        arguments.out.write_text(json.dumps([asdict(row) for row in table], indent=1))


def held_out(data: Path, split: Any) -> dict[str, ExampleSet]:
    sources = [
        s
        for s in load_recipe(str(RECIPE)).sources
        if s.kind in {"catalog", "segments"} and not s.same_as
    ]
    return {s.name: load_source(s.model_copy(update={"size": SIDE}), data, split) for s in sources}


def worn(data: Path, split: str) -> dict[str, ExampleSet]:
    """People's photos of one side, and all shop photos, as "worn" and "shop"."""
    collection = load_collection(load_spec("worn"), data, cache=Path("cache"))
    learned = {collection.photos[row].item for row in collection.train}
    trial = collection.val if split == "val" else collection.test
    shop = sorted(trial.gallery, key=lambda row: collection.photos[row].item in learned)
    return {
        "worn": _photos(collection, "worn", trial.query),
        "shop": _photos(collection, "shop", np.array(shop)),
    }


def _photos(collection: Any, name: str, rows: NDArray[Any]) -> ExampleSet:
    photos = [collection.photos[row] for row in rows]
    pictures = [squared(decode_crop(read_bytes(p.image), p.box, SIDE), SIDE) for p in photos]
    learned = {collection.photos[row].item for row in collection.train}
    examples = [
        Example(p.id, name, p.item, None, None, "learned" * (p.item in learned), item=p.item)
        for p in photos
    ]
    return ExampleSet(name, tuple(examples), np.stack(pictures))


def encode(encoder: Encoder, examples: ExampleSet, batch: int = 64) -> Vectors:
    pictures: Sequence[Image] = list(examples.pictures)
    return np.concatenate(
        [encoder.encode_images(pictures[i : i + batch]) for i in range(0, len(pictures), batch)]
    )


def color_histogram(examples: ExampleSet) -> Vectors:
    """8 × 8 × 8 RGB histogram of the middle, root-scaled: what colour alone can do."""
    side = examples.pictures.shape[1]
    middle = examples.pictures[:, side // 4 : -side // 4, side // 4 : -side // 4] // 32
    codes = (middle.astype(int) @ np.array([64, 8, 1])).reshape(len(middle), -1)
    counts = np.stack([np.bincount(row, minlength=512) for row in codes])
    return unit_rows(np.sqrt(counts))


def random_rows(examples: ExampleSet) -> Vectors:
    return unit_rows(np.random.default_rng(0).normal(size=(len(examples.examples), 64)))


def image_rows(sets: dict[str, ExampleSet], found: dict[str, Vectors], model: str) -> list[Row]:
    closet, kaggle = sets["closet"].examples, sets["kaggle"].examples
    out = [
        _neighbours(CLOSET, model, found["closet"], closet, lambda e: e.label),
        _neighbours(TYPE, model, found["kaggle"], kaggle, lambda e: e.label),
        _neighbours("kaggle baseColour", model, found["kaggle"], kaggle, lambda e: e.color_label),
        _street_row(sets, found, model),
        _pattern_row(sets["patterns"].examples, found["patterns"], model),
        _worn_row(sets, found, model),
    ]
    return [row for pair in out for row in pair]


def _row(task: str, metric: str, model: str, values: NDArray[Any], gallery: int) -> Row:
    each = [f"{query:08}" for query in range(len(values))]
    low, high = interval(cluster_bootstrap(np.asarray(values, float)[:, None], each)[:, 0])
    return Row(task, metric, model, float(values.mean()), low, high, len(values), gallery)


def _neighbours(
    task: str,
    model: str,
    vectors: Vectors,
    examples: Sequence[Example],
    label: Callable[[Example], str],
) -> list[Row]:
    labels, groups = (
        np.unique(names, return_inverse=True)[1]
        for names in ([label(e) for e in examples], [e.group for e in examples])
    )
    one = np.zeros_like(labels)
    truth = Truth(labels, labels, groups, groups, one, one, within=False)
    same = rank(truth, vectors, vectors, depth=10, whole=False).relevant
    return [
        _row(task, f"same label, nearest {k}", model, same[:, :k].mean(1), len(examples))
        for k in (1, 10)
    ]


def _street_row(sets: dict[str, ExampleSet], found: dict[str, Vectors], model: str) -> list[Row]:
    """Street segment → mango, a hit when one category is the other or contains it."""
    mango = [e.category for e in sets["mango"].examples]
    known = {c for c in mango if c}
    street = sets["street"].examples
    keep = [i for i, e in enumerate(street) if any(_fits(e.category, c) for c in known)]
    ranked = top_k(similarities(found["street"][keep], found["mango"]), 10)
    fits = np.array(
        [
            [_fits(street[i].category, mango[j]) for j in row]
            for i, row in zip(keep, ranked, strict=True)
        ]
    )
    return [
        _row("street segment → mango category", f"same label, nearest {k}", model,
             fits[:, :k].mean(1), len(mango))
        for k in (1, 10)
    ]  # fmt: skip


def _worn_row(sets: dict[str, ExampleSet], found: dict[str, Vectors], model: str) -> list[Row]:
    """A hit where the very garment's shop photo is among the first k.

    Looked for among the garments that nothing has learned from, which come first, and among all.
    """
    shop = sets["shop"].examples
    items = np.array([e.item for e in shop])
    asked = np.array([e.item for e in sets["worn"].examples])
    scores = similarities(found["worn"], found["shop"])
    out = []
    for count in (sum(e.label != "learned" for e in shop), len(shop)):
        same = items[top_k(scores[:, :count], 10)] == asked[:, None]
        out += [_row(WORN, f"R@{k}", model, same[:, :k].any(1), count) for k in (1, 10)]
    return out


def _pattern_row(examples: Sequence[Example], vectors: Vectors, model: str) -> list[Row]:
    """The nearest other picture has the pattern; every pattern counts the same."""
    known = np.array([example.pattern in PATTERNS for example in examples])
    labels = np.array([example.pattern for example in examples])[known]
    scores = similarities(vectors[known], vectors[known])
    np.fill_diagonal(scores, -2)
    same = labels[scores.argmax(1)] == labels
    return [_macro_row(PATTERN, "same label, nearest 1, mean of 10", model, same, labels)]


def _macro_row(task: str, metric: str, model: str, hits: NDArray[Any], labels: NDArray[Any]) -> Row:
    """The mean over labels of each one's mean, and its interval over draws of queries."""
    rng = np.random.default_rng(0)

    def macro(rows: NDArray[Any]) -> float:
        return float(np.mean([hits[rows][labels[rows] == n].mean() for n in set(labels[rows])]))

    draws = [macro(rng.integers(len(hits), size=len(hits))) for _ in range(1000)]
    low, high = np.quantile(draws, [0.025, 0.975])
    value = macro(np.arange(len(hits)))
    return Row(task, metric, model, value, float(low), float(high), len(hits), len(hits))


def whole_photos(
    sets: dict[str, ExampleSet], shop: Vectors, encoder: Encoder, data: Path, model: str
) -> list[Row]:
    """Street photos, whole and cut to the garment that the finder takes for the main one.

    A hit where the nearest Mango item is of a category that the photo shows; the last row says how
    often an item drawn by chance is.
    """
    mango = [e.category for e in sets["mango"].examples]
    shown: dict[str, set[str]] = {}
    for example in sets["street"].examples:
        if example.category and any(_fits(example.category, m) for m in mango):
            shown.setdefault(example.group.partition("/")[2], set()).add(example.category)
    rows = {row["id"]: row for _, row in read_list(data / "street")[1]}
    photos = [
        decode_image(read_bytes(ImageRef(data / "street" / rows[id]["photo"]))) for id in shown
    ]
    finder = open_finder()
    found = [best(finder.find(photo)) for photo in photos]
    cut = [
        p if g is None else crop(p, with_margin(g.box, MARGIN))
        for p, g in zip(photos, found, strict=True)
    ]
    fits = np.array([[any(_fits(s, m) for s in kinds) for m in mango] for kinds in shown.values()])
    task = "street photo, whole → mango category"
    out = []
    for name, pictures in ((f"{model}, cut by the finder", cut), (f"{model}, as it is", photos)):
        near = similarities(encoder.encode_images(pictures), shop).argmax(1)
        hits = fits[np.arange(len(near)), near]
        out.append(_row(task, "a category of the photo, nearest 1", name, hits, len(mango)))
    chance = fits.mean(1)
    out.append(_row(task, "a category of the photo, nearest 1", "random", chance, len(mango)))
    return out


def _fits(street: str | None, mango: str | None) -> bool:
    if street is None or mango is None:
        return False
    family = {mango, *ancestors(mango, CATEGORIES)}
    return street in family or mango in ancestors(street, CATEGORIES)


def title_row(examples: ExampleSet, vectors: Vectors, encoder: Encoder, dim: int, k: int) -> Row:
    """Each distinct title once; any picture with that very title is a hit."""
    owners: dict[str, set[int]] = {}
    for i, example in enumerate(examples.examples):
        owners.setdefault(example.title, set()).add(i)
    titles = list(owners)
    ranked = top_k(similarities(truncate(encoder.encode_texts(titles), dim), vectors), k)
    hits = np.array(
        [bool(owners[title] & set(row)) for title, row in zip(titles, ranked.tolist(), strict=True)]
    )
    return _row("kaggle title → image", f"R@{k}", f"first {dim}", hits, len(vectors))


def largest_class(sets: dict[str, ExampleSet], name: str) -> Row:
    labels = [e.label for e in sets[name].examples]
    commonest = Counter(labels).most_common(1)[0][0]
    values = np.array([label == commonest for label in labels])
    task = CLOSET if name == "closet" else TYPE
    return _row(task, "same label, nearest 1", f"always {commonest!r}", values, len(labels))


def page(rows: Sequence[Row], encoder: Encoder, split: str) -> str:
    return (
        f"# Numbers of {encoder.name} ({encoder.fingerprint})\n\n"
        f"Written by `python benchmarks/mini.py` on the {split} side of the splits. A query never "
        "meets its own group (sender, garment, street photo); intervals are 95% bootstraps over "
        "queries.\n\n" + markdown(rows) + "\n"
    )


def markdown(rows: Sequence[Row]) -> str:
    lines = [
        "| task | metric | model | value | 95% interval | queries | gallery |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in sorted(rows, key=lambda r: (r.task, r.gallery, r.metric)):
        interval = f"{r.low:.3f}–{r.high:.3f}"
        lines.append(
            f"| {r.task} | {r.metric} | {r.model} | {r.value:.3f} | {interval} "
            f"| {r.queries} | {r.gallery} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
