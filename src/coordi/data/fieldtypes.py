"""Which type a column has, decided over all of its values, and values made into it."""

import datetime
import decimal
import json
import math
import re
from typing import Literal

from coordi.types import FieldValue

Kind = Literal["text", "integer", "number", "boolean"]

# No leading zeros ("0042" is a code), no plus sign (a telephone number), and an exponent only
# with its sign, as programs write it ("12E5" is an article number).
_INTEGER = re.compile(r"-?(?:0|[1-9]\d*)", re.ASCII)
_NUMBER = re.compile(r"-?(?:(?:0|[1-9]\d*)(?:\.\d+)?|\.\d+)(?:[eE][+-]\d+)?", re.ASCII)
_BOOLEANS = {"true": True, "false": False}
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


def widen(column: Kind | None, value: Kind | None) -> Kind | None:
    """Type of a column that so far was `column` and now holds a value of type `value`."""
    if value is None or value == column:
        return column
    if column is None:
        return value
    return "number" if {column, value} == {"integer", "number"} else "text"


def convert(value: FieldValue, kind: Kind) -> FieldValue:
    """Make a plain value of a column into the column's type."""
    if value is None:
        return None
    if kind == "text":
        return text(value)
    if kind == "boolean":
        return _BOOLEANS[value.lower()] if isinstance(value, str) else bool(value)
    return int(value) if kind == "integer" else float(value)


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
