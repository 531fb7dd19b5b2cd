"""Which type a column has, decided over all of its values, and values made into it."""

import datetime
import decimal
import json
import math
import re
from typing import Literal

from coordi.types import FieldValue

Kind = Literal["text", "integer", "number", "boolean", "date"]
"""A date is stored as ISO text, which filters and sorting compare rightly."""

# No leading zeros ("0042" is a code), no plus sign (a telephone number), and an exponent only
# with its sign, as programs write it ("12E5" is an article number).
_INTEGER = re.compile(r"-?(?:0|[1-9]\d*)", re.ASCII)
_NUMBER = re.compile(r"-?(?:(?:0|[1-9]\d*)(?:\.\d+)?|\.\d+)(?:[eE][+-]\d+)?", re.ASCII)
_PAIRS = (
    ("true", "false"), ("yes", "no"), ("ja", "nein"), ("ja", "nee"), ("oui", "non"), ("sí", "no"),
    ("si", "no"), ("sì", "no"), ("sim", "não"), ("tak", "nie"), ("ano", "ne"), ("kyllä", "ei"),
    ("evet", "hayır"), ("да", "нет"), ("はい", "いいえ"), ("あり", "なし"), ("예", "아니오"),
    ("是", "否"),
    ("有", "無"), ("in stock", "out of stock"), ("in_stock", "out_of_stock"),
    ("instock", "outofstock"), ("available", "unavailable"), ("auf lager", "nicht auf lager"),
    ("en stock", "rupture de stock"), ("在庫あり", "在庫なし"), ("有货", "缺货"),
)  # fmt: skip
_BOOLEANS = {word: says for pair in _PAIRS for word, says in zip(pair, (True, False), strict=True)}

EMPTY = frozenset(
    ("n/a", "#n/a", "na", "nan", "null", "(null)", "none", "nil", "undefined", "-", "--", "–", "—")
)
"""What programs and people write into a cell that has no value, in lower case."""
_INT64 = 2**63


def plain(value: object) -> FieldValue:
    """Bring a cell of any reader to one scalar; None for an empty one.

    Lists become their members joined by ";", other nested values JSON, dates ISO text.
    """
    match value:
        case None | bool() | int():
            return value
        case str():
            return value.strip() or None
        case float():
            return value if math.isfinite(value) else None
        case decimal.Decimal():
            whole = value.is_finite() and value == value.to_integral_value()
            return int(value) if whole else plain(float(value))
        case datetime.date() | datetime.time():
            return value.isoformat()
        case list() | tuple():
            return ";".join(text(part) for part in map(plain, value) if part is not None) or None
        case dict():
            return json.dumps(value, ensure_ascii=False, default=str) if value else None
        case bytes():
            return None
    return str(value).strip() or None


def kind_of(value: FieldValue) -> Kind | None:
    """Type of one plain value; None for an empty one, which says nothing about its column."""
    match value:
        case None:
            return None
        case bool():
            return "boolean"
        case int():
            return "integer" if -_INT64 <= value < _INT64 else "text"
        case float():
            return "number"
    if value.lower() in _BOOLEANS:
        return "boolean"
    if _INTEGER.fullmatch(value):
        return kind_of(int(value)) if len(value) <= 20 else "text"
    if _NUMBER.fullmatch(value):
        return "number" if math.isfinite(float(value)) else "text"
    return "text"


def is_blank(value: FieldValue) -> bool:
    """Whether a value says that there is none, such as "N/A"; a word in a column of text."""
    return isinstance(value, str) and value.strip().lower() in EMPTY


def widen(column: Kind | None, value: Kind | None) -> Kind | None:
    """Type of a column that so far was `column` and now holds a value of type `value`."""
    if value is None or value == column:
        return column
    if column is None:
        return value
    return "number" if {column, value} == {"integer", "number"} else "text"


def convert(value: FieldValue, kind: Kind) -> FieldValue:
    """Make a plain value of a column into the column's type."""
    if value is None or (kind != "text" and is_blank(value)):
        return None
    if kind in ("text", "date"):
        return text(value)
    if kind == "boolean":
        return _BOOLEANS[value.lower()] if isinstance(value, str) else bool(value)
    return int(value) if kind == "integer" else float(value)


def stripped(value: object) -> str:
    """A cell of any reader as text without blanks around it, "" where it is empty."""
    return "" if value is None else str(value).strip()


def text(value: FieldValue) -> str:
    """Write a plain value as text; whole floats as integers, since files lose the difference."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 2**53:
            return str(int(value))
    return str(value)
