"""Several attributes' probes for one encoder, and their file."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import xxhash

from coordi.artifacts import write_atomically
from coordi.errors import FingerprintError, InputError, NotFoundError
from coordi.models.tagger.probe import READS, Floats, Probe, Quality, Tag, lineage

FILE = "tagger.npz"
"""Name of the file beside an encoder's weights, and in a store's folder."""

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of garments whose tags are asked for; rows of one order."""

    vectors: Floats  # (n, dim) unit rows of the encoder
    colors: Floats | None  # (n, colours) by `coordi.data.colors`; zeros where no picture was read
    kinds: Sequence[str | None]
    """The category that the catalogue states, as the vocabulary calls it; None where it does not
    say. Attributes that not every kind of garment has are asked only of kinds that have them."""


@dataclass(frozen=True, slots=True)
class Tagger:
    """Probes of one encoder's vectors."""

    encoder: str
    """Fingerprint of the encoder whose vectors they read; "" where none reads any."""
    probes: tuple[Probe, ...]
    origin: str
    """Where they come from: "packaged", "words", "learned", "colours" or a file's name."""

    def tags(self, seen: Seen) -> list[dict[str, Tag]]:
        """Attribute → tag of each garment, without those that are not sure enough."""
        out: list[dict[str, Tag]] = [{} for _ in seen.vectors]
        kinds = list(seen.kinds)
        for probe in self._kind_first():
            features = features_of(probe.reads, seen)
            if features is None:
                continue
            for row, tag in enumerate(probe.tags(features)):
                if probe.attribute == "category" and kinds[row] is None and tag is not None:
                    kinds[row] = tag.value
                if tag is not None and _has(probe.kinds, kinds[row]) and _read(probe, seen, row):
                    out[row][probe.attribute] = tag
        return out

    def _kind_first(self) -> Iterator[Probe]:
        """The probes, that of the category first: others ask what kind of garment it is."""
        yield from sorted(self.probes, key=lambda probe: probe.attribute != "category")

    def joined(self, others: Sequence[Probe], origin: str) -> Self:
        """This tagger with further probes, which go before its own of the same attributes."""
        new = {probe.attribute for probe in others}
        kept = tuple(probe for probe in self.probes if probe.attribute not in new)
        return replace(self, probes=(*kept, *others), origin=origin)

    def check(self, fingerprint: str, name: str) -> None:
        """Raise `FingerprintError` where these are not probes of that encoder's vectors."""
        if self.encoder not in ("", fingerprint):
            raise FingerprintError(
                f"the tagger ({self.origin}) reads vectors of the encoder {self.encoder}, and the "
                f"store has those of {name} ({fingerprint}). Fit one to it: coordi tag --learn "
                "FIELD, or leave --tagger out"
            )

    @property
    def mark(self) -> str:
        """16 hex digits that change when a tag could come out otherwise."""
        return xxhash.xxh3_128_hexdigest(self.to_bytes())[:16]

    def to_bytes(self) -> bytes:
        """The file's content: weights in half precision, the rest as JSON."""
        arrays: dict[str, Any] = {}
        for number, probe in enumerate(self.probes):
            scale = _scale(probe)
            arrays[f"weights{number}"] = (probe.weights / scale).astype(np.float16)
            arrays[f"bias{number}"] = probe.bias.astype(np.float32)
        about = {"format": _FORMAT, "encoder": self.encoder, "origin": self.origin,
                 "probes": [_facts(probe) for probe in self.probes]}  # fmt: skip
        arrays["about"] = np.array(json.dumps(about, ensure_ascii=False))
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        return buffer.getvalue()

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, self.to_bytes())


def load(path: Path) -> Tagger:
    """Read a tagger's file; `NotFoundError`, or `InputError` where it holds none."""
    if not path.is_file():
        raise NotFoundError(f"there is no tagger at {path}")
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            if about["format"] != _FORMAT:
                raise ValueError(f"format {about['format']}")
            probes = tuple(
                _probe(facts, arrays[f"weights{number}"], arrays[f"bias{number}"])
                for number, facts in enumerate(about["probes"])
            )
        return Tagger(str(about["encoder"]), probes, str(about["origin"]))
    except Exception as error:  # a damaged archive raises whatever its parts do
        raise InputError(
            f"{path} is no tagger that this version can read ({type(error).__name__}: {error}). "
            "Make it again: coordi tag --learn FIELD"
        ) from error


def _facts(probe: Probe) -> dict[str, Any]:
    names = ("attribute", "classes", "reads", "temperature", "confidence", "kinds", "flat")
    return {**{name: getattr(probe, name) for name in names}, "held_out": list(probe.held_out),
            "scale": _scale(probe)}  # fmt: skip


def _scale(probe: Probe) -> float:
    """What weights are divided by, so that half precision holds them."""
    return float(np.abs(probe.weights).max(initial=0)) or 1.0


def _probe(facts: Mapping[str, Any], weights: Floats, bias: Floats) -> Probe:
    found = Probe(
        attribute=str(facts["attribute"]),
        classes=tuple(facts["classes"]),
        weights=weights.astype(np.float32) * np.float32(facts["scale"]),
        bias=bias.astype(np.float32),
        reads=str(facts["reads"]),
        temperature=float(facts["temperature"]),
        confidence=None if facts["confidence"] is None else float(facts["confidence"]),
        kinds=tuple(facts["kinds"]),
        flat=bool(facts["flat"]),
        held_out=Quality(*facts["held_out"]),
    )
    if found.reads not in READS or found.weights.shape[1:] != found.bias.shape:
        raise ValueError(f"{found.attribute}: its parts do not belong together")
    if len(found.classes) != len(found.bias):
        raise ValueError(f"{found.attribute}: {len(found.bias)} rows, {len(found.classes)} classes")
    return found


def features_of(reads: str, seen: Seen) -> Floats | None:
    """What a probe reads, (n, d); None where there are no colours and it needs them."""
    if reads == "vector":
        return seen.vectors
    if seen.colors is None:
        return None
    return seen.colors if reads == "color" else np.hstack([seen.vectors, seen.colors])


def _read(probe: Probe, seen: Seen, row: int) -> bool:
    """Whether what a probe needs of a garment is there."""
    return probe.reads == "vector" or (seen.colors is not None and bool(seen.colors[row].any()))


def _has(kinds: Sequence[str], kind: str | None) -> bool:
    """Whether a garment of this kind has an attribute that only `kinds` have."""
    if not kinds:
        return True
    return kind is not None and not set(kinds).isdisjoint(lineage("category", kind))
