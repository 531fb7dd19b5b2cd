"""Datasets of the Hugging Face hub, through the package `datasets` (an extra)."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordi.data.readers.table import Record
from coordi.errors import CatalogError, require
from coordi.types import Origin, Problem

_NAME = re.compile(r"(?:hf:)?(?P<name>[\w.-]+/[\w.-]+)(?::(?P<split>[\w.-]+))?")


@dataclass(frozen=True, slots=True)
class HubTable:
    """One split of a dataset, kept by `datasets` in its own cache on disk."""

    name: str
    split: str
    data: Any
    columns: tuple[str, ...]
    pictures: tuple[str, ...]
    folder: Path = Path()
    notes: tuple[str, ...] = ()

    def records(self, without: Collection[str] = ()) -> Iterator[Record | Problem]:
        """Stream the rows; pictures as {"bytes", "path"}, not decoded."""
        columns = [name for name in self.columns if name not in without]
        for number, values in enumerate(self.data.select_columns(columns), 1):
            yield Record(Origin(f"{self.name}:{self.split}", number), values)


def is_hub_name(source: str) -> bool:
    """Whether a source can be the name of a dataset: "owner/name", "hf:owner/name:split"."""
    return _NAME.fullmatch(source) is not None


def open_hub(source: str) -> HubTable:
    """Open "owner/name" or "owner/name:split" (split "train" where not stated)."""
    match = _NAME.fullmatch(source)
    if match is None:
        raise CatalogError(f"{source!r} is no dataset name; write owner/name or owner/name:split")
    require("datasets", "datasets")
    import datasets

    name, split = match["name"], match["split"] or "train"
    try:
        data = datasets.load_dataset(name, split=split)
    except Exception as error:  # its errors span network, file system, hub and parsing
        raise CatalogError(f"cannot load dataset {name}, split {split}: {error}") from error
    pictures = [c for c, kind in data.features.items() if isinstance(kind, datasets.Image)]
    for column in pictures:
        data = data.cast_column(column, datasets.Image(decode=False))
    return HubTable(name, split, data, tuple(data.column_names), tuple(pictures))
