"""Datasets of the Hugging Face hub, through the package `datasets` (an extra)."""

import re
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from coordi.data.readers.table import Record, Table
from coordi.errors import CatalogError, require
from coordi.types import Origin, Problem

_NAME = re.compile(r"(?:hf:)?(?P<name>[\w.-]+/[\w.-]+)(?::(?P<split>[\w.-]+))?")


def _records(source: str, data: Any, without: Collection[str]) -> Iterator[Record | Problem]:
    """Stream the rows; pictures as {"bytes", "path"}, not decoded."""
    columns = [name for name in data.column_names if name not in without]
    for number, values in enumerate(data.select_columns(columns), 1):
        yield Record(Origin(source, number), values)


def is_hub_name(source: str) -> bool:
    """Whether a source can be the name of a dataset: "owner/name", "hf:owner/name:split"."""
    return _NAME.fullmatch(source) is not None


def open_hub(source: str) -> Table:
    """Open "owner/name" or "owner/name:split" (split "train" where not stated).

    `datasets` keeps it in its own cache on disk.
    """
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
    rows = partial(_records, f"{name}:{split}", data)
    return Table(Path(), rows, tuple(data.column_names), tuple(pictures))
