"""When to say "nothing like this here": the score that the best hit has at least where there is.

Cosines lie where an encoder and a catalogue put them, so both floors are quantiles of what this
encoder says within this catalogue; docs/search.md has how the two quantiles were chosen, and how
often the floors are right.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordi.tasks.order import Aim
from coordi.types import Encoder, Vectors
from coordi.words import concepts

PAIRS = 0.25
"""Share of the pairs of items that are less alike than what a photo finds at least."""

CONCEPTS = 0.3
"""Share of the vocabulary's concepts whose best hit is less than what words find at least."""

FEWEST = 30
"""Items below which nothing is usual."""

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Floors:
    """Cosine similarities of the best hit from which something like a query is there."""

    photos: float | None = None
    """None where it was not measured: too few items, or an encoder without pictures."""
    words: float | None = None
    """The same for words that no item has."""


def measure(sample: Vectors, encoder: Encoder) -> Floors:
    """Floors of a store from the unit vectors (n, dim) of some items, evenly over it."""
    if len(sample) < FEWEST:
        return Floors()
    photos = _of_photos(sample) if "image" in encoder.modalities else None
    return Floors(photos, _of_words(sample, encoder) if "text" in encoder.modalities else None)


def _of_photos(sample: Vectors) -> float:
    above = np.triu_indices(len(sample), 1)
    return float(np.quantile((sample @ sample.T)[above], PAIRS))


def _of_words(sample: Vectors, encoder: Encoder) -> float | None:
    names = [one.name for one in concepts() if not encoder.unknown_words(one.name)]
    if len(names) < FEWEST:
        return None
    best = [
        (encoder.encode_texts(names[start : start + _BATCH]) @ sample.T).max(axis=1)
        for start in range(0, len(names), _BATCH)
    ]
    return float(np.quantile(np.concatenate(best), CONCEPTS))


def floor_of(floors: Floors | None, aim: Aim, parts: Mapping[str, NDArray[Any]]) -> float | None:
    """The floor of a query whose vector was made of `parts`; None where none tells.

    One tells for a photo alone, and for words alone that no item has, where the best hit is on the
    page: the first one, in the order of likeness.
    """
    query = aim.query
    if floors is None or query.sort or query.offset or len(parts) != 1 or aim.fusion is not None:
        return None
    (name,) = parts
    if query.weights.get(name, 1.0) <= 0:
        return None
    return {"image": floors.photos, "text": floors.words}.get(name)
