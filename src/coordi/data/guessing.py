"""Which column plays which role where nobody said it: judged by names and by values."""

from collections.abc import Callable, Collection, Mapping, Sequence

from coordi.data.columns import Column
from coordi.data.picturecells import entries, is_address, is_picture_name
from coordi.data.rolenames import (
    FURTHER_WORDS,
    KINDS_OF_PRODUCT,
    PICTURE_WORDS,
    SMALL_WORDS,
    USUAL_NAMES,
    bare,
    spellings,
)

BY_NAME = "by its name"
BY_VALUES = "by its values"

_ENOUGH = 2000  # characters of a cell that tell what it is

Guess = tuple[str, str]
"""A column, and what it was recognised by."""


def guess_roles(
    columns: Mapping[str, Column],
    pictures: Sequence[str] = (),
    resolves: Callable[[str], bool] | None = None,
) -> dict[str, Guess]:
    """Guess role → column; each column plays one role at most.

    `pictures` are columns that hold picture bytes; `resolves` says of a column whether any of
    its pictures is there. An empty column is taken only where no other has a usual name.
    """
    found: dict[str, Guess] = {}
    image = _guess_image(columns, pictures, resolves or (lambda _: True))
    if image:
        found["image"] = image
    for role in USUAL_NAMES:
        taken = {column for column, _ in found.values()}
        free = [name for name in _named(role, columns) if name not in taken]
        free = free or [name for name in _alike(role, columns) if name not in taken]
        if role != "image" and free:
            found[role] = (_fullest(free, columns), BY_NAME)
    return {role: found[role] for role in USUAL_NAMES if role in found}


def picture_columns(columns: Mapping[str, Column]) -> list[str]:
    """Columns whose cells are pictures' names or addresses, likeliest main picture first."""
    alike = [name for name, column in columns.items() if _holds_pictures(name, column)]
    return sorted(alike, key=lambda name: _is_further(name, columns[name]))


def _guess_image(
    columns: Mapping[str, Column], pictures: Sequence[str], resolves: Callable[[str], bool]
) -> Guess | None:
    """The picture column: of bytes, of a usual name, or of values that are pictures' names.

    A column whose name alone is usual ("path", "file") stands behind one that holds pictures.
    """
    named = _named("image", columns)
    embedded = [name for name in named if name in pictures] or list(pictures)
    if embedded:
        return embedded[0], BY_NAME if embedded[0] in named else BY_VALUES
    alike = picture_columns(columns)
    both = [name for name in named if name in alike]
    likely = [*([_fullest(both, columns)] if both else []), *both]
    likely += [name for name in alike if name not in both]
    there = next((name for name in likely if resolves(name)), None)
    chosen = there or next(iter(likely), None)
    if chosen is None and named:
        chosen = _fullest(named, columns)
        # "path" and "file" may be of anything, such as a category; "photo" may not.
        vague = not PICTURE_WORDS.search(chosen.casefold()) and columns[chosen].filled
        if _is_filled_otherwise(columns[chosen]) or (vague and not resolves(chosen)):
            return None
    return None if chosen is None else (chosen, BY_NAME if chosen in named else BY_VALUES)


def _named(role: str, columns: Mapping[str, Column]) -> list[str]:
    """Columns with a usual name of a role, likeliest first."""
    by_name: dict[str, str] = {}
    for column in columns:
        by_name.setdefault(bare(column), column)
    names = dict.fromkeys(by_name[bare(n)] for n in USUAL_NAMES[role] if bare(n) in by_name)
    return [n for n in names if role != "category" or not _says_kind_of_product(columns[n])]


def _alike(role: str, columns: Mapping[str, Column]) -> list[str]:
    """Columns whose names are usual ones of a role with something before or behind, filled."""
    usual = {bare(name): place for place, name in enumerate(USUAL_NAMES[role])}
    plain = {bare(name) for names in USUAL_NAMES.values() for name in names}
    ranked = [
        (min(usual[one] for one in spellings(name) if one in usual), name)
        for name, column in columns.items()
        if column.filled
        and bare(name) not in plain
        and not usual.keys().isdisjoint(spellings(name))
    ]
    names = [name for _, name in sorted(ranked, key=lambda pair: pair[0])]
    return [n for n in names if role != "category" or not _says_kind_of_product(columns[n])]


def further_columns(columns: Mapping[str, Column], taken: Collection[str]) -> list[str]:
    """Columns with further views of the main picture's garment, in the catalogue's order."""
    alike = frozenset(picture_columns(columns)) - set(taken)
    return [
        name
        for name in columns
        if name in alike
        and not SMALL_WORDS.search(name.casefold())
        and not _is_further(name, columns[name])[0]
    ]


def _fullest(names: Sequence[str], columns: Mapping[str, Column]) -> str:
    """The likeliest column that has at least half of the values that the fullest one has."""
    most = max(columns[name].filled for name in names)
    return next(name for name in names if 2 * columns[name].filled >= most)


def _holds_pictures(name: str, column: Column) -> bool:
    """Whether most of a column's cells name pictures.

    An address without a picture's suffix counts where the column's name is about pictures.
    """
    about = PICTURE_WORDS.search(name.casefold()) is not None
    alike = sum(_is_picture(cell, about=about) for cell in column.sample)
    return 2 * alike > len(column.sample)


def _is_picture(cell: object, *, about: bool) -> bool:
    first = next(iter(entries(cell[:_ENOUGH] if isinstance(cell, str) else cell)), "")
    if isinstance(first, bytes):
        return True
    return is_picture_name(first) or (about and is_address(first))


def _is_further(name: str, column: Column) -> tuple[bool, bool]:
    """Sorting key: columns of one picture for all (a logo) last, further views before them."""
    cells = [str(cell) for cell in column.sample]
    return len(cells) > 2 and len(set(cells)) == 1, FURTHER_WORDS.search(
        name.casefold()
    ) is not None


def _is_filled_otherwise(column: Column) -> bool:
    """Whether a column holds what cannot be a picture: numbers with decimals, yes and no."""
    return column.kind in ("boolean", "number")


def _says_kind_of_product(column: Column) -> bool:
    """Whether a column's values are shop systems' own words ("simple", "variable")."""
    said = {str(cell).strip().casefold() for cell in column.sample}
    return bool(said) and said <= KINDS_OF_PRODUCT
