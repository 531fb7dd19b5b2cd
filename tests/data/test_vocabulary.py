import pytest

from coordi.data.vocabulary import (
    CATEGORIES,
    COLORS,
    ancestors,
    canonical,
    relation,
    without_colors,
)
from coordi.errors import UnknownNameError


@pytest.mark.parametrize("table", [CATEGORIES, COLORS])
def test_tables_are_sound(table) -> None:
    for name, concept in table.items():
        assert concept.words, name
        assert canonical(name, table) == name
        assert name not in ancestors(name, table)


@pytest.mark.parametrize(
    ("label", "expected"),
    [("Tshirts", "t-shirt"), ("T-Shirt", "t-shirt"), ("TEE", "t-shirt"), ("Longsleeve",
     "long-sleeve top"), ("High Heels", "heels"), ("spaceship", None), ("", None)],
)  # fmt: skip
def test_categories(label: str, expected: str | None) -> None:
    assert canonical(label, CATEGORIES) == expected


def test_colors_in_two_languages() -> None:
    assert canonical("NEGRO", COLORS) == canonical("Black", COLORS) == "black"
    assert canonical("Navy Blue", COLORS) == "navy"


def test_relation() -> None:
    assert relation("shoes", "heels", CATEGORIES) == 1
    assert relation("heels", "shoes", CATEGORIES) == 0
    assert relation("heels", "boots", CATEGORIES) == -1
    assert relation(None, "boots", CATEGORIES) == 1
    assert relation("heels", None, CATEGORIES) == 0


def test_unknown_concept_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'heels'"):
        ancestors("heelz", CATEGORIES)


def test_without_colors() -> None:
    assert without_colors("Puma Men Navy Blue Deck Backpack") == "puma men deck backpack"
    assert without_colors("Red Tape Shoes") == "tape shoes"
    assert without_colors("Predator boots") == "predator boots"  # "red" inside a word stays
