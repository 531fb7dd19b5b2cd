"""Dates as catalogues write them, made ISO: which notation a column has, over all of its cells."""

import re
from datetime import datetime

_LIKE = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([ T]\d{1,2}:\d{2}.*)?", re.ASCII
)
_PARTS = re.compile(r"\d+")
ORDERS = ("ymd", "dmy", "mdy")
"""Orders of year, month and day."""


def like_date(value: str) -> bool:
    """Whether a text has the form of a date."""
    return len(value) < 40 and _LIKE.fullmatch(value) is not None


def orders_of(value: str) -> frozenset[str]:
    """In which orders a text is a date that exists."""
    return frozenset(order for order in ORDERS if iso(value, order) is not None)


def iso(value: str, order: str) -> str | None:
    """A date, with its time where it has one, as ISO text; None where it is none in this order."""
    match = _LIKE.fullmatch(value.strip())
    if match is None:
        return None
    parts = dict(zip(order, map(int, _PARTS.findall(match[1])), strict=True))
    try:
        day = datetime(parts["y"], parts["m"], parts["d"])
        date = day.date().isoformat()
        moment = match[2] and datetime.fromisoformat(f"{date}T{_padded(match[2])}")
    except ValueError:
        return None
    return moment.isoformat() if moment else date


def _padded(time: str) -> str:
    """A time with two digits for its hours."""
    rest = time[1:].strip().replace(" ", "")
    return rest if rest[1] != ":" else f"0{rest}"
