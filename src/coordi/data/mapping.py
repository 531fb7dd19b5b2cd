"""Which column of a catalogue plays which role where that is stated, and the names of fields."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from coordi.data.rolenames import USUAL_NAMES, bare
from coordi.errors import MappingError

ITEM_ROLES = ("id", "image", "title", "description")
"""Roles that become attributes of an `Item`; all others become fields under the role's name."""

TEXT_ROLES = frozenset({"category", "color", "brand", "model", "url"})
"""Roles whose fields are text whatever their values look like (category 7, brand 501)."""

# Words that a filter reads as its own; a field of that name could not be asked for.
_FILTER_WORDS = frozenset(
    (
        *("and", "or", "not", "in", "is", "like", "ilike", "between", "null", "true", "false"),
        *("select", "from", "where", "order", "group", "by", "as", "case", "when", "then"),
        *("else", "end"),
    )
)


def merge_mapping(
    guessed: Mapping[str, str], given: Mapping[str, str], columns: Sequence[str]
) -> dict[str, str]:
    """Lay a given mapping over the guessed one; an empty column name leaves the role out.

    Raises `MappingError` for a role or a column that does not exist.
    """
    for role in given:
        if role not in USUAL_NAMES:
            raise MappingError(
                f"there is no role {role!r}.{_near(role, USUAL_NAMES)} "
                f"Roles: {', '.join(USUAL_NAMES)}."
            )
    chosen = {role: find_column(role, name, columns) for role, name in given.items() if name}
    kept = {
        role: column
        for role, column in guessed.items()
        if role not in given and column not in chosen.values()
    }
    both = kept | chosen
    return {role: both[role] for role in USUAL_NAMES if role in both}


def find_column(role: str, name: str, columns: Sequence[str]) -> str:
    """Find the column called `name`, exactly or but for case; else `MappingError`."""
    if name in columns:
        return name
    alike = [column for column in columns if column.casefold() == name.casefold()]
    if len(alike) == 1:
        return alike[0]
    raise MappingError(
        f"--map {role}={name}: there is no column {name!r}.{_near(name, columns)} "
        f"Columns: {', '.join(columns) or 'none'}."
    )


def field_names(columns: Iterable[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Name the field that each column becomes: field → column.

    A role's field has the role's name; any other column keeps its own, made safe for filters:
    letters, digits and "_", no word of the filter language, and unique whatever the case.
    """
    fields = {role: column for role, column in mapping.items() if role not in ITEM_ROLES}
    taken = {*fields, *ITEM_ROLES}
    for column in columns:
        if column in mapping.values():
            continue
        base = _safe(column)
        name, number = base, 1
        while name.casefold() in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name.casefold())
        fields[name] = column
    return fields


def _safe(column: str) -> str:
    name = re.sub(r"\W+", "_", column.strip()).strip("_") or "column"
    if name[0].isdigit():
        name = f"_{name}"
    return f"{name}_" if name.casefold() in _FILTER_WORDS else name


def _near(name: str, known: Iterable[str]) -> str:
    by_bare = {bare(one): one for one in known}
    near = get_close_matches(bare(name), list(by_bare), n=3, cutoff=0.5)
    return f" Nearest: {', '.join(by_bare[one] for one in near)}." if near else ""
