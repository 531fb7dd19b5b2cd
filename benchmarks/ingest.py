"""Ingest of whole catalogues end to end, against a naive pipeline with the same weights.

    python benchmarks/ingest.py --data ../shared/data

Ours is `coordi ingest` as a process: start-up, reading, decoding, encoding, storing. The naive
pipeline is what a first script does: open one picture after another with Pillow, run the
`transformers` image processor on it, and every 64 of them the eager float32 torch model. It gets
no start-up, no catalogue and no store to pay for, and sees the first --naive pictures of each
catalogue. Both run in turns on the same cores; `--threads` is torch's number for the naive one
(default: torch's own choice). The second ingest is compared with an ingest of a single row,
which is start-up time alone.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from PIL import Image as Pillow
from transformers import AutoImageProcessor

from coordi.data.catalog import open_catalog
from coordi.models.encoders.mini import load_image_tower
from coordi.models.encoders.names import mini_folder
from coordi.types import Item

CATALOGS = {"mango": "mango/products.csv", "kaggle": "kaggle", "closet": "closet"}
COMMAND = [sys.executable, "-c", "from coordi.cli import main; main()", "ingest"]
BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", choices=sorted(CATALOGS), action="append")
    parser.add_argument("--naive", type=int, default=1024, help="pictures for the naive pipeline")
    parser.add_argument("--threads", type=int, help="torch threads of the naive pipeline")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    print("catalogue  images  seconds  images/s  naive/s  ratio  second ingest  start-up")
    ratios = []
    with tempfile.TemporaryDirectory() as scratch:
        startup = single_row(Path(scratch))
        for name in arguments.only or CATALOGS:
            source = arguments.data / CATALOGS[name]
            # Half of the naive pictures before and half after, as a machine's pace may drift.
            half = arguments.naive // 2
            before = naive_seconds(pictures(source, 0, half))
            first = ingest(source, Path(scratch) / name)
            second = ingest(source, Path(scratch) / name)
            after = naive_seconds(pictures(source, half, arguments.naive))
            pace, naive = first["added"] / first["wall"], arguments.naive / (before + after)
            ratios.append(pace / naive)
            print(
                f"{name:<9} {first['added']:>7,} {first['wall']:>8.1f} {pace:>9.0f} {naive:>8.0f} "
                f"{ratios[-1]:>6.2f} {second['wall']:>12.1f} s {startup:>7.1f} s"
            )
    print(f"lowest ratio: {min(ratios):.2f}")


def ingest(source: Path, store: Path) -> dict[str, Any]:
    """Run `coordi ingest` and return its report, with the process's wall seconds as "wall"."""
    started = time.perf_counter()
    command = [*COMMAND, str(source), "--store", str(store), "--json"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"{source}: {done.stdout.decode()}")
    return {**json.loads(done.stdout), "wall": time.perf_counter() - started}


def single_row(scratch: Path) -> float:
    """Seconds of an ingest that has nothing to do but start."""
    (scratch / "one.csv").write_text("id,title\n1,a red dress\n")
    ingest(scratch / "one.csv", scratch / "one")
    return float(ingest(scratch / "one.csv", scratch / "one")["wall"])


def pictures(source: Path, start: int, stop: int) -> Iterable[Item]:
    """Items with a picture number `start` to `stop` of a catalogue."""
    items = (row for row in open_catalog(source).rows() if isinstance(row, Item) and row.image)
    return list(islice(items, start, stop))


def naive_seconds(items: Iterable[Item]) -> float:
    """Seconds of the naive pipeline, its model and processor loaded before."""
    folder = mini_folder()
    tower = load_image_tower(folder).eval()
    processor = AutoImageProcessor.from_pretrained(folder)
    started = time.perf_counter()
    batch: list[torch.Tensor] = []
    with torch.no_grad():
        for item in items:
            picture = Pillow.open(_file(item)).convert("RGB")
            batch.append(processor(images=picture, return_tensors="pt")["pixel_values"])
            if len(batch) == BATCH:
                torch.nn.functional.normalize(tower(torch.cat(batch)), dim=1)
                batch = []
        if batch:
            torch.nn.functional.normalize(tower(torch.cat(batch)), dim=1)
    return time.perf_counter() - started


def _file(item: Item) -> Path | io.BytesIO:
    assert item.image is not None
    return item.image.path or io.BytesIO(item.image.data or b"")


if __name__ == "__main__":
    main()
