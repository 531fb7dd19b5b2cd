"""Pictures as cells on disk: each as it is and changed at random, seen once, learned from often."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from coordi.models.encoders.cells import CELL, CHANNELS, Cells
from coordi.training.augment import augment_to
from coordi.training.examples import ExampleSet
from coordi.types import Say

Rendition = NDArray[np.float16]
"""(N, CHANNELS + 1, h, w): cells of N pictures, and last how much of each cell is garment, −1
where nobody says."""

_CHUNK = 64


def render_cells(
    examples: ExampleSet,
    cells: Cells,
    size: tuple[int, int],
    *,
    count: int,
    area: tuple[float, float],
    seed: int,
    cache: Path,
    say: Say,
) -> tuple[Rendition, ...]:
    """`count` renditions of a source's pictures at `size` (height, width); the first is plain.

    Each is a file in `cache`, named by all that it depends on and written whole or not at all, so
    that a killed run loses one rendition at most.
    """
    key = _key(examples, cells, size)
    folder = cache / "cells"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{examples.name}-{key}.npy"]
    changed = xxhash.xxh3_64(f"{area} {seed}".encode()).hexdigest()
    paths += [folder / f"{examples.name}-{key}-{changed}-{n}.npy" for n in range(1, count)]
    for number, path in enumerate(paths):
        if not path.is_file():
            say(f"{examples.name}: cells {number + 1} of {count}")
            _render(examples, cells, size, area if number else None, (seed, number), path)
    return tuple(np.load(path, mmap_mode="r") for path in paths)


def _key(examples: ExampleSet, cells: Cells, size: tuple[int, int]) -> str:
    total = xxhash.xxh3_128(repr(size).encode())
    total.update(np.ascontiguousarray(examples.pictures).data)
    if examples.garments is not None:
        total.update(np.ascontiguousarray(examples.garments).data)
    for value in cells.state_dict().values():
        total.update(np.ascontiguousarray(value).data)
    return total.hexdigest()


def _render(
    examples: ExampleSet,
    cells: Cells,
    size: tuple[int, int],
    area: tuple[float, float] | None,
    seed: tuple[int, int],
    path: Path,
) -> None:
    """One rendition; plain where `area` is None."""
    shape = (len(examples.pictures), CHANNELS + 1, size[0] // CELL, size[1] // CELL)
    draft = path.with_suffix(f".{os.getpid()}.part")
    try:
        out = np.lib.format.open_memmap(draft, "w+", np.float16, shape)
        for start in range(0, len(out), _CHUNK):
            rows = slice(start, start + _CHUNK)
            pictures = _four_channels(examples, rows)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed((seed[0] * 1_009 + seed[1]) * 1_000_003 + start)
                changed = _plain(pictures, size) if area is None else _changed(pictures, size, area)
            out[rows] = _seen(cells, changed)
        out.flush()
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)


def _four_channels(examples: ExampleSet, rows: slice) -> Tensor:
    """Pictures (B, 4, S, S) in [0, 1], the last channel the garment, −1 where nobody says."""
    pictures = torch.from_numpy(examples.pictures[rows]).permute(0, 3, 1, 2).float() / 255
    if examples.garments is None:
        garments = torch.full_like(pictures[:, :1], -1.0)
    else:
        garments = torch.from_numpy(examples.garments[rows])[:, None].float() / 255
    return torch.cat([pictures, garments], 1)


def _plain(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """As the finished encoder will see them: squeezed by Pillow's bicubic filter, nearly."""
    squeezed = functional.interpolate(pictures, size, mode="bicubic", antialias=True)
    return torch.cat([squeezed[:, :3].clamp(0, 1) * 2 - 1, squeezed[:, 3:]], 1)


def _changed(pictures: Tensor, size: tuple[int, int], area: tuple[float, float]) -> Tensor:
    return augment_to(pictures, *size, area=area)


@torch.no_grad()
def _seen(cells: Cells, pictures: Tensor) -> NDArray[np.float16]:
    """In bfloat16, which is thrice as fast and off by less than the light of a photo is."""
    pixels = pictures[:, :3].contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        seen = cells(pixels)
    garment = functional.avg_pool2d(pictures[:, 3:], CELL)
    return np.asarray(torch.cat([seen.float(), garment], 1).half())


def pick(
    renditions: Sequence[Rendition], rows: NDArray[np.intp], which: NDArray[np.intp]
) -> NDArray[np.float16]:
    """Cells (n, CHANNELS + 1, h, w) of some rows, each of the rendition that `which` says."""
    out = np.empty((len(rows), *renditions[0].shape[1:]), np.float16)
    for number, cells in enumerate(renditions):
        places = np.flatnonzero(which == number)
        places = places[np.argsort(rows[places], kind="stable")]  # the disk is read forwards
        out[places] = cells[rows[places]]
    return out
