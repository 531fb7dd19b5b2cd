"""Vectors of photos: features of the frozen part from the cache, a trained head on top."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from coordi.data.features import Progress, photo_features
from coordi.geometry import unit_rows
from coordi.models.trained import TrainedEncoder
from coordi.types import Encoder, Photo, Problem, Vectors

_ROWS = 8192
"""Features that pass a head at once."""


def photo_vectors(
    photos: Sequence[Photo], encoder: Encoder, cache: Path, progress: Progress | None = None
) -> tuple[Vectors, tuple[Problem, ...]]:
    """Embed photos → (N, encoder.dim) in their order; a row of zeros where one is unreadable.

    Street photos take the street side of an encoder that has two. All heads that were trained on
    one encoder share that encoder's cached features.
    """
    if not isinstance(encoder, TrainedEncoder):
        return photo_features(photos, encoder, cache, on_progress=progress)
    features, problems = photo_features(photos, encoder.base, cache, on_progress=progress)
    readable = features.any(axis=1)
    street = np.array([photo.street for photo in photos], bool) & encoder.two_towers
    out = np.zeros((len(photos), encoder.dim), np.float32)
    for side in (False, True):
        rows = np.flatnonzero(readable & (street == side))
        for start in range(0, len(rows), _ROWS):
            part = rows[start : start + _ROWS]
            out[part] = unit_rows(encoder.head(features[part], side))
    return out, problems
