"""Roles guessed from usual names, given by hand, and the names fields get."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordi.data.mapping import ITEM_ROLES, USUAL_NAMES, field_names, guess_mapping, merge_mapping
from coordi.errors import MappingError


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            ["id", "gender", "masterCategory", "articleType", "baseColour", "productDisplayName"],
            {
                "id": "id",
                "title": "productDisplayName",
                "category": "articleType",
                "color": "baseColour",
            },
        ),
        (
            ["SKU", "Image URL", "Product-Name", "Body (HTML)", "Vendor", "Variant Price"],
            {
                "id": "SKU",
                "image": "Image URL",
                "title": "Product-Name",
                "description": "Body (HTML)",
                "brand": "Vendor",
                "price": "Variant Price",
            },
        ),
        (["asin", "img"], {"id": "asin", "image": "img"}),
        (["image_url", "image_path"], {"image": "image_path"}),
        (["filename", "label"], {"image": "filename", "category": "label"}),
        (["a", "b"], {}),
    ],
)
def test_usual_names_are_recognised(columns, expected):
    assert guess_mapping(columns) == expected


def test_a_column_of_picture_bytes_is_the_image_whatever_its_name():
    assert guess_mapping(["id", "pixels"], ["pixels"])["image"] == "pixels"
    assert guess_mapping(["mask", "image"], ["mask", "image"])["image"] == "image"


@given(st.lists(st.sampled_from([name for names in USUAL_NAMES.values() for name in names])))
def test_no_column_plays_two_roles(columns):
    found = list(guess_mapping(columns).values())
    assert len(found) == len(set(found))
    assert set(found) <= set(columns)


def test_a_given_mapping_wins_and_frees_the_guess():
    columns = ["id", "title", "name"]
    guessed = guess_mapping(columns)
    assert guessed["title"] == "title"
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
