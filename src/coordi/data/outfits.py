"""Outfits from tables that list their items, one a line: columns outfit_id and item_id."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from coordi.data.readers.delimited import open_delimited
from coordi.data.readers.table import Table
from coordi.data.sources import KINDS
from coordi.errors import CatalogError
from coordi.types import Origin, Outfit, Problem


class Member(NamedTuple):
    """A line: an item of an outfit."""

    outfit: str
    item: str
    origin: Origin


def is_outfit_file(path: Path) -> bool:
    """Whether a CSV file lists the items of outfits, one per line."""
    if KINDS.get(path.suffix.lower()) != "csv":
        return False
    return _columns(open_delimited(path)) is not None


def _columns(table: Table) -> tuple[str, str] | None:
    """The columns that name outfit and item."""
    by_name = {column.casefold().replace("_", ""): column for column in table.columns}
    outfit = next((by_name[n] for n in ("outfitid", "outfit", "lookid") if n in by_name), None)
    item = next((by_name[n] for n in ("itemid", "item", "productid", "id") if n in by_name), None)
    return (outfit, item) if outfit and item else None


def read_members(path: Path) -> Iterator[Member | Problem]:
    """Stream the lines of an outfits file; one that cannot be read is a `Problem`.

    Raises `CatalogError` where the columns are not there.
    """
    table = open_delimited(path)
    columns = _columns(table)
    if columns is None:
        raise CatalogError(f"{path} has no columns outfit_id and item_id")
    for record in table.records():
        if isinstance(record, Problem):
            yield record
        else:
            outfit, item = (str(record.values[column]).strip() for column in columns)
            yield Member(outfit, item, record.origin)


def gather(
    members: Iterable[Member | Problem], known: Collection[str]
) -> tuple[list[Outfit], list[Problem]]:
    """Outfits of the items in `known`, as the lines list them, and what is no part of one.

    An item that is not known is left out of its outfit and a `Problem`; the outfit stays, empty
    where it has no other.
    """
    found: dict[str, list[str]] = {}
    problems = []
    for member in members:
        if isinstance(member, Problem):
            problems.append(member)
            continue
        items = found.setdefault(member.outfit, [])
        if member.item in known:
            items.append(member.item)
        else:
            reason = f"outfit {member.outfit} names item {member.item!r}"
            problems.append(Problem(member.origin, reason, id=member.item))
    return [Outfit(id, tuple(items)) for id, items in found.items()], problems
