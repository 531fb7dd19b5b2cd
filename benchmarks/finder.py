"""How well a garment finder sees: overlap of classes, boxes found, packshots, time.

    python benchmarks/finder.py --data ../shared/data [--finder FOLDER] [--side val|test]

Classes and boxes are those of street photos with masks, on one side of their split, in the masks'
own labels; nothing was learned from that side. A garment of the truth is a connected region (eight
neighbours) of one label, of at least a thousandth of the photo; regions of one label of shoes are
one garment. `--side test` is for reporting only.
"""

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy import ndimage

from coordi.data.catalog import open_catalog
from coordi.data.images import decode_image, read_bytes
from coordi.data.segments import LabelMap, read_list, read_mask
from coordi.data.splits import split_of
from coordi.drawn.street_views.cutout import garment_mask
from coordi.errors import ImageError
from coordi.models.finder.choice import best
from coordi.models.finder.classes import FAMILIES, FAMILY_OF, NUMBER
from coordi.models.finder.opening import Finder, open_finder
from coordi.training.masked import kinds_of
from coordi.types import Box, Garment, Image, ImageRef, Item

RECIPE = Path(__file__).with_name("coordi-finder.yaml")
COMMONEST = 12
SMALLEST = 0.001
GRID = (48, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--finder", type=Path)
    parser.add_argument("--side", choices=["val", "test"], default="val")
    parser.add_argument("--area", type=int, help="Pixels that a photo is brought to.")
    parser.add_argument("--packshots", type=int, default=0, help="Mango packshots to look at.")
    parser.add_argument("--rules", nargs="*", default=[], metavar="NAME=NUMBER")
    asked = parser.parse_args()
    finder = open_finder(asked.finder, threads=1)
    rules = {name: float(value) for name, value in (pair.split("=") for pair in asked.rules)}
    finder = replace(finder, area=asked.area or finder.area, rules=replace(finder.rules, **rules))
    report = {"finder": finder.fingerprint, "side": asked.side, "area": finder.area}
    report |= street(finder, asked.data / "street", asked.side)
    if asked.packshots:
        report["packshots"] = packshots(finder, asked.data, asked.side, asked.packshots)
    print(json.dumps(report, indent=1))


def own_kinds() -> dict[str, str]:
    """Street label → the one kind that it is; labels that can be several are left out."""
    (source,) = [s for s in yaml.safe_load(RECIPE.read_text())["sources"] if s["name"] == "street"]
    return {label: kinds[0] for label, kinds in source["labels"].items() if len(kinds) == 1}


Photo = tuple[Image, LabelMap]


def photos(folder: Path, side: str) -> tuple[list[str], list[Photo]]:
    labels, rows = read_list(folder)
    found = []
    for _, row in rows:
        if row["mask"] and split_of(row["id"]) == side:
            picture = decode_image(read_bytes(ImageRef(folder / row["photo"])))
            mask = read_mask(folder / row["mask"], len(labels))
            found.append((picture, mask))
    return labels, found


def street(finder: Finder, folder: Path, side: str) -> dict[str, Any]:
    labels, seen = photos(folder, side)
    kinds = own_kinds()
    garment_labels = [name for name in labels if kinds.get(name) in FAMILY_OF]
    _, taught = photos(folder, "train")
    common = commonest(labels, garment_labels, [mask for _, mask in taught])
    seconds, answers = [], []
    for picture, _ in seen:
        start = time.process_time()
        answers.append(finder.find(picture))
        seconds.append(time.process_time() - start)
    every = [
        (mask, painted(found, mask.shape), argmax(finder, picture, mask.shape))
        for (picture, mask), found in zip(seen, answers, strict=True)
    ]
    means = mean_masks(labels, garment_labels, [mask for _, mask in taught])
    report: dict[str, Any] = {"photos": len(seen)}
    for way, names in common.items():
        regions = {n: iou([(m == labels.index(n), p == NUMBER[kinds[n]]) for m, p, _ in every])
                   for n in names}  # fmt: skip
        pixels = {n: iou([(m == labels.index(n), p == NUMBER[kinds[n]]) for m, _, p in every])
                  for n in names}  # fmt: skip
        control = {
            name: iou(
                [(m == labels.index(name), stretched(means[name], m.shape)) for m, *_ in every]
            )
            for name in names
        }
        report[f"mean IoU, commonest by {way}"] = {
            "regions": mean(regions.values()),
            "pixels": mean(pixels.values()),
            "control, mean masks": mean(control.values()),
            "of each": {name: round(value, 3) for name, value in regions.items()},
        }
    truths = [truth_boxes(mask, labels, garment_labels) for _, mask in seen]
    given = [[(g.kind, g.box) for g in found] for found in answers]
    always = [[(kinds[n], box_of(means[n])) for n in common["pixels"]]] * len(seen)
    report["boxes"] = boxes(truths, given, kinds) | {
        "control, mean masks": boxes(truths, always, kinds)
    }
    whole = [truth_boxes(mask, labels, garment_labels, whole=True) for _, mask in seen]
    report["boxes, one a label and photo"] = boxes(whole, given, kinds)
    for way, names in common.items():
        asked = [[(name, box) for name, box in truth if name in names] for truth in whole]
        report[f"boxes, commonest by {way}"] = boxes(asked, given, kinds)
    report["milliseconds of one core, median"] = round(1000 * statistics.median(seconds), 1)
    return report


def commonest(
    labels: Sequence[str], wanted: Sequence[str], masks: Iterable[LabelMap]
) -> dict[str, list[str]]:
    pixels: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for mask in masks:
        for value, count in zip(*np.unique(mask, return_counts=True), strict=True):
            pixels[labels[value]] += int(count)
            times[labels[value]] += 1
    return {
        way: [name for name, _ in counts.most_common() if name in wanted][:COMMONEST]
        for way, counts in (("pixels", pixels), ("photos", times))
    }


def painted(garments: Sequence[Garment], shape: tuple[int, int]) -> NDArray[np.int64]:
    """The class of every pixel as the garments say."""
    classes = np.zeros(shape, np.int64)
    for garment in garments:
        classes[stretched(garment.mask, shape)] = NUMBER[garment.kind]
    return classes


def argmax(finder: Finder, picture: Image, shape: tuple[int, int]) -> NDArray[np.int64]:
    """The likeliest class of every pixel."""
    classes = finder.shares(picture).argmax(0)
    return np.asarray(classes)[_places(classes.shape, shape)]


def stretched(mask: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    return np.asarray(mask[_places(mask.shape, shape)])


def _places(have: Sequence[int], want: Sequence[int]) -> Any:
    """The nearest pixels of one size for those of another, to index with."""
    rows = (((np.arange(w) + 0.5) * h / w).astype(int) for h, w in zip(have, want, strict=True))
    return np.ix_(*rows)


def iou(pairs: Iterable[tuple[NDArray[np.bool_], NDArray[np.bool_]]]) -> float:
    """Intersection over union, of all photos' pixels together."""
    both = either = 0
    for truth, seen in pairs:
        both += int((truth & seen).sum())
        either += int((truth | seen).sum())
    return both / max(1, either)


def mean(values: Iterable[float]) -> float:
    return round(statistics.mean(values), 4)


def mean_masks(
    labels: Sequence[str], wanted: Sequence[str], masks: Sequence[LabelMap]
) -> dict[str, NDArray[np.bool_]]:
    """Where a label usually is: half as often as where it is most often, or more often."""
    small = [mask[_places(mask.shape, GRID)] for mask in masks]
    usual = {name: np.mean([mask == labels.index(name) for mask in small], 0) for name in wanted}
    return {name: share >= max(1e-9, share.max() / 2) for name, share in usual.items()}


def box_of(mask: NDArray[np.bool_]) -> Box:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0.0, 0.0, 0.0, 0.0
    height, width = mask.shape
    return columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height


Truth = list[tuple[str, Box]]


def truth_boxes(
    mask: LabelMap, labels: Sequence[str], wanted: Sequence[str], *, whole: bool = False
) -> Truth:
    """Label and box of each garment."""
    kinds, found = own_kinds(), []
    for name in wanted:
        inside = mask == labels.index(name)
        joined = whole or kinds[name] in FAMILIES["shoes"]
        parts, count = (inside.astype(int), 1) if joined else ndimage.label(inside, np.ones((3, 3)))
        for part in range(1, count + 1):
            region = parts == part
            if region.sum() >= SMALLEST * mask.size:
                found.append((name, box_of(region)))
    return found


def boxes(truths: Sequence[Truth], given: Sequence[Truth], kinds: dict[str, str]) -> dict[str, Any]:
    """Share of true garments that a box of IoU .5 or more was found for, each box once."""
    total = sum(map(len, truths))
    offered = sum(map(len, given))
    report: dict[str, Any] = {"garments": total, "boxes given": offered}
    for way in ("any class", "same family", "same kind"):
        hits = 0
        for truth, found in zip(truths, given, strict=True):
            hits += matched(truth, found, kinds, way)
        report[way] = round(hits / max(1, total), 4)
        if way == "any class":
            report["precision, any class"] = round(hits / max(1, offered), 4)
    return report


def matched(truth: Truth, found: Truth, kinds: dict[str, str], way: str) -> int:
    """Pairs of a true and a given box, the best overlaps first."""
    pairs = sorted(
        (
            (-overlap(a, b), i, j)
            for i, (label, a) in enumerate(truth)
            for j, (kind, b) in enumerate(found)
            if agree(kinds[label], kind, way)
        )
    )
    done: tuple[set[int], set[int]] = set(), set()
    for share, i, j in pairs:
        if -share >= 0.5 and i not in done[0] and j not in done[1]:
            done[0].add(i)
            done[1].add(j)
    return len(done[0])


def agree(truth: str, kind: str, way: str) -> bool:
    if way == "any class":
        return True
    return truth == kind if way == "same kind" else FAMILY_OF[truth] == FAMILY_OF[kind]


def overlap(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return both / (areas - both) if areas > both else 0.0


def packshots(finder: Finder, data: Path, side: str, most: int) -> dict[str, Any]:
    """Is the one thing of a packshot found, and named? Truth: what stands out from its ground."""
    (source,) = [s for s in yaml.safe_load(RECIPE.read_text())["sources"] if s["name"] == "mango"]
    catalog = open_catalog(data / source["path"], mapping=source["map"])
    overlaps, whole, right, guesses, truths = [], [], [], Counter[str](), []
    for item in catalog.rows():
        if not isinstance(item, Item) or item.image is None:
            continue
        if split_of(str(item.fields["model"])) != side or len(overlaps) == most:
            continue
        label = str(item.fields.get("category") or "")
        allowed = source["labels"].get(label) or kinds_of(label)
        try:
            picture = decode_image(read_bytes(item.image))
            truth = box_of(garment_mask(picture))
        except ImageError:
            continue
        if not allowed:
            continue
        chosen = best(finder.find(picture))
        overlaps.append(0.0 if chosen is None else overlap(chosen.box, truth))
        whole.append(overlap((0.0, 0.0, 1.0, 1.0), truth))
        right.append(chosen is not None and chosen.kind in allowed)
        truths.append(frozenset(allowed))
        guesses.update(allowed)
    usual = guesses.most_common(1)[0][0]
    return {
        "packshots": len(overlaps),
        "box IoU >= .8": mean(float(value >= 0.8) for value in overlaps),
        "control, whole picture": mean(float(value >= 0.8) for value in whole),
        "kind right": mean(map(float, right)),
        "control, always " + usual: mean(float(usual in allowed) for allowed in truths),
    }


if __name__ == "__main__":
    main()
