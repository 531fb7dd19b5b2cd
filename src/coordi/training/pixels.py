"""Photos as pixels in memory: decoded once, cut to their box, squeezed to one size."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Resampling
from torch import Tensor

from coordi.data.collection import PhotoRows
from coordi.data.images import image_hash
from coordi.data.masks import decode_photo, read_photo
from coordi.errors import ImageError
from coordi.models.encoders.preprocessing import Preprocessing
from coordi.training.augment import augment
from coordi.types import Origin, Photo, Problem


@dataclass(frozen=True, slots=True)
class Pixels:
    """Some photos of a collection of N, ready to be batched."""

    pictures: NDArray[np.uint8]  # (M, 3, S, S)
    place: NDArray[np.int64]  # (N,): row of `pictures`; others share an empty one, the last
    readable: NDArray[np.bool_]  # (N,)
    augment: bool
    seed: int

    def __call__(self, rows: PhotoRows, number: int) -> Tensor:
        """The inputs of batch `number`: pixels (B, 3, S, S) in [−1, 1], changed at random."""
        if not self.augment:
            return self.plain(rows)
        pictures = torch.from_numpy(self.pictures[self.place[rows]]).float() / 255
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed * 1_000_003 + number)
            return augment(pictures, None, None, self.pictures.shape[-1])

    def plain(self, rows: PhotoRows) -> Tensor:
        """Pixels (B, 3, S, S) in [−1, 1] as the finished encoder will see them."""
        return torch.from_numpy(self.pictures[self.place[rows]]).float() / 127.5 - 1


def load_pixels(
    photos: Sequence[Photo],
    rows: PhotoRows,
    size: int,
    *,
    augment: bool,
    seed: int,
    hashes: dict[str, str],
) -> tuple[Pixels, tuple[Problem, ...]]:
    """Decode the photos of `rows`, `size` pixels a side; those that cannot be read are problems.

    `hashes` is given each photo's id → `image_hash` of its file.
    """
    preprocessing = Preprocessing((size, size), None, Resampling.BICUBIC)
    pictures = np.zeros((len(rows) + 1, 3, size, size), np.uint8)
    place = np.full(len(photos), len(rows), np.int64)

    def read(at: int) -> Problem | None:
        photo = photos[rows[at]]
        try:
            data, mask = read_photo(photo)
            hashes[photo.id] = image_hash(data + mask)
            pictures[at] = preprocessing.prepare(decode_photo(photo, data, mask, size))
        except ImageError as error:
            return Problem(Origin(photo.id), str(error), photo.id, "image")
        place[rows[at]] = at
        return None

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        problems = [problem for problem in threads.map(read, range(len(rows))) if problem]
    return Pixels(pictures, place, place < len(rows), augment, seed), tuple(problems)
