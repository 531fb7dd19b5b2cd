"""Tag a store's items: what their catalogue does not say, read from vectors and pixels.

Tags are automatic fields (`coordi.store.automatic`): `auto_category` and its like, each with
`..._confidence`. Nothing is written of what the catalogue itself says of an item. What was written
stays written: a run that is stopped goes on behind what it did.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coordi.data.colors import (
    COLOR_DIM,
    SIDE,
    color_features,
    color_shares,
    garment_pixels,
    same_color,
)
from coordi.data.loading import decoded
from coordi.data.splits import split_of
from coordi.data.vocabulary import without_colors
from coordi.engine.ingest import MANY_WRITES, STEP_ITEMS, cores, uninterrupted
from coordi.errors import ImageError, InputError
from coordi.models.tagger.probe import Floats, Probe, Tag, fit
from coordi.models.tagger.tagger import FILE, Seen, Tagger, features_of, load
from coordi.store.automatic import is_automatic
from coordi.types import AUTOMATIC, Encoder, FieldValue, ImageRef, Item, Origin, Problem
from coordi.words import understand

if TYPE_CHECKING:
    from coordi.store import LanceStore, Snapshot

OnTag = Callable[[int, int], None]
"""Told how many items are done, and of how many."""

STATED: Mapping[str, tuple[str, ...]] = {
    "category": ("category",),
    "color": ("color", "colour", "colors", "colours"),
    "pattern": ("pattern", "print"),
    "sleeve": ("sleeve", "sleeves", "sleeve_length"),
    "neckline": ("neckline", "neck", "collar"),
    "length": ("length",),
    "gender": ("gender", "sex"),
}
"""Attribute → fields in which catalogues say it; any other attribute is the field of its name."""

FEWEST_EXAMPLES = 10
"""Items of one value from which on it can be learned."""

FEWEST_HELD_OUT = 20
"""Labelled items held out from which on a learned field's confidence can be chosen."""

HELD_OUT = 0.25
"""Share of the labelled items that a field is not learned from, but its confidence chosen on."""

PENALTIES = (1e-5, 1e-4, 1e-3)
"""Of learned fields' weights; the held-out items choose."""

PACKAGED = ("packaged", "colours")
"""Origins of the taggers that come with coordi."""

GO_ON = "What is tagged so far is stored; go on from there with: coordi tag"


@dataclass(frozen=True, slots=True)
class TagReport:
    """What tagging did."""

    items: int
    """Items that were looked at."""
    already: int
    """Items that had been tagged in the same way before."""
    written: Mapping[str, int]
    """Attribute → items that got it."""
    probes: tuple[Probe, ...]
    origin: str
    """Where the tagger comes from; see `Tagger.origin`."""
    problems: tuple[Problem, ...] = ()
    """Pictures whose colours could not be read."""
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Tally:
    items: int = 0
    written: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    writes: int = 0


# The tagger of a store


def kept(folder: Path) -> Tagger | None:
    """The tagger that a store's items were tagged with last; None where there is none."""
    path = folder / FILE
    return load(path) if path.exists() else None


def default_tagger(store: "LanceStore", encoder: Encoder) -> Tagger:
    """The tagger for a store where nobody names one: what it was tagged with before, else what
    comes with the encoder, else one made of the encoder's words, and colours by pixels.

    What comes with coordi is taken anew, since a newer coordi may bring a better one.
    """
    own = kept(store.path)
    if own is not None and own.origin not in PACKAGED and own.encoder == encoder.fingerprint:
        return own
    from coordi.models.tagger.packaged import packaged_tagger, pixel_colors
    from coordi.models.tagger.zeroshot import by_words

    found = packaged_tagger(encoder)
    if found is not None:
        return found
    colors = pixel_colors()
    at = store.snapshot()
    there = any(entry.fingerprint == encoder.fingerprint for entry in at.encoders())
    sample = at.index(encoder.fingerprint).sample() if there else np.zeros((0, 1), np.float32)
    probes = by_words(encoder, sample)
    if not probes:
        return colors
    return Tagger(encoder.fingerprint, (*probes, *colors.probes), "words")


# Tagging


def tag(
    store: "LanceStore", encoder: Encoder, tagger: Tagger, *, on_progress: OnTag | None = None
) -> TagReport:
    """Write the tags of all items that do not have those of this tagger → what was done.

    The store keeps the tagger; a run that was stopped goes on with it, and later ingests tag by it
    what they bring. Raises
    `FingerprintError` for a tagger of another encoder; a KeyboardInterrupt says how to go on.
    """
    tagger.check(encoder.fingerprint, encoder.name)
    with store.writing():
        at = store.snapshot()
        mark, before = tagger.mark, at.told()
        having = set(at.signatures(encoder.fingerprint))
        ids = [id for id in at.ids() if id in having]
        todo = [id for id in ids if before.get(id) != mark]
        tally = _Tally()
        if todo:
            tagger.save(store.path / FILE)  # first, so that a run that is stopped can go on
        try:
            for step in _steps(todo):
                fields = _fields(at, encoder, tagger, step, tally)
                with uninterrupted():
                    store.tell(fields, mark)
                tally.items += len(step)
                tally.writes += 1
                if on_progress is not None:
                    on_progress(tally.items, len(todo))
            if tally.writes > MANY_WRITES:
                store.compact()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(GO_ON) from None
    return TagReport(
        tally.items, len(ids) - len(todo), dict(tally.written), tagger.probes, tagger.origin,
        tuple(tally.problems), tuple(_notes(tagger, encoder, at.count() - len(ids))),
    )  # fmt: skip


def _notes(tagger: Tagger, encoder: Encoder, without: int) -> Iterator[str]:
    if without:
        yield f"{without:,} items have no vector of {encoder.name} and were passed over"
    if tagger.origin == "words":
        yield (
            f"{encoder.name} has no tagger: kinds and patterns are told by its words alone, with "
            "confidences that nobody measured. Items that say more can teach it: --learn FIELD"
        )
    if tagger.origin == "colours":
        yield (
            f"{encoder.name} has no tagger and reads no words, so only colours are told, by "
            "pixels. Items that say more can teach it: --learn FIELD"
        )


def untag(store: "LanceStore") -> int:
    """Take all automatic fields away, and the store's tagger → items that had been told."""
    with store.writing():
        ids = list(store.told())
        (store.path / FILE).unlink(missing_ok=True)
        for step in _steps(ids):
            store.tell({id: {} for id in step}, None)
        store.untell()
        if len(ids) > MANY_WRITES * STEP_ITEMS:
            store.compact()
    return len(ids)


def _steps(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), STEP_ITEMS):
        yield ids[start : start + STEP_ITEMS]


def _fields(
    at: "Snapshot", encoder: Encoder, tagger: Tagger, ids: list[str], tally: _Tally
) -> dict[str, dict[str, FieldValue]]:
    """Id → the automatic fields of some items; none for what the vector is of words alone."""
    items = at.get(ids)
    pictured = [item for item in items if item.image is not None]
    out: dict[str, dict[str, FieldValue]] = {id: {} for id in ids}
    if not pictured:
        return out
    vectors = at.vectors_of([item.id for item in pictured], encoder.fingerprint)
    colors, shares = _looks(at, pictured, tally.problems)
    kinds = [_kind(_stated(item, "category")) for item in pictured]
    tags = tagger.tags(Seen(vectors, colors, kinds))
    for item, found, share in zip(pictured, tags, shares, strict=True):
        for attribute, one in found.items():
            if _stated(item, attribute) is None:
                out[item.id] |= _written(attribute, one, share)
                tally.written[attribute] += 1
    return out


def _written(
    attribute: str, tag: Tag, shares: Sequence[tuple[str, float]]
) -> dict[str, FieldValue]:
    """A tag as fields; of a colour also all colours of the garment, by their share of it."""
    name = f"{AUTOMATIC}{attribute}"
    found: dict[str, FieldValue] = {name: tag.value}
    found[f"{name}_confidence"] = round(tag.confidence, 3)
    if attribute == "color":
        ranked = _ranked(tag.value, shares)
        found[f"{AUTOMATIC}colors"] = ";".join(word for word, _ in ranked)
        for number, (_, share) in enumerate(ranked, start=1):
            found[f"{AUTOMATIC}colors_share_{number}"] = round(share, 3)
    return found


def _ranked(color: str, shares: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """A garment's colour, then its others, with their shares of the pixels.

    Pixels know fewer words than tags do ("gold"): where none of theirs is said of such a colour,
    that of the most pixels is taken for it.
    """
    same = [one for one in shares if same_color(one[0], color)] or list(shares[:1])
    others = [one for one in shares if one not in same]
    return [(color, sum(share for _, share in same)), *others]


def _looks(
    at: "Snapshot", items: Sequence[Item], problems: list[Problem]
) -> tuple[Floats, list[list[tuple[str, float]]]]:
    """Colours of the items' main pictures: features (n, COLOR_DIM), and words with their shares.

    A picture that cannot be read has zeros and no words, and is reported.
    """
    features = np.zeros((len(items), COLOR_DIM), np.float32)
    words: list[list[tuple[str, float]]] = [[] for _ in items]
    for row, pixels, _ in decoded(
        _images(items), garment_pixels, target=SIDE, workers=cores(), roots=at.roots
    ):
        if isinstance(pixels, ImageError):
            item = items[row]
            problems.append(Problem(item.origin or Origin(item.id), str(pixels), item.id, rows=0))
        else:
            features[row], words[row] = color_features(pixels), color_shares(pixels)
    return features, words


def _images(items: Sequence[Item]) -> Iterator[tuple[int, ImageRef]]:
    for row, item in enumerate(items):
        if item.image is not None:
            yield row, item.image


def _stated(item: Item, attribute: str) -> str | None:
    """What the catalogue says of an attribute; None where it says nothing."""
    for name in STATED.get(attribute, (attribute,)):
        value = item.fields.get(name)
        if value is not None and str(value).strip() and not isinstance(value, int | float):
            return str(value).strip()
    return None


@lru_cache(maxsize=4096)
def _kind(label: str | None) -> str | None:
    """What the vocabulary calls a catalogue's category; None where it knows no such kind."""
    if label is None:
        return None
    kinds = [chip.value for chip in understand(label).chips if chip.aspect == "category"]
    return kinds[0] if kinds else None


# Learning from a store's own items


def learn(store: "LanceStore", encoder: Encoder, fields: Sequence[str]) -> tuple[Probe, ...]:
    """Probes for fields, learned from the items that have them, in the shop's own words.

    A quarter of these items, never one of a garment that another is of, chooses the penalty and
    the confidence. Raises `InputError` for a field that too few items have, or whose values are
    no labels.
    """
    at = store.snapshot()
    having = set(at.signatures(encoder.fingerprint))
    items = [item for item in at.get(sorted(having)) if item.image]
    return tuple(_learned(at, encoder, items, name) for name in dict.fromkeys(fields))


def _learned(at: "Snapshot", encoder: Encoder, items: Sequence[Item], name: str) -> Probe:
    some = [item for item in items if _label(item, name)]
    held = np.array([_held_out(item) for item in some], np.bool_)
    counts = Counter(_label(i, name) for i, out in zip(some, held, strict=True) if not out)
    often = sorted(label for label, count in counts.items() if count >= FEWEST_EXAMPLES)
    _check_learnable(name, items, counts, often, int(held.sum()))
    seen = _seen(at, encoder, some, colors=name in STATED["color"])
    features = features_of("both" if seen.colors is not None else "vector", seen)
    assert features is not None
    labels = [_label(item, name) for item in some]
    train = ~held & np.array([label in often for label in labels])
    numbers = np.array([often.index(label) if label in often else -1 for label in labels])
    probes = [
        fit(
            _attribute(name), features[train],
            [label for label, yes in zip(labels, train, strict=True) if yes],
            reads="both" if seen.colors is not None else "vector", penalty=penalty, flat=True,
        ).calibrated(features[held], numbers[held])
        for penalty in PENALTIES
    ]  # fmt: skip
    return max(probes, key=lambda probe: probe.held_out.coverage)


def _attribute(name: str) -> str:
    """The attribute that a field states: its own name, unless it is another name for one."""
    return next((key for key, names in STATED.items() if name in names), name)


def _seen(at: "Snapshot", encoder: Encoder, items: Sequence[Item], *, colors: bool) -> Seen:
    vectors = at.vectors_of([item.id for item in items], encoder.fingerprint)
    return Seen(vectors, _looks(at, items, [])[0] if colors else None, ())


def _label(item: Item, name: str) -> str:
    value = item.fields.get(name)
    return value.strip() if isinstance(value, str) else ""


def _held_out(item: Item) -> bool:
    """Whether an item chooses instead of teaching: as all that are one garment in other colours."""
    title = without_colors(item.title)
    key = str(item.fields.get("model") or title or item.id)
    return split_of(key, val=HELD_OUT, test=0.0) == "val"


def _check_learnable(
    name: str, items: Sequence[Item], counts: Counter[str], often: Sequence[str], held: int
) -> None:
    if is_automatic(name):
        raise InputError(f"{name} is an automatic field; learn from one that the catalogue states")
    if not counts:
        known = sorted({key for item in items for key in item.fields if not is_automatic(key)})
        raise InputError(
            f"no item with a picture has text in a field {name!r}; fields: {', '.join(known)}"
        )
    if len(often) < 2 or held < FEWEST_HELD_OUT:
        raise InputError(
            f"{name} cannot be learned: {sum(counts.values()) + held:,} items state it, with "
            f"{len(often)} values that {FEWEST_EXAMPLES} or more items have and {held} items to "
            f"measure on; two values and {FEWEST_HELD_OUT} items are the least"
        )
