"""Bend a cut-out as a body bends cloth: turn, tilt and smooth random displacement in one mesh."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from coordi.drawn.street_views.cutout import Cutout

_CELLS = 8
_MARGIN = 0.12  # room around the garment for what bends outwards, as a share of its size
_TURN, _TILT, _BEND = 14.0, 0.16, 0.045  # degrees; shares of the garment's size


def place(
    cutout: Cutout,
    canvas: tuple[int, int],
    center: tuple[float, float],
    target: tuple[float, float],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Put a cut-out on an empty canvas (width, height), bent → (height, width, 4) in 0 to 255.

    `center` and `target` (width, height) say where it lies and how large, in pixels.
    """
    left, top = (
        int(np.floor(c - t * (0.5 + _MARGIN))) for c, t in zip(center, target, strict=True)
    )
    wide, high = (int(np.ceil(t * (1 + 2 * _MARGIN))) for t in target)
    sheet = _sized(cutout, target)
    grid = _source_grid((wide, high), sheet.size, rng)
    bent = sheet.transform(
        (wide, high), Pillow.Transform.MESH, _mesh(grid, (wide, high)), Pillow.Resampling.BILINEAR
    )
    if rng.random() < 0.5:
        bent = bent.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT)
    out = Pillow.new("RGBA", canvas)
    out.paste(bent, (left, top))
    return np.asarray(out, np.float32)


def _sized(cutout: Cutout, target: tuple[float, float]) -> Pillow.Image:
    """The cut-out at its final size, so that the mesh samples about one pixel per pixel."""
    width, height = (max(2, round(side)) for side in target)
    return Pillow.fromarray(cutout).resize(
        (width, height), Pillow.Resampling.BICUBIC, reducing_gap=2.0
    )


def _source_grid(
    target: tuple[int, int], source: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Where each corner of the target's mesh comes from: (cells+1, cells+1, 2) as x, y."""
    y, x = np.mgrid[-1 : 1 : (_CELLS + 1) * 1j, -1 : 1 : (_CELLS + 1) * 1j]
    points = np.stack([x * target[0] / 2, y * target[1] / 2], axis=-1)
    angle = np.deg2rad(rng.normal(0, _TURN / 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = rng.uniform(0.9, 1.1, 2)
    points = (points @ turn) * stretch
    half = np.array(source) / 2
    tilt = rng.uniform(-_TILT, _TILT, 2)
    depth = 1 + (points / half) @ tilt
    points = points / depth[..., None]
    points += _smooth((_CELLS + 1, _CELLS + 1, 2), rng) * _BEND * np.array(source)
    return np.asarray(points + half)


def _smooth(shape: tuple[int, int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """A random field of a few long waves, about one in height."""
    y, x = np.mgrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
    field = np.zeros(shape)
    for channel in range(shape[2]):
        for _ in range(3):
            fx, fy = rng.uniform(-1.4, 1.4, 2)
            wave = np.sin(2 * np.pi * (fx * x + fy * y + rng.random()))
            field[..., channel] += rng.normal(0, 0.6) * wave
    return field


def _mesh(
    grid: NDArray[np.float64], size: tuple[int, int]
) -> list[tuple[tuple[int, int, int, int], tuple[float, ...]]]:
    """Pillow's mesh: target rectangle, and the source's corners NW, SW, SE, NE."""
    xs = np.linspace(0, size[0], _CELLS + 1).round().astype(int)
    ys = np.linspace(0, size[1], _CELLS + 1).round().astype(int)
    return [
        (
            (int(xs[i]), int(ys[j]), int(xs[i + 1]), int(ys[j + 1])),
            tuple(
                float(v)
                for point in (grid[j, i], grid[j + 1, i], grid[j + 1, i + 1], grid[j, i + 1])
                for v in point
            ),
        )
        for j in range(_CELLS)
        for i in range(_CELLS)
        if xs[i] < xs[i + 1] and ys[j] < ys[j + 1]
    ]
