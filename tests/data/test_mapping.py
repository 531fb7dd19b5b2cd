"""Roles given by hand, and the names fields get."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordi.data.mapping import ITEM_ROLES, field_names, merge_mapping
from coordi.data.rolenames import USUAL_NAMES
from coordi.errors import MappingError


def test_a_given_mapping_wins_and_frees_the_guess():
    columns = ["id", "title", "name"]
    guessed = {"id": "id", "title": "title"}
    assert merge_mapping(guessed, {"title": "NAME"}, columns)["title"] == "name"
    assert merge_mapping(guessed, {"brand": "title"}, columns) == {"id": "id", "brand": "title"}
    assert merge_mapping(guessed, {"title": ""}, columns) == {"id": "id"}


def test_a_missing_column_names_its_nearest():
    with pytest.raises(MappingError, match=r"no column 'product_name'.*Nearest: productName"):
        merge_mapping({}, {"title": "product_name"}, ["productName", "id"])


def test_an_unknown_role_names_its_nearest():
    with pytest.raises(MappingError, match=r"no role 'colour'.*Nearest: color"):
        merge_mapping({}, {"colour": "a"}, ["a"])


def test_fields_are_named_after_roles_and_columns():
    columns = [
        "id",
        "articleType",
        "category",
        "Size (EU)",
        "2nd",
        "order",
        "Size-EU",
        "title",
        "?",
    ]
    mapping = {"id": "id", "category": "articleType", "title": "category"}
    assert field_names(columns, mapping) == {
        "category": "articleType",
        "Size_EU": "Size (EU)",
        "_2nd": "2nd",
        "order_": "order",
        "Size_EU_2": "Size-EU",
        "title_2": "title",
        "column": "?",
    }


@settings(deadline=None)
@given(st.lists(st.text(max_size=8), unique=True, max_size=12), st.data())
def test_every_column_becomes_one_safe_unique_field(columns, data):
    roles = data.draw(st.lists(st.sampled_from(list(USUAL_NAMES)), unique=True))
    mapping = dict(zip(roles, columns, strict=False))
    fields = field_names(columns, mapping)
    in_item = {column for role, column in mapping.items() if role in ITEM_ROLES}
    assert sorted(fields.values()) == sorted(set(columns) - in_item)
    assert len({name.casefold() for name in fields}) == len(fields)
    for name in fields:
        assert re.fullmatch(r"[^\W\d]\w*", name)
