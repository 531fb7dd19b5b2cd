"""Tags by words alone, for an encoder that reads words and has no probes of its own.

A class is the mean of the encoder's vectors of its English words, as in Radford et al. 2021 (CLIP,
section 3.1.4). Likeness of a picture to a class is counted in standard deviations over the store's
own pictures, since encoders differ in how far pictures lie from words, and classes too.
"""

from collections.abc import Sequence

import numpy as np

from coordi.geometry import unit_rows
from coordi.models.tagger.probe import Floats, Probe
from coordi.types import Encoder
from coordi.words import by_id

FEWEST_ITEMS = 50
"""Pictures that the usual likeness to a class is measured on; with fewer there are no tags."""

CLASSES = {
    "category": (
        "t-shirt", "shirt", "blouse", "polo", "tank top", "sweater", "cardigan", "sweatshirt",
        "hoodie", "jacket", "blazer", "coat", "waistcoat", "dress", "jumpsuit", "skirt",
        "trousers", "jeans", "leggings", "shorts", "saree", "kurta", "shoes", "trainers",
        "formal shoes", "heels", "sandals", "flip flops", "boots", "handbag", "backpack", "clutch",
        "wallet", "cap", "hat", "scarf", "tie", "gloves", "belt", "socks", "bra", "briefs",
        "swimwear", "nightwear", "sunglasses", "watch", "earrings", "necklace", "bracelet", "ring",
    ),
}  # fmt: skip
"""What is asked for by words. With coordi-mini's no other attribute is told well enough by them:
patterns are right one time in six."""

LEAST_SPREAD = 1e-4
"""Standard deviation of the likeness to a class below which the encoder does not tell it."""

TEMPERATURE = 0.32
"""Of probabilities, in standard deviations; and …"""

CONFIDENCES = {"category": 0.8}
"""… the confidence from which a tag is written: chosen on held-out labels with coordi-mini's text
tower (`benchmarks/tags.py`), for want of labels that fit every encoder."""


def by_words(encoder: Encoder, vectors: Floats) -> list[Probe]:
    """Probes made of an encoder's words, for a store with pictures of these unit rows (n, dim).

    There are none where the encoder takes no words, or where the pictures are too few to say what
    is usual.
    """
    if "text" not in encoder.modalities or len(vectors) < FEWEST_ITEMS:
        return []
    made = (_probe(encoder, vectors, name, classes) for name, classes in CLASSES.items())
    return [probe for probe in made if probe is not None]


def _probe(
    encoder: Encoder, vectors: Floats, attribute: str, classes: Sequence[str]
) -> Probe | None:
    directions = class_vectors(encoder, attribute, classes)  # (classes, dim)
    spread = (vectors @ directions.T).std(0)
    told = spread > LEAST_SPREAD
    if np.count_nonzero(told) < 2:
        return None
    directions, spread = directions[told], spread[told]
    mean = (vectors @ directions.T).mean(0)
    return Probe(
        attribute,
        tuple(name for name, yes in zip(classes, told, strict=True) if yes),
        np.asarray(directions.T / spread, np.float32),
        np.asarray(-mean / spread, np.float32),
        temperature=TEMPERATURE,
        confidence=CONFIDENCES[attribute],
    )


def class_vectors(encoder: Encoder, attribute: str, classes: Sequence[str]) -> Floats:
    """The mean vector of each class's English words, (classes, dim) unit rows."""
    known = by_id()
    words = [known[f"{attribute}:{name}"].words("en") for name in classes]
    flat = [word for some in words for word in dict.fromkeys(some)]
    found = encoder.encode_texts(flat)
    rows, start = [], 0
    for some in words:
        count = len(dict.fromkeys(some))
        rows.append(found[start : start + count].mean(0))
        start += count
    return unit_rows(np.stack(rows).astype(np.float32))
