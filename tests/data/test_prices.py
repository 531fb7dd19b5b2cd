"""Prices in any notation: number and currency, decided over the whole column."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordi.data.prices import SYMBOLS, find_notation, is_empty_price, is_in_doubt, written


def read(*cells):
    """What a column of these cells gives, and the notes about it."""
    notation = find_notation(Counter(cells))
    return [notation.read(cell) for cell in cells], notation


@pytest.mark.parametrize(
    ("cell", "amount", "currency"),
    [
        ("39.90 EUR", 39.9, "EUR"),
        ("19,90 €", 19.9, "EUR"),
        ("19,90\u00a0€", 19.9, "EUR"),
        ("€ 1.299,00", 1299, "EUR"),
        ("1,299.00", 1299, ""),
        ("USD 5", 5, "USD"),
        ("EUR19.90", 19.9, "EUR"),
        ("¥3,980", 3980, "JPY"),
        ("￥３，９８０", 3980, "JPY"),
        ("3,980円", 3980, "JPY"),
        ("39,000원", 39000, "KRW"),
        ("1 299,00 kr", 1299, "kr"),
        ("kr. 1.299,00", 1299, "kr"),
        ("1\u202f299,00 €", 1299, "EUR"),
        ("12.000 ₫", 12000, "VND"),
        ("KWD 1.250", 1.25, "KWD"),
        ("CHF 1'299.00", 1299, "CHF"),
        ("CHF 20.–", 20, "CHF"),
        ("199,-", 199, ""),
        ("R$ 1.299,90", 1299.9, "BRL"),
        ("Rs. 1,29,900.00", 129900, "INR"),
        ("Rs.5", 5, "INR"),
        ("₹499/-", 499, "INR"),
        ("US$ 5.00", 5, "USD"),
        ("$5 USD", 5, "USD"),
        ("$ 12.50 CAD", 12.5, "CAD"),
        ("CA$5", 5, "CAD"),
        ("5zł", 5, "PLN"),
        ("100 Kč", 100, "CZK"),
        ("19,90 €*", 19.9, "EUR"),
        ("-5,00 €", -5, "EUR"),
        ("-€5", -5, "EUR"),
        ("12.345.678,90", 12345678.9, ""),
        ("1 234 567", 1234567, ""),
        ("0.500", 0.5, ""),
        (".5", 0.5, ""),
    ],
)
def test_one_price(cell, amount, currency):
    assert read(cell)[0] == [(amount, currency)]


@pytest.mark.parametrize(
    "cell",
    [
        *("free", "from $5", "19.90 - 29.90", "19-29", "10%", "1e5", "5 x 3", "EUR 5 USD", "AB-5"),
        *("1.2.3", "1,2,3", "12,34.5", "Men", "$", "", "1.299,00.5", "call us", "5 apples"),
    ],
)
def test_what_is_no_price(cell):
    assert read(cell)[0] == [None]


@pytest.mark.parametrize("cell", ["-", "N/A", "nan", "NULL", "None", "—"])
def test_what_says_that_there_is_no_price(cell):
    assert is_empty_price(cell)
    assert find_notation(Counter([cell])).unread == 0


def test_the_column_decides_what_a_point_means():
    assert read("1.299", "19,90")[0] == [(1299, ""), (19.9, "")]
    assert read("1.299", "19.90")[0] == [(1.299, ""), (19.9, "")]
    assert read("1,299", "19.90")[0] == [(1299, ""), (19.9, "")]
    assert read("1,299", "19,90")[0] == [(1.299, ""), (19.9, "")]


@pytest.mark.parametrize("cell", ["1.299", "1,299", "€ 2.450"])
def test_where_nothing_decides_thousands_are_read_and_said(cell):
    ((amount, _),), notation = read(cell)
    assert amount > 1000
    assert "was read as" in notation.notes[0]


def test_a_price_in_another_notation_than_the_column_is_not_read_wrongly():
    values, notation = read("19,90", "9,50", "1,299.00", "1.299")
    assert values == [(19.9, ""), (9.5, ""), None, (1299, "")]
    assert (notation.count, notation.unread) == (3, 1)
    assert notation.notes == ("1.299 was read as 1299 (most others)",)


def test_currencies_of_one_sign_are_said():
    assert read("$5")[1].notes == ("$ was taken for USD",)
    assert read("5 kr")[1].notes == ("kr may be SEK, NOK, DKK or ISK and stays kr",)
    assert read("5 €")[1].notes == ()
    assert read("5 €", "5 USD", "6 €")[1].currencies == {"EUR": 2, "USD": 1}


def test_numbers_that_may_have_points_between_thousands():
    assert is_in_doubt(["1.299", "899", "2.450"])
    assert not is_in_doubt(["1.299", "19.90"])
    assert not is_in_doubt(["0.500"])
    assert not is_in_doubt([1.299, 5, "7"])


LOCALES = {
    "en": (",", "."),
    "de": (".", ","),
    "fr": (" ", ","),
    "sv": ("\u00a0", ","),
    "pl": ("\u202f", ","),
    "ch": ("’", "."),
    "plain": ("", "."),
    "plain comma": ("", ","),
}
amounts = st.integers(0, 10**9).map(lambda cents: cents / 100)


def formatted(amount, locale):
    thousands, decimal = LOCALES[locale]
    return f"{amount:,.2f}".translate(str.maketrans({",": thousands, ".": decimal}))


@settings(deadline=None)
@given(
    st.lists(amounts, min_size=1, max_size=8),
    st.sampled_from(sorted(LOCALES)),
    st.sampled_from([*SYMBOLS, "EUR", "usd", "SEK", ""]),
    st.sampled_from(["{0} {1}", "{1} {0}", "{0}{1}", "{1}{0}"]),
)
def test_a_written_price_comes_back(values, locale, currency, order):
    cells = [order.format(formatted(value, locale), currency) for value in values]
    found, notation = read(*cells)
    assert [amount for amount, _ in found] == values
    code = SYMBOLS.get(currency, currency.upper())
    assert {stated for _, stated in found} == {code}
    assert notation.unread == 0


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 10**7), min_size=1), st.sampled_from(["円", "원", "₫", "JPY", "IDR"])
)
def test_whole_prices_of_currencies_without_decimals_come_back(values, currency):
    for mark in ",.":
        cells = [f"{value:,}".replace(",", mark) + currency for value in values]
        assert [amount for amount, _ in read(*cells)[0]] == values


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_text_is_a_price_or_none(cell):
    price = written(cell)
    notation = find_notation(Counter([cell]))
    assert notation.count + notation.unread <= 1
    assert price is None or (notation.read(cell) is None) == (notation.count == 0)
