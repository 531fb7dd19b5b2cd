"""Fashion-MNIST (Xiao et al. 2017): 28×28 pixels, ten kinds; the small classic."""

import gzip
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from coordi.data.benchmarks.gathering import Gathering, as_rows, find, held_out
from coordi.data.collection import Collection, Trial
from coordi.errors import CatalogError
from coordi.types import ImageRef, Photo

PUBLISHED = {"train images": 60_000, "test images": 10_000}
"""Counts that the authors state."""

LABELS = (
    "t-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
"""Names of the labels, from 0."""

_FILES = (("train", "train"), ("test", "t10k"))


def read_fashion_mnist(root: Path) -> Collection:
    """Read Fashion-MNIST from the folder of its four idx-ubyte files, gzipped or not.

    A hit has the query's label (`match` category). Each test image is looked for among the other
    test images; a tenth of the training images does the same as `val`. Pictures stay in memory.
    Raises `NotFoundError` for a missing file, `CatalogError` for one that is not idx-ubyte.
    """
    photos: list[Photo] = []
    rows: dict[str, range] = {}
    for side, prefix in _FILES:
        images = _read(root, f"{prefix}-images-idx3-ubyte", 3)
        labels = _read(root, f"{prefix}-labels-idx1-ubyte", 1)
        if len(images) != len(labels):
            raise CatalogError(f"{root}: {len(images)} {side} images and {len(labels)} labels")
        if labels.size and labels.max() >= len(LABELS):
            raise CatalogError(f"{root}: {side} label {labels.max()}; labels are 0 to 9")
        start = len(photos)
        for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
            id_ = f"{side}/{number:05}"
            photos.append(Photo(id_, ImageRef(data=_png(image)), id_, category=LABELS[label]))
        rows[side] = range(start, len(photos))
    train, val = held_out(photos, as_rows(rows["train"]), lambda photo: photo.id)
    test = as_rows(rows["test"])
    return Gathering(photos).collection(
        "fashion-mnist",
        train,
        Trial(test, test, match="category"),
        Trial(val, val, match="category"),
        {f"{side} images": len(rows[side]) for side in rows},
        PUBLISHED,
    )


def _read(root: Path, name: str, dimensions: int) -> NDArray[np.uint8]:
    """The array of an idx-ubyte file: two zeros, type 8, number of axes, sizes, bytes."""
    path = find(root, f"{name}.gz", name)
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise CatalogError(f"{path} cannot be unpacked: {error}") from error
    header = 4 + 4 * dimensions
    if len(data) < header or data[:4] != bytes((0, 0, 8, dimensions)):
        raise CatalogError(f"{path} is not an idx-ubyte file of {dimensions} axes; fetch it again")
    shape = struct.unpack(f">{dimensions}I", data[4:header])
    if len(data) - header != math.prod(shape):
        raise CatalogError(
            f"{path} holds {len(data) - header:,} bytes where its header announces "
            f"{math.prod(shape):,}; fetch it again"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _png(image: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(image).save(out, "PNG", compress_level=1)
    return out.getvalue()
