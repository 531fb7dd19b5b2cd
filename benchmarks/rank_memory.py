"""Peak memory and time of ranking a gallery of a million vectors that lies in a file.

python benchmarks/rank_memory.py --gallery 1000000 --queries 512
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from coordi.data.collection import Collection, Trial
from coordi.evaluation.measure import measure
from coordi.evaluation.protocols import Protocol
from coordi.ranking.rankings import rank_chunks
from coordi.ranking.truth import truth_of
from coordi.types import ImageRef, Photo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gallery", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=512)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--copies", type=int, default=4, help="photos of one garment")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gallery.npy"
        queries = write_gallery(path, arguments)
        collection = make_collection(arguments)
        before = peak()
        start = time.perf_counter()
        gallery = np.load(path, mmap_mode="r")
        chunks = rank_chunks(truth_of(collection, collection.test), queries, gallery)
        columns = measure(chunks, Protocol()).columns
        print(
            f"{arguments.queries} queries, gallery {arguments.gallery} x {arguments.dim}: "
            f"{time.perf_counter() - start:.1f} s, peak {peak():.2f} GiB (before {before:.2f}), "
            f"R@1 {columns['R@1'].mean():.3f}, mAP@R {columns['mAP@R'].mean():.3f}"
        )


def write_gallery(path: Path, arguments: argparse.Namespace) -> np.ndarray:
    """Random unit rows into a file, a block at a time; queries are noisy copies of the first."""
    rng = np.random.default_rng(0)
    shape = (arguments.gallery, arguments.dim)
    out = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    for start in range(0, arguments.gallery, 1 << 16):
        block = rng.standard_normal(out[start : start + (1 << 16)].shape, np.float32)
        out[start : start + len(block)] = block / np.linalg.norm(block, axis=1, keepdims=True)
    queries = out[: arguments.queries] + rng.standard_normal(
        (arguments.queries, arguments.dim), np.float32
    ) * np.float32(0.1)
    out.flush()
    return np.asarray(queries / np.linalg.norm(queries, axis=1, keepdims=True), np.float32)


def make_collection(arguments: argparse.Namespace) -> Collection:
    """As many photos as vectors; every garment has `copies` photos in the gallery."""
    nowhere = ImageRef(data=b"")
    garments = max(1, arguments.gallery // arguments.copies)
    photos = [Photo(f"q{n}", nowhere, str(n % garments)) for n in range(arguments.queries)]
    photos += [Photo(f"g{n}", nowhere, str(n % garments)) for n in range(arguments.gallery)]
    rows = np.arange(len(photos))
    trial = Trial(rows[: arguments.queries], rows[arguments.queries :])
    return Collection("synthetic", tuple(photos), rows[:0], trial)


def peak() -> float:
    """Largest resident memory of this process so far, in GiB, pages of the file included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


if __name__ == "__main__":
    main()
