"""Tags of garments: fit a tagger to an encoder, and measure it on labels that nobody tuned to.

    python benchmarks/tags.py --data ../shared/data --page docs/tags.md
    python benchmarks/tags.py --data ../shared/data --fit src/coordi/weights/coordi-mini/tagger.npz

Each attribute's probe is fitted on the train side of the sources' splits (`taglabels.py`), and all
that is chosen (what it reads, penalty, prior, temperature, confidence) is chosen on val: that
which writes the most tags at a precision of .9, of equals the one of better macro accuracy. Test is
looked at once, at the end. Controls are the commonest class, and the label of the nearest colour
histogram (1-NN); the encoder's own 1-NN stands beside them.
"""

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from coordi.data.colors import COLOR_DIM, SIDE, color_features, color_shares, garment_pixels
from coordi.data.features import photo_features
from coordi.data.loading import decoded
from coordi.models.opening import open_encoder
from coordi.models.tagger.probe import PRECISION, Probe, Quality, class_means, fit
from coordi.models.tagger.tagger import Seen, Tagger, features_of
from coordi.types import Encoder, Photo
from taglabels import Labelled, gather

ATTRIBUTES = {
    "category": ("vector",), "color": ("vector", "color", "both"),
    "pattern": ("vector", "both"), "sleeve": ("vector",), "neckline": ("vector",),
    "length": ("vector",), "gender": ("vector",),
}  # fmt: skip
"""Attribute → what its probe may read."""

PENALTIES = (3e-6, 3e-5, 3e-4)
LEFT_OUT = ("gender",)
"""Attributes that are measured and not written: what tells men's from women's in one shop does not
in another. A shop can teach its own (`coordi tag --learn gender`)."""
FLAT = ("pattern",)
"""Attributes whose tags are classes alone: that a pattern is a print says little."""
PRIORS = (0.0, 0.5, 1.0)
"""How much of the classes' own frequency is given back to a probe that was fitted to at most `MOST`
pictures of each (King and Zeng 2001, Logistic Regression in Rare Events Data, section 4.1)."""

MOST = 800
FEWEST, FEW_LABELS = 20, 8
"""Train pictures that make a class; and of an attribute with fewer than `SCARCE` of them."""
SCARCE = 2500
PARTIAL = ("sleeve", "neckline", "length", "pattern")
"""Attributes that not every kind of garment has."""
KINDS = {
    "sleeve": ("top", "knitwear", "outerwear", "dress", "jumpsuit", "nightwear", "kurta"),
    "neckline": ("top", "knitwear", "dress", "jumpsuit", "kurta", "nightwear"),
    "length": ("dress", "skirt"),
    "pattern": ("top", "knitwear", "outerwear", "dress", "jumpsuit", "skirt", "trousers",
                "shorts", "kurta", "saree", "scarf", "tie", "nightwear", "waistcoat"),
}  # fmt: skip
"""Kinds of garments that an attribute is asked of; what is a kind of these is meant as well."""


@dataclass(frozen=True, slots=True)
class Rows:
    """All labelled pictures with what probes read of them."""

    labelled: Sequence[Labelled]
    seen: Seen
    shares: Sequence[str]
    """The colour word that most of each garment's pixels are nearest to."""

    def at(self, attribute: str, side: str) -> NDArray[np.int64]:
        """Rows of one side that have a label."""
        return np.array(
            [n for n, o in enumerate(self.labelled) if o.side == side and attribute in o.labels],
            np.int64,
        )

    def labels(self, attribute: str, rows: NDArray[np.int64]) -> list[str]:
        return [self.labelled[row].labels[attribute] for row in rows]

    def features(self, reads: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        colors = None if self.seen.colors is None else self.seen.colors[rows].astype(np.float32)
        found = features_of(reads, Seen(self.seen.vectors[rows], colors, ()))
        assert found is not None
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--encoder", default="coordi-mini")
    parser.add_argument("--work", type=Path, default=Path("build/tags"), help="where features stay")
    parser.add_argument("--fit", type=Path, help="tagger to write")
    parser.add_argument("--colors", type=Path, help="tagger of colours by pixels alone to write")
    parser.add_argument("--page", type=Path, help="markdown page to write; without it no test")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    encoder = open_encoder(arguments.encoder)
    rows = read(arguments.data, encoder, arguments.work)
    chosen, tried, ways = {}, {}, {}
    for attribute in ATTRIBUTES:
        started = time.monotonic()
        ways[attribute], tried[attribute] = choose(rows, attribute)
        chosen[attribute] = max(ways[attribute].values(), key=lambda way: way[0])[1]
        print(
            f"{attribute}: {time.monotonic() - started:.0f} s",
            *tried[attribute],
            sep="\n  ",
            flush=True,
        )
    if arguments.fit:
        kept = tuple(
            probe
            for name, probe in chosen.items()
            if probe.confidence is not None and name not in LEFT_OUT
        )
        Tagger(encoder.fingerprint, kept, "packaged").save(arguments.fit)
        print(f"{arguments.fit}: {arguments.fit.stat().st_size:,} bytes")
    if arguments.colors:
        pixels = ways["color"]["color"][1]
        Tagger("", (pixels,), "colours").save(arguments.colors)
        print(f"{arguments.colors}: {arguments.colors.stat().st_size:,} bytes")
    if arguments.page or arguments.out:
        colors = {reads: way[1] for reads, way in ways["color"].items()}
        report = measured(rows, chosen, colors, encoder)
        report["tried"] = tried
        print(page(report))
        if arguments.page:
            before = arguments.page.read_text("utf-8") if arguments.page.exists() else ""
            arguments.page.write_text(before.partition(MARKER)[0] + page(report), "utf-8")
        if arguments.out:
            arguments.out.write_text(json.dumps(report, indent=1), "utf-8")


# Features


def read(data: Path, encoder: Encoder, work: Path) -> Rows:
    """Labelled pictures, their vectors and their colours, kept in `work`."""
    labelled = gather(data)
    key = xxhash.xxh3_64_hexdigest("\n".join(f"{o.source}/{o.id}" for o in labelled).encode())
    work.mkdir(parents=True, exist_ok=True)
    vectors = _vectors(labelled, encoder, work, key)
    colors, words = _colors(labelled, work / f"colors-{key}.npz")
    return Rows(labelled, Seen(vectors, colors, ()), words)


def _vectors(
    labelled: Sequence[Labelled], encoder: Encoder, work: Path, key: str
) -> NDArray[np.float32]:
    path = work / f"vectors-{encoder.fingerprint}-{key}.npy"
    if not path.exists():
        photos = [Photo(f"{o.source}/{o.id}", o.image, o.id) for o in labelled]
        vectors, problems = photo_features(photos, encoder, work)
        if problems:
            raise SystemExit(f"{len(problems)} pictures cannot be read: {problems[0].reason}")
        np.save(path, vectors)
    return np.load(path)


def _colors(labelled: Sequence[Labelled], path: Path) -> tuple[NDArray[np.float16], list[str]]:
    if not path.exists():
        features = np.zeros((len(labelled), COLOR_DIM), np.float16)
        words = [""] * len(labelled)
        sources = ((row, one.image) for row, one in enumerate(labelled))
        for row, pixels, _ in decoded(sources, garment_pixels, target=SIDE, workers=1):
            features[row] = color_features(pixels)
            words[row] = color_shares(pixels)[0][0]
        np.savez_compressed(path, features=features, words=np.array(words))
    with np.load(path) as kept:
        return kept["features"], [str(word) for word in kept["words"]]


# Choosing, on val


Rank = tuple[float, float]
"""Coverage at the wanted precision and macro accuracy, on val."""


def choose(rows: Rows, attribute: str) -> tuple[dict[str, tuple[Rank, Probe]], list[str]]:
    """For each thing that a probe may read the one that writes the most tags on val at the wanted
    precision; and what was tried.
    """
    train, val = rows.at(attribute, "train"), rows.at(attribute, "val")
    labels = rows.labels(attribute, train)
    fewest = FEWEST if len(labels) >= SCARCE else FEW_LABELS
    often = {name for name, count in Counter(labels).items() if count >= fewest}
    keep = np.array([label in often for label in labels])
    train, labels = train[keep], [label for label in labels if label in often]
    best: dict[str, tuple[Rank, Probe]] = {}
    tried = []
    for reads, how, probe in _candidates(rows, attribute, train, labels):
        features, known = rows.features(reads, val), rows.labels(attribute, val)
        probe = probe.calibrated(features, numbered(probe, known))
        right, macro = accuracy(probe, features, known)
        rank = round(probe.held_out.coverage, 3), macro
        tried.append(
            f"{reads}, {how}: accuracy {right:.3f}, macro {macro:.3f}, coverage "
            f"{probe.held_out.coverage:.3f} at precision {probe.held_out.precision:.3f}"
        )
        if reads not in best or rank > best[reads][0]:
            best[reads] = rank, probe
    return best, tried


def _candidates(
    rows: Rows, attribute: str, train: NDArray[np.int64], labels: list[str]
) -> Iterator[tuple[str, str, Probe]]:
    kinds, counts = KINDS.get(attribute, ()), Counter(labels)
    some = _capped(labels)
    few = [labels[at] for at in some]
    taken = Counter(few)
    for reads in ATTRIBUTES[attribute]:
        features = rows.features(reads, train[some])
        yield (
            reads,
            "class means",
            replace(
                class_means(attribute, features, few),
                reads=reads,
                kinds=kinds,
                flat=attribute in FLAT,
            ),
        )
        for penalty in PENALTIES:
            probe = fit(attribute, features, few, reads=reads, penalty=penalty, balance=0.0,
                        kinds=kinds, flat=attribute in FLAT)  # fmt: skip
            more = np.log([counts[name] / taken[name] for name in probe.classes])
            for prior in PRIORS if more.any() else (0.0,):
                bias = (probe.bias + prior * more).astype(np.float32)
                yield reads, f"penalty {penalty:g}, prior {prior:g}", replace(probe, bias=bias)


def _capped(labels: Sequence[str]) -> list[int]:
    """Rows of at most `MOST` pictures a label, drawn with a fixed seed, in their order."""
    order = np.random.default_rng(0).permutation(len(labels))
    seen: Counter[str] = Counter()
    kept = []
    for at in order:
        seen[labels[at]] += 1
        if seen[labels[at]] <= MOST:
            kept.append(int(at))
    return sorted(kept)


def numbered(probe: Probe, labels: Sequence[str]) -> NDArray[np.int64]:
    """Labels as numbers of a probe's classes, -1 for those that it does not have."""
    number = {name: at for at, name in enumerate(probe.classes)}
    return np.array([number.get(label, -1) for label in labels], np.int64)


def accuracy(
    probe: Probe, features: NDArray[np.float32], labels: Sequence[str]
) -> tuple[float, float]:
    """Share of rows whose likeliest class is their label, over rows and over labels."""
    answers = [probe.classes[at] for at in probe.probabilities(features).argmax(1)]
    return _accuracy(answers, labels)


def _accuracy(answers: Sequence[str], labels: Sequence[str]) -> tuple[float, float]:
    right = np.array([a == b for a, b in zip(answers, labels, strict=True)])
    of = np.array(labels)
    return float(right.mean()), float(np.mean([right[of == name].mean() for name in set(labels)]))


# Measuring, on test


def measured(
    rows: Rows, chosen: Mapping[str, Probe], colors: Mapping[str, Probe], encoder: Encoder
) -> dict[str, Any]:
    """Everything that the page says, on the test side."""
    report: dict[str, Any] = {"encoder": encoder.name, "fingerprint": encoder.fingerprint}
    report["attributes"] = {name: _row(rows, probe) for name, probe in chosen.items()}
    report["sources"] = {name: _by_source(rows, probe) for name, probe in chosen.items()}
    report["colors"] = _color_ways(rows, colors)
    report["words"] = _by_words(rows, encoder)
    report["elsewhere"] = _elsewhere(rows, chosen)
    return report


def _row(rows: Rows, probe: Probe) -> dict[str, Any]:
    train, test = rows.at(probe.attribute, "train"), rows.at(probe.attribute, "test")
    labels = rows.labels(probe.attribute, test)
    known = rows.labels(probe.attribute, train)
    features = rows.features(probe.reads, test)
    right, macro = accuracy(probe, features, labels)
    common = Counter(known).most_common(1)[0][0]
    quality = probe.quality(features, numbered(probe, labels))
    return {
        "queries": len(labels), "classes": len(probe.classes), "reads": probe.reads,
        "train": len(known), "val": probe.held_out.labels,
        "accuracy": right, "macro": macro, "confidence": probe.confidence,
        "coverage": quality.coverage, "precision": quality.precision, "written": quality.written,
        "exact": _exact(probe, features),
        "common": float(np.mean([label == common for label in labels])),
        "histogram": _nearest(rows, "color", train, test, known, labels),
        "encoder": _nearest(rows, "vector", train, test, known, labels),
    }  # fmt: skip


def _exact(probe: Probe, features: NDArray[np.float32]) -> float:
    """Share of the tags that are the likeliest class itself, not what that is a kind of."""
    likely = probe.probabilities(features).argmax(1)
    pairs = zip(probe.tags(features), likely, strict=True)
    told = [tag.value == probe.classes[at] for tag, at in pairs if tag is not None]
    return float(np.mean(told)) if told else 0.0


def _nearest(
    rows: Rows, reads: str, train: NDArray[np.int64], test: NDArray[np.int64],
    known: Sequence[str], labels: Sequence[str],
) -> float:  # fmt: skip
    """Accuracy of the label of the nearest train picture."""
    of, asked = rows.features(reads, train), rows.features(reads, test)
    near = np.concatenate([(part @ of.T).argmax(1) for part in np.array_split(asked, 32)])
    return _accuracy([known[at] for at in near], labels)[0]


def _by_source(rows: Rows, probe: Probe) -> dict[str, Quality]:
    found = {}
    test = rows.at(probe.attribute, "test")
    for source in dict.fromkeys(rows.labelled[row].source for row in test):
        some = test[[rows.labelled[row].source == source for row in test]]
        numbers = numbered(probe, rows.labels(probe.attribute, some))
        found[source] = probe.quality(rows.features(probe.reads, some), numbers)
    return found


def _color_ways(rows: Rows, probes: Mapping[str, Probe]) -> dict[str, dict[str, float]]:
    """Accuracy on test of ways to name a colour, by source: the word nearest to most pixels, and
    the probes that are best on val by what they read.
    """
    test = rows.at("color", "test")
    found: dict[str, dict[str, float]] = {}
    for source in ("kaggle", "mango"):
        some = test[[rows.labelled[row].source == source for row in test]]
        labels = rows.labels("color", some)
        words = [rows.shares[row] for row in some]
        found.setdefault("nearest word of most pixels", {})[source] = _accuracy(words, labels)[0]
        for reads, probe in probes.items():
            right, _ = accuracy(probe, rows.features(reads, some), labels)
            found.setdefault(f"probe on {READ_AS[reads]}", {})[source] = right
    return found


READ_AS = {"vector": "the encoder's vector", "color": "pixels", "both": "vector and pixels"}


def _by_words(rows: Rows, encoder: Encoder) -> dict[str, dict[str, Any]]:
    """Tags by the encoder's words alone: no label is used."""
    from coordi.models.tagger.zeroshot import by_words

    found = {}
    for probe in by_words(encoder, rows.seen.vectors):
        for side in ("val", "test"):
            some = rows.at(probe.attribute, side)
            labels = rows.labels(probe.attribute, some)
            features = rows.features("vector", some)
            quality = probe.quality(features, numbered(probe, labels))
            right, macro = accuracy(probe, features, labels)
            found[f"{probe.attribute}, {side}"] = {
                "queries": len(labels), "accuracy": right, "macro": macro,
                "coverage": quality.coverage, "precision": quality.precision,
            }  # fmt: skip
            if side == "val":
                best = probe.calibrated(features, numbered(probe, labels))
                found[f"{probe.attribute}, {side}"] |= {
                    "temperature": best.temperature, "confidence": best.confidence,
                    "possible": best.held_out.coverage,
                }  # fmt: skip
    return found


def _elsewhere(rows: Rows, chosen: Mapping[str, Probe]) -> dict[str, Any]:
    """Tags that kinds of garment get which cannot have them, by the category that was seen."""
    test = rows.at("category", "test")
    kinds = [None] * len(test)
    colors = rows.seen.colors[test].astype(np.float32) if rows.seen.colors is not None else None
    tagger = Tagger("", tuple(chosen.values()), "")
    tags = tagger.tags(Seen(rows.seen.vectors[test], colors, kinds))
    bare = {"bag", "handbag", "watch", "shoes", "trainers", "heels", "wallet", "sunglasses",
            "belt", "backpack", "earrings", "sandals", "flip flops", "formal shoes"}  # fmt: skip
    at = [n for n, row in enumerate(test) if rows.labelled[row].labels["category"] in bare]
    written = {name: sum(name in tags[n] for n in at) for name in ("sleeve", "neckline", "length")}
    return {"pictures": len(at), **written}


# The page

MARKER = "<!-- what follows is written by benchmarks/tags.py -->"
"""What stands before it in the page is kept."""


def page(report: Mapping[str, Any]) -> str:
    """The measured part of docs/tags.md."""
    lines = [
        MARKER, "", "## Measured", "",
        f"Encoder: {report['encoder']} ({report['fingerprint']}). Test side of the splits, looked "
        f"at once; confidence chosen on val for a precision of {_share(PRECISION)}. Not in the "
        f"tagger that ships, whatever it measures: {', '.join(LEFT_OUT)}.", "",
        "| attribute | test (train, val) | classes | accuracy | macro | coverage | precision | "
        "exact | commonest | histogram 1-NN | encoder 1-NN |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, row in report["attributes"].items():
        cells = [_share(row[key]) for key in ("accuracy", "macro")]
        if row["confidence"] is None:
            cells += ["–", "–", "–"]
        else:
            cells += [_share(row["coverage"]), f"{_share(row['precision'])} of {row['written']:,}"]
            cells += [_share(row["exact"])]
        cells += [_share(row[key]) for key in ("common", "histogram", "encoder")]
        counts = f"{row['queries']:,} ({row['train']:,}, {row['val']:,})"
        lines.append(f"| {name} | {counts} | {row['classes']} | {' | '.join(cells)} |")
    lines += ["", "Coverage is the share of pictures with a label that get a tag; a tag is right "
              "where the label is that, or a kind of it; exact are those that name the likeliest "
              "class itself. \"–\": no confidence was found from which "
              "on enough are right, so that nothing is written.", "",
              "| attribute | source: coverage, precision (labels) |", "|---|---|"]  # fmt: skip
    for name, sources in report["sources"].items():
        told = "; ".join(f"{source}: {_share(q.coverage)}, {_share(q.precision)} ({q.labels:,})"
                         for source, q in sources.items())  # fmt: skip
        lines.append(f"| {name} | {told} |")
    lines += ["", "Ways to name a colour (accuracy on test):", "",
              "| way | kaggle baseColour | mango color_es |", "|---|---|---|"]  # fmt: skip
    lines += [f"| {way} | {_share(found['kaggle'])} | {_share(found['mango'])} |"
              for way, found in report["colors"].items()]  # fmt: skip
    lines += ["", "By the encoder's words alone, without any label:", "",
              "| attribute, side | pictures | accuracy | macro | coverage | precision |",
              "|---|---|---|---|---|---|"]  # fmt: skip
    lines += [f"| {name} | {row['queries']:,} | " + " | ".join(_share(row[key]) for key in (
        "accuracy", "macro", "coverage", "precision")) + " |"
        for name, row in report["words"].items()]  # fmt: skip
    else_ = report["elsewhere"]
    lines += ["", f"Of {else_['pictures']:,} test pictures of bags, shoes, watches and the like, "
              f"{else_['sleeve']} got a sleeve, {else_['neckline']} a neckline and "
              f"{else_['length']} a length.", ""]  # fmt: skip
    return "\n".join(lines)


def _share(value: float) -> str:
    return f"{value:.3f}".lstrip("0") if value < 1 else "1"


if __name__ == "__main__":
    main()
