"""Prices and sizes in a query: "under 50", 3万円以下, "zwischen 20 und 40 Euro", "size M"."""

import re
from functools import cache
from typing import NamedTuple

from coordi.types import Price

_CURRENCIES = {
    "EUR": "€ eur euro euros ユロ ユーロ 유로 欧元",
    "USD": "$ us$ usd dollar dollars dolar dolares dollari ドル 달러 美元 美金 buck bucks",
    "GBP": "£ gbp pound pounds quid libras livres pfund sterline ポンド 파운드 英镑",
    "JPY": "¥ jpy yen yenes 円 圆 日元 엔",
    "KRW": "₩ krw won 원 ウオン 韩元",
    "CNY": "元 块 块钱 rmb cny yuan 人民币 위안 元人民币",
    "BRL": "r$ brl reais real",
    "CHF": "chf franken francs franchi",
    "INR": "₹ inr rs rupees rupee",
    "TWD": "nt$ twd",
    "HKD": "hk$ hkd",
}
_CODES = {word: code for code, words in _CURRENCIES.items() for word in words.split()}
_MONEY = "(?:" + "|".join(sorted(map(re.escape, _CODES), key=len, reverse=True)) + r")(?![a-z])"
_NUMBER = r"\d{1,9}(?:[.,]\d{1,3}){0,3}(?:\s?[kKx万千만천](?![a-z]))?"


def _amount(name: str) -> str:
    return rf"(?P<{name}a>{_MONEY})?\s?(?P<{name}>{_NUMBER})\s?(?P<{name}b>{_MONEY})?"


_BELOW = (
    r"under|below|less than|up to|no more than|not more than|at most|cheaper than|max(?:imum)?|"
    r"menos de|por debajo de|hasta|como maximo|maximo|no mas de|por menos de|"
    r"moins de|jusqu'?a|maxi(?:mum)?|en dessous de|moins cher que|a moins de|"
    r"unter|bis zu|bis|hochstens|weniger als|gunstiger als|maximal|"
    r"meno di|sotto (?:i|gli)|sotto|fino a|massimo|al massimo|entro|a meno di|"
    r"abaixo de|ate|no maximo|por menos de|不超过|低于|少于|最多|不到|小于"
)
_ABOVE = (
    r"over|above|more than|at least|min(?:imum)?|starting at|"
    r"mas de|desde|a partir de|minimo|por encima de|"
    r"plus de|a partir de|des|au moins|"
    r"uber|ab|mehr als|mindestens|"
    r"piu di|oltre|a partire da|almeno|sopra i|"
    r"mais de|acima de|高于|超过|多于|至少|大于"
)
_BELOW_AFTER = (
    r"以下|以内|未满|マデ|ヨリ安イ|이하|미만|까지|이내|아래|内|之内|under|max|or less|and under"
)
_ABOVE_AFTER = r"以上|カラ|ヨリ高イ|이상|부터|초과|起|or more|and up|\+"
_LOW, _HIGH, _ONE = _amount("low"), _amount("high"), _amount("one")
_RANGES = (
    rf"(?:between|entre|zwischen|tra|fra|von|from|de|da|desde)\s+{_LOW}"
    rf"\s?(?:and|y|et|und|e|a i|a|bis|to|ate|hasta|-)\s{{0,2}}{_HIGH}",
    rf"{_LOW}\s?(?:-|–|~|〜|to|bis|カラ|에서|부터|到|至|à|a)\s?{_HIGH}(?P<must>)"
    r"(?:\s?(?:사이|マデ|之间|까지))?",
)
_WORD = r"(?<![a-z0-9])"
_PATTERNS = (
    ("range", _WORD + _RANGES[0] + r"(?![\d])"),
    ("range", r"(?<![\w.,])" + _RANGES[1] + r"(?![\d])"),
    ("below", rf"(?:{_WORD}(?:{_BELOW})|[<≤]=?)\s?{_ONE}(?!\d)(?!\s?%)"),
    ("below", rf"(?<![a-z0-9.,]){_ONE}\s?(?:{_BELOW_AFTER})"),
    ("above", rf"(?:{_WORD}(?:{_ABOVE})|[>≥]=?)\s?{_ONE}(?!\d)(?!\s?(?:%|s\b))"),
    ("above", rf"(?<![a-z0-9.,]){_ONE}\s?(?:{_ABOVE_AFTER})"),
)


@cache
def _readers() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Compiled when the first number is read: most queries have none."""
    return tuple((kind, re.compile(pattern)) for kind, pattern in _PATTERNS)


_SCALES = {"k": 1e3, "千": 1e3, "천": 1e3, "万": 1e4, "만": 1e4}
_SIZES = (
    r"(?<![a-z0-9])(?:(?:in )?size|talla|taille|grosse|groesse|taglia|tamanho|pointure|numero)"
    r"\s?(?:uk |us |eu )?(?P<a>\d{1,3}(?:[.,]5)?|[2-6]?x{0,3}[sml]|one size)(?![a-z0-9])"
    r"|(?:サイズ|사이즈|尺码)\s?(?P<b>\d{1,3}(?:[.,]5)?|[2-6]?x{0,3}[sml])(?![a-z0-9])"
    r"|(?<![a-z0-9])(?P<c>\d{1,3}(?:\.5)?|[2-6]?x{0,3}[sml])\s?-?(?:サイズ|사이즈|码|号)"
    r"|(?<![a-z0-9'’])(?P<d>x{1,4}[sl]|[2-6]xl)(?![a-z0-9])"
)


_SIZE_WORD = re.compile("x[sl]|xx|size|tal|tail|gros|tagl|tam|poin|nume|サイズ|사이즈|码|号")
"""What a size without a digit has in it; most queries have none of it."""


@cache
def _size_reader() -> re.Pattern[str]:
    return re.compile(_SIZES)


class Said(NamedTuple):
    """A price or a size, and where the normalised text says it."""

    start: int
    stop: int
    price: Price | None
    size: str | None


def numbers(text: str) -> tuple[Said, ...]:
    """Prices and sizes in a normalised text, left to right, none overlapping."""
    counted = any(letter.isdigit() for letter in text)
    if not counted and not _SIZE_WORD.search(text):
        return ()
    sized = _size_reader().finditer(text)
    found = [Said(m.start(), m.end(), None, _size(m)) for m in sized]
    if counted:
        found += _prices(text)
    out: list[Said] = []
    for said in sorted(found, key=lambda s: (s.start, -s.stop)):
        if not out or said.start >= out[-1].stop:
            out.append(said)
    return tuple(out)


def _size(found: re.Match[str]) -> str:
    return next(group for group in found.groups() if group).upper()


def _prices(text: str) -> list[Said]:
    found: list[Said] = []
    for kind, reader in _readers():
        for match in reader.finditer(text):
            said = _price(kind, match)
            clear = all(match.end() <= s.start or match.start() >= s.stop for s in found)
            if said is not None and clear:
                stop = match.start() + len(match.group().rstrip())
                found.append(Said(match.start(), stop, said, None))
    return found


def _price(kind: str, match: re.Match[str]) -> Price | None:
    groups = match.groupdict()
    signs = (groups.get(name) for name in ("lowa", "lowb", "higha", "highb", "onea", "oneb"))
    currency = next((_CODES[sign] for sign in signs if sign), None)
    if kind == "range":
        if "must" in groups and currency is None:
            return None
        low, high = _value(match["low"]), _value(match["high"])
        if low is None or high is None:
            return None
        return Price(min(low, high), max(low, high), currency)
    value = _value(match["one"])
    # "Air Max 90" is a shoe.
    if value is None or (currency is None and match.group().startswith(("max", "min", "des "))):
        return None
    return Price(None, value, currency) if kind == "below" else Price(value, None, currency)


def _value(written: str) -> float | None:
    scale = _SCALES.get(written[-1], 1.0)
    digits = written.rstrip("kx万千만천 ").replace(" ", "")
    *groups, last = re.split("[.,]", digits)
    try:
        if groups and len(last) != 3:
            return float("".join(groups) + "." + last) * scale
        return float("".join(groups) + last) * scale
    except ValueError:
        return None
