"""XML feeds: RSS, Atom, and documents that list one element an item."""

from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from coordi.data.readers.table import Record, Table
from coordi.data.readers.textfile import open_bytes
from coordi.errors import CatalogError
from coordi.types import Origin, Problem

_ITEMS = frozenset(("item", "entry", "product", "offer", "shopitem", "article", "record", "row"))
"""Names of elements that are one item each."""


_ADDRESSED = ("href", "url", "src", "path")
"""Attributes that say what an empty element stands for, such as <image path="a.jpg"/>."""


def _records(path: Path, _without: Collection[str]) -> Iterator[Record | Problem]:
    """Stream the items by number; what follows damage is not read.

    An element's children are its columns, repeated ones a list.
    """
    number = 0
    try:
        for element in _items(path):
            number += 1
            yield Record(Origin(str(path), number), _cells(element))
            element.clear()
    except Exception as error:  # expat's, defusedxml's and gzip's have no common base
        reason = f"not valid XML ({error}); nothing behind item {number} was read"
        yield Problem(Origin(str(path), number + 1), reason)


def open_xml(path: Path) -> Table:
    """Open a feed. Raises `CatalogError` where it holds no items."""
    try:
        found = next(_items(path), None)
    except Exception as error:  # as above
        raise CatalogError(f"{path} cannot be read as XML: {error}") from error
    if found is None:
        raise CatalogError(
            f"{path} holds no items: none of its elements is called {', '.join(sorted(_ITEMS))}"
        )
    return Table(path.parent, partial(_records, path))


def _items(path: Path) -> Iterator[Any]:
    """Outermost elements that are items, each when it is complete. No entity is expanded."""
    from defusedxml.ElementTree import iterparse

    inside = 0
    with open_bytes(path) as file:
        for event, element in iterparse(file, events=("start", "end"), forbid_dtd=False):
            is_item = _name(element).casefold() in _ITEMS
            inside += is_item if event == "start" else -is_item
            if event == "end" and is_item and not inside:
                yield element


def _name(element: Any) -> str:
    """The element's name without its namespace ("{http://base.google.com/ns/1.0}id" → "id")."""
    return str(element.tag).rpartition("}")[2]


def _cells(element: Any) -> dict[str, object]:
    """Name → text, or list of texts where a name comes several times."""
    cells: dict[str, object] = {name: value for name, value in element.attrib.items() if value}
    for child in element:
        value, name = _value(child), _name(child)
        if value is None:
            continue
        before = cells.get(name)
        if before is None:
            cells[name] = value
        elif before != value:
            cells[name] = [*(before if isinstance(before, list) else [before]), value]
    return cells


def _value(element: Any) -> object:
    """An element's text; where it has children only, their texts; an address in an attribute."""
    said = (element.text or "").strip()
    if said:
        return said
    if len(element):
        inner = _cells(element)
        return inner or None
    return next((element.get(name) for name in _ADDRESSED if element.get(name)), None)
