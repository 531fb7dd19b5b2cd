"""FashionIQ: a dress, shirt or top, two people's words for a change, and the garment that they saw.

The layout of the published files (Wu et al. 2021, CVPR): captions/cap.CATEGORY.SIDE.json and
image_splits/split.CATEGORY.SIDE.json.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coordi.errors import CatalogError
from coordi.types import Edit, Origin, Problem

PUBLISHED: Mapping[str, int] = {
    "train triplets": 18000,
    "val triplets": 6016,
    "dress val triplets": 2017,
    "shirt val triplets": 2038,
    "toptee val triplets": 1961,
    "dress val gallery": 3817,
    "shirt val gallery": 6346,
    "toptee val gallery": 5373,
}
"""What the dataset's authors and the papers that use it state."""


@dataclass(frozen=True, slots=True)
class FashionIQ:
    """Edits and galleries by (category, side), as the files list them."""

    name: str
    edits: Mapping[tuple[str, str], tuple[Edit, ...]]
    galleries: Mapping[tuple[str, str], frozenset[str]]
    repeated: Mapping[tuple[str, str], int]
    """Ids that a gallery file lists more than once."""
    problems: tuple[Problem, ...] = ()

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories, sorted."""
        return tuple(sorted({category for category, _ in (*self.edits, *self.galleries)}))

    @property
    def counts(self) -> dict[str, int]:
        """What `PUBLISHED` counts, as found."""
        found: Counter[str] = Counter()
        for (category, side), edits in self.edits.items():
            found[f"{side} triplets"] += len(edits)
            found[f"{category} {side} triplets"] += len(edits)
        for (category, side), gallery in self.galleries.items():
            found[f"{category} {side} gallery"] += len(gallery)
        return dict(found)


def is_fashioniq(folder: Path) -> bool:
    """Whether a folder has FashionIQ's layout."""
    return (folder / "captions").is_dir() and (folder / "image_splits").is_dir()


def read_fashioniq(folder: Path) -> FashionIQ:
    """Read all captions and splits of a folder; a triplet without its fields is a `Problem`.

    Raises `CatalogError` where a file is no JSON list, or there are no captions.
    """
    edits: dict[tuple[str, str], tuple[Edit, ...]] = {}
    galleries: dict[tuple[str, str], frozenset[str]] = {}
    repeated: dict[tuple[str, str], int] = {}
    problems: list[Problem] = []
    for path in sorted((folder / "captions").glob("cap.*.json")):
        rows = [_edit(path, n, entry) for n, entry in enumerate(_entries(path), 1)]
        edits[_key(path)] = tuple(row for row in rows if isinstance(row, Edit))
        problems += [row for row in rows if isinstance(row, Problem)]
    for path in sorted((folder / "image_splits").glob("split.*.json")):
        ids = [str(entry) for entry in _entries(path)]
        galleries[_key(path)] = frozenset(ids)
        repeated[_key(path)] = len(ids) - len(set(ids))
    if not edits:
        raise CatalogError(f"{folder / 'captions'} holds no cap.CATEGORY.SIDE.json")
    return FashionIQ(folder.name, edits, galleries, repeated, tuple(problems))


def _key(path: Path) -> tuple[str, str]:
    parts = path.name.split(".")
    if len(parts) != 4:
        raise CatalogError(f"{path} is not named KIND.CATEGORY.SIDE.json")
    return parts[1], parts[2]


def _entries(path: Path) -> list[object]:
    try:
        entries = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise CatalogError(f"{path} is no JSON: {error}") from error
    if not isinstance(entries, list):
        raise CatalogError(f"{path} holds no JSON list")
    return entries


def _edit(path: Path, number: int, entry: object) -> Edit | Problem:
    if isinstance(entry, dict) and isinstance(entry.get("captions"), list):
        reference, target = entry.get("candidate"), entry.get("target", "")
        if isinstance(reference, str) and isinstance(target, str):
            return Edit(reference, tuple(map(str, entry["captions"])), target)
    return Problem(Origin(str(path), number), "no candidate, target and captions; it is left out")
