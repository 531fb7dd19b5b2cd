"""The taggers that come with coordi: coordi-mini's, and colours by pixels for every encoder."""

from functools import cache
from pathlib import Path

from coordi.models.encoders.names import mini_folder
from coordi.models.tagger.tagger import FILE, Tagger, load
from coordi.types import Encoder

COLORS = Path(__file__).with_name("colors.npz")
"""Made by `benchmarks/tags.py --colors`; it reads no vectors, and so fits any encoder."""


def packaged_tagger(encoder: Encoder) -> Tagger | None:
    """The tagger beside coordi-mini's weights, where `encoder` is the one that it was fitted to."""
    path = mini_folder() / FILE
    if not path.is_file():
        return None
    found = load(path)
    return found if found.encoder == encoder.fingerprint else None


@cache
def pixel_colors() -> Tagger:
    """Colours by the garment's pixels alone."""
    return load(COLORS)
