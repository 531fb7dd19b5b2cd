"""Prices as shops write them: a number in some notation, and a currency.

"1.299,00 €", "USD 5", "¥3,980", "1 299,00 kr": whether a comma or a point comes before the
decimals is decided over a whole column, since "1.299" alone does not say.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from coordi.data.fieldtypes import is_blank

Mark = Literal[".", ","]
"""What stands before the decimals."""

SYMBOLS: Mapping[str, str] = {
    "€": "EUR", "£": "GBP", "$": "USD", "¥": "JPY", "円": "JPY", "원": "KRW", "₩": "KRW",
    "元": "CNY", "₹": "INR", "₫": "VND", "₽": "RUB", "₺": "TRY", "₴": "UAH", "₪": "ILS",
    "฿": "THB", "₱": "PHP", "₦": "NGN", "₸": "KZT", "zł": "PLN", "kč": "CZK", "ft": "HUF",
    "lei": "RON", "лв": "BGN", "руб": "RUB", "грн": "UAH", "tl": "TRY", "rm": "MYR",
    "rp": "IDR", "rs": "INR", "đ": "VND", "fr": "CHF", "sfr": "CHF", "us$": "USD", "u$s": "USD",
    "r$": "BRL", "a$": "AUD", "au$": "AUD", "c$": "CAD", "ca$": "CAD", "nz$": "NZD",
    "hk$": "HKD", "s$": "SGD", "nt$": "TWD", "mx$": "MXN", "cn¥": "CNY", "rmb": "CNY",
    "euro": "EUR", "euros": "EUR", "eur": "EUR", "kr": "kr",
}  # fmt: skip
"""What is written beside a price, in lower case → ISO 4217 code."""

_SHARED: Mapping[str, str] = {
    "$": "$ was taken for USD",
    "¥": "¥ was taken for JPY",
    "rs": "Rs was taken for INR",
    "kr": "kr may be SEK, NOK, DKK or ISK and stays kr",
}
"""Symbols of several currencies → what to say about them."""

_ISO_4217 = (
    "AED AFN ALL AMD ARS AUD AZN BAM BDT BGN BHD BIF BND BOB BRL BWP BYN BZD CAD CHF CLP CNY COP "
    "CRC CZK DKK DOP DZD EGP ETB EUR GBP GEL GHS GTQ HKD HNL HRK HUF IDR ILS INR IQD IRR ISK JMD "
    "JOD JPY KES KGS KHR KRW KWD KZT LAK LBP LKR LYD MAD MDL MGA MKD MMK MNT MOP MUR MXN MYR MZN "
    "NAD NGN NIO NOK NPR NZD OMR PAB PEN PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SEK SGD SYP THB "
    "TND TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND XAF XOF YER ZAR ZMW"
)
_CODES = frozenset(_ISO_4217.split())
_WITHOUT_DECIMALS = frozenset(
    (
        *("BIF", "CLP", "ISK", "JPY", "KRW", "PYG", "RWF", "UGX", "VND", "XAF", "XOF", "IDR"),
        *("HUF", "COP"),
    )
)
"""Currencies whose prices hardly have decimals; those below have three."""
_THREE_DECIMALS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))

_PRICE = re.compile(
    r"(?P<before>\D*?)(?P<number>[.,]?\d(?:[\d.,'’ ]*\d)?)(?:[.,/]?[-–—]{1,2})?(?P<after>\D*)"
)
_AS_POINT = re.compile(
    r"(?:\d+|\d{1,3}(?:(?P<a>[,'’ ])\d{3})(?:(?P=a)\d{3})*|[1-9]\d?(?:,\d\d)+,\d{3})?(?:\.\d+)?"
)
_AS_COMMA = re.compile(r"(?:\d+|\d{1,3}(?:(?P<a>[.'’ ])\d{3})(?:(?P=a)\d{3})*)?(?:,\d+)?")
_IN_DOUBT = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")


class Written(NamedTuple):
    """One price as it is written, before the notation of its column is known."""

    number: str
    """Digits and marks, with a minus sign where it has one."""
    currency: str
    """ISO code, "kr", or "" where none is stated."""
    symbol: str = ""
    """How the currency is written, in lower case."""


def written(cell: str) -> Written | None:
    """Take a cell apart into number and currency; None where it is no price."""
    text = " ".join(unicodedata.normalize("NFKC", cell).replace("\u2212", "-").split())
    match = _PRICE.fullmatch(text)
    if match is None:
        return None
    before, number = match["before"].strip(), match["number"]
    sign = "-" if before.startswith("-") or before.endswith("-") else ""
    if before[-1:].isalpha():
        number = number.lstrip(".,")  # the point of "Rs.5"
    beside = [one.strip(" .:*-").casefold() for one in (before, match["after"])]
    symbol = _currency([one for one in beside if one])
    if symbol is None:
        return None
    return Written(sign + number, _code(symbol) or "", symbol)


def _currency(beside: list[str]) -> str | None:
    """The currency beside a number, "" where none is stated: of "$" and "CAD" the clearer one.

    None where what stands there is no currency, or two.
    """
    if any(_code(one) is None for one in beside):
        return None
    if not beside:
        return ""
    clear = [one for one in beside if one not in _SHARED] or beside
    return clear[0] if len({_code(one) for one in clear}) == 1 else None


def _code(beside: str) -> str | None:
    """ISO code of what stands beside a number; None where that is no currency."""
    return beside.upper() if beside.upper() in _CODES else SYMBOLS.get(beside)


def _number(text: str, mark: Mark) -> float | None:
    """Read digits and marks; None where they do not fit the notation."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    shape = _AS_POINT if mark == "." else _AS_COMMA
    if not digits or shape.fullmatch(digits) is None:
        return None
    plain = re.sub(r"[^\d.]", "", digits.replace(mark, "\0").replace(".", "").replace("\0", "."))
    return sign * float(plain)


@dataclass(frozen=True, slots=True)
class PriceNotation:
    """How one column writes prices."""

    mark: Mark
    currencies: Mapping[str, int] = field(default_factory=dict)
    """Currency → how many rows state it."""
    unread: int = 0
    """Cells that are no price in this notation."""
    count: int = 0
    """Cells that are."""
    notes: tuple[str, ...] = ()
    """What was guessed."""

    def read(self, cell: str) -> tuple[float, str] | None:
        """Amount and currency ("" where none is stated) of a cell; None where it is no price."""
        price = written(cell)
        if price is None:
            return None
        amount = _number(price.number, self.mark)
        return None if amount is None else (amount, price.currency)


def is_empty_price(cell: str) -> bool:
    """Whether a cell says that there is no price."""
    return not cell.strip() or is_blank(cell)


def is_in_doubt(cells: Iterable[object]) -> bool:
    """Whether numbers of a column may as well have points between thousands: "1.299", "899"."""
    pointed = [cell.strip() for cell in cells if isinstance(cell, str) and "." in cell]
    return bool(pointed) and all(map(_IN_DOUBT.fullmatch, pointed))


def find_notation(cells: Mapping[str, int]) -> PriceNotation:
    """Decide how a column writes its prices, from all of its cells and how often each stands."""
    prices: Counter[Written] = Counter()
    unread = 0
    for cell, count in cells.items():
        price = written(cell)
        if price is None:
            unread += 0 if is_empty_price(cell) else count
        else:
            prices[price] += count
    mark, doubt = _mark(prices)
    fits = {p: n for p, n in prices.items() if _number(p.number, mark) is not None}
    currencies: Counter[str] = Counter()
    for price, count in fits.items():
        currencies[price.currency] += count
    currencies.pop("", None)
    shared = {_SHARED[p.symbol] for p in fits if p.symbol in _SHARED}
    count = sum(fits.values())
    unread += sum(prices.values()) - count
    notes = (*((doubt,) if doubt else ()), *sorted(shared))
    return PriceNotation(mark, dict(currencies.most_common()), unread, count, notes)


def _mark(prices: Counter[Written]) -> tuple[Mark, str]:
    """What stands before the decimals in most of the prices, and what is to be said of it."""
    fits: Counter[Mark] = Counter()
    doubtful: Written | None = None
    for price, count in prices.items():
        settled = _settled(price)
        if settled is None:
            doubtful = doubtful or (price if _IN_DOUBT.fullmatch(price.number) else None)
        else:
            fits[settled] += count
    if fits:
        mark: Mark = "," if fits[","] > fits["."] else "."
        mixed = len(fits) > 1
        return mark, _said(doubtful, mark, "most others") if mixed and doubtful else ""
    if doubtful is None:
        return ".", ""
    mark = "," if "." in doubtful.number else "."  # three digits are thousands, hardly decimals
    return mark, _said(doubtful, mark, "prices hardly have three decimals")


def _said(price: Written, mark: Mark, why: str) -> str:
    amount = _number(price.number, mark)
    return f"{price.number} was read as {amount:g} ({why})" if amount is not None else ""


def _settled(price: Written) -> Mark | None:
    """The mark that a price itself settles, by its shape or its currency; None for either."""
    point, comma = _number(price.number, "."), _number(price.number, ",")
    if point == comma or (point is None and comma is None):
        return None
    if comma is None:
        return "."
    if point is None:
        return ","
    thousands: Mark = "," if "." in price.number else "."
    if price.currency in _WITHOUT_DECIMALS:
        return thousands
    if price.currency in _THREE_DECIMALS:
        return "." if thousands == "," else ","
    return None
