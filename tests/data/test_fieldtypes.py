"""Column types: the rules, and that conversion loses nothing."""

import datetime
import decimal
import math
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordi.data.fieldtypes import convert, kind_of, plain, text, widen


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("12", "integer"),
        ("-3", "integer"),
        ("0", "integer"),
        ("0042", "text"),
        ("+49", "text"),
        ("-0012", "text"),
        ("9223372036854775807", "integer"),
        ("9223372036854775808", "text"),
        ("1" * 5000, "text"),
        ("12.50", "number"),
        (".5", "number"),
        ("-0.5", "number"),
        ("1.5e-05", "number"),
        ("1e+999", "text"),
        ("12E5", "text"),
        ("1.", "text"),
        ("-", "text"),
        (".", "text"),
        ("1,5", "text"),
        ("00.5", "text"),
        ("nan", "text"),
        ("inf", "text"),
        ("٣", "text"),
        ("TRUE", "boolean"),
        ("false", "boolean"),
        ("yes", "boolean"),
        ("yes please", "text"),
        (True, "boolean"),
        (7, "integer"),
        (2**70, "text"),
        (0.5, "number"),
        (None, None),
    ],
)
def test_type_of_one_value(value, kind):
    assert kind_of(value) == kind


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2", None], "integer"),
        (["1", "2.5"], "number"),
        (["1", "007"], "text"),
        (["true", "1"], "text"),
        (["true", None, "False"], "boolean"),
        ([None, None], None),
    ],
)
def test_type_of_a_column(values, kind):
    assert reduce(widen, map(kind_of, values), None) == kind


cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.from_regex(r"-?[0-9]{0,20}(\.[0-9]{0,3})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(["True", "false", "", " 7 ", "007"]),
)


@settings(deadline=None)
@given(st.lists(cells, max_size=6))
def test_every_value_fits_its_column(values):
    values = [plain(value) for value in values]
    kind = reduce(widen, map(kind_of, values), None) or "text"
    python = {"text": str, "integer": int, "number": float, "boolean": bool}[kind]
    for value in values:
        made = convert(value, kind)
        assert (made is None) == (value is None)
        assert made is None or type(made) is python
        if kind == "integer":
            assert made is None or -(2**63) <= made < 2**63
        if kind == "number":
            assert made is None or math.isfinite(made)


@settings(deadline=None)
@given(st.lists(cells))
def test_the_order_of_rows_does_not_change_the_type(values):
    kinds = [kind_of(plain(value)) for value in values]
    assert reduce(widen, kinds, None) == reduce(widen, reversed(kinds), None)


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_come_back_from_their_text(number):
    assert convert(str(number), kind_of(str(number))) == number


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back_from_their_text(number):
    assert kind_of(repr(number)) == "number"
    assert convert(repr(number), "number") == number


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["red", " blue", None, 3], "red;blue;3"),
        ([], None),
        ({"a": 1}, '{"a": 1}'),
        ({}, None),
        (datetime.date(2026, 2, 3), "2026-02-03"),
        (datetime.datetime(2026, 2, 3, 4, 5), "2026-02-03T04:05:00"),
        (decimal.Decimal("19.90"), 19.9),
        (decimal.Decimal("20"), 20),
        (float("nan"), None),
        (float("inf"), None),
        ("  ", None),
        (b"\x00", None),
    ],
)
def test_cells_of_any_reader_become_scalars(value, expected):
    assert plain(value) == expected


def test_whole_floats_are_written_as_integers():
    assert text(15970.0) == "15970"
    assert text(0.5) == "0.5"
    assert text(True) == "true"
    assert text(None) == ""
