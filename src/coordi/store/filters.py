"""The filter language: `category = 'dress' and price < 50` → which rows pass.

    filter     := and-part ("or" and-part)*
    and-part   := not-part ("and" not-part)*
    not-part   := "not" not-part | "(" filter ")" | condition
    condition  := field ("=" | "!=" | "<" | "<=" | ">" | ">=" | "~") value
                | field ["not"] "in" "(" value ("," value)* ")"
                | field ["not"] "between" value "and" value
                | field ["not"] "like" text
                | field ["not"] "has" text                 (one of "S;M;L")
                | field "is" ["not"] "null"
                | field                                  (a yes/no field on its own)
    field      := name | `any name`
    value      := 'text' | "text" | number | true | false

At most 1,000 conditions and 10,000 values, nested at most 50 deep, numbers of at most 300 digits.
Comparisons are exact: a number that a field's type cannot hold lies above or below all of it.
Dates are text like 2024-03-01 or longer; < <= > >= and between with a year, a month or a day
compare a date's beginning of that length, so that `added <= '2024-03'` has all of March.

A condition on a missing value is false ("is null" apart), and "not" turns false into true: there
is no third truth value. So `not price < 50` keeps items without a price, `price >= 50` does not.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from coordi.errors import FilterError

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Compare:
    """`field operator value`; operator is one of = != < <= > >= ~ like has."""

    field: str
    operator: str
    value: Value
    at: int


@dataclass(frozen=True, slots=True)
class OneOf:
    """`field in (values)`."""

    field: str
    values: tuple[Value, ...]
    at: int


@dataclass(frozen=True, slots=True)
class IsNull:
    """`field is null`."""

    field: str
    at: int


@dataclass(frozen=True, slots=True)
class Not:
    """`not inner`."""

    inner: "Filter"


@dataclass(frozen=True, slots=True)
class Both:
    """`part and part and …`."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """`part or part or …`."""

    parts: tuple["Filter", ...]


Condition = Compare | OneOf | IsNull
Filter = Condition | Not | Both | Either

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<quoted>`(?:[^`]|``)+`)
    | (?P<word>[^\W\d]\w*)
    | (?P<sign><=|>=|!=|<>|==|[=<>~(),])
    )""",
    re.VERBOSE,
)
_WORDS = frozenset(["and", "or", "not", "in", "between", "like", "is", "null", "true", "false"])
_DEEPEST = 50
_MOST_CONDITIONS = 1_000
_MOST_VALUES = 10_000
_MOST_DIGITS = 300
_SHOWN = 200
"""Characters of a filter that a message shows to either side of the fault."""
_INT64 = range(-(2**63), 2**63)
_SAME = {"==": "=", "<>": "!="}
_OPERATORS = frozenset(["=", "!=", "<", "<=", ">", ">=", "~"])
_ORDERS = frozenset(["<", "<=", ">", ">="])
_TEXT_ONLY = frozenset(["~", "like", "has"])
_NUMBER = re.compile(r"\s*[-+]?[\d.,]*\d[\d.,]*\s*")
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d[\d:.]*\s*(Z|[+-]\d\d:?\d\d)?)?)?)?")
_DAY = len("2024-03-01")
_MOST_LOOKED_AT = 1_000
"""Values of a field that are looked at to see whether it holds dates."""

Cells = Callable[[str], Sequence[Any]]
"""A field's distinct values."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number, text, field, word, sign, end
    value: Any
    at: int


def parse(text: str) -> Filter:
    """Parse a filter; `FilterError` points at the place that does not fit."""
    return _Parser(text).whole()


def fail(text: str, at: int, message: str) -> NoReturn:
    """Raise a `FilterError` that shows the filter with a caret under position `at`."""
    start = max(0, at - _SHOWN)
    line = re.sub(r"\s", " ", text[start : at + _SHOWN])
    at -= start
    raise FilterError(f"{message}\n  {line}\n  {' ' * at}^")


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            fail(text, at, _stray(text[at]))
        kind = str(match.lastgroup)
        if kind == "number" and len(match[kind]) > _MOST_DIGITS:
            fail(text, match.start(kind), f"a number of more than {_MOST_DIGITS} digits")
        tokens.append(_token(kind, match[kind], match.start(kind)))
        at = match.end()
    return [*tokens, _Token("end", "the end", len(text))]


def _stray(character: str) -> str:
    if character in "'\"`":
        return f"this {character} is never closed"
    return f"{character!r} has no meaning in a filter"


def _token(kind: str, raw: str, at: int) -> _Token:
    if kind == "number":
        return _Token(kind, float(raw) if re.search(r"[.eE]", raw) else int(raw), at)
    if kind in ("text", "quoted"):
        inner = raw[1:-1].replace(raw[0] * 2, raw[0])
        return _Token("text" if kind == "text" else "field", inner, at)
    if kind == "word":
        known = raw.lower() in _WORDS
        return _Token("word" if known else "field", raw.lower() if known else raw, at)
    return _Token(kind, _SAME.get(raw, raw), at)


class _Parser:
    """Recursive descent over the tokens; one method per line of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0
        self._conditions = 0
        self._values = 0

    def whole(self) -> Filter:
        if self._peek().kind == "end":
            raise FilterError("the filter is empty; leave it out, or write field = 'value'")
        found = self._either()
        if self._peek().kind != "end":
            self._expected("and, or, or the end")
        return found

    def _either(self) -> Filter:
        parts = [self._both()]
        while self._takes("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _both(self) -> Filter:
        parts = [self._negated()]
        while self._takes("and"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _negated(self) -> Filter:
        self._depth += 1
        if self._depth > _DEEPEST:
            fail(self._text, self._peek().at, f"nested more than {_DEEPEST} deep")
        try:
            return self._simple()
        finally:
            self._depth -= 1

    def _simple(self) -> Filter:
        if self._takes("not"):
            return Not(self._negated())
        if self._takes("("):
            inner = self._either()
            self._needs(")")
            return inner
        return self._condition()

    def _condition(self) -> Filter:
        token = self._peek()
        if token.kind != "field":
            self._expected("a field's name")
        self._conditions += 1
        if self._conditions > _MOST_CONDITIONS:
            fail(self._text, token.at, f"more than {_MOST_CONDITIONS:,} conditions; use in (…)")
        self._next += 1
        if self._takes("is"):
            negated = self._takes("not")
            self._needs("null")
            null = IsNull(token.value, token.at)
            return Not(null) if negated else null
        if self._takes("not"):
            return Not(self._named(token))
        sign = self._peek()
        if sign.kind == "sign" and sign.value in _OPERATORS:
            self._next += 1
            return self._compare(token, sign.value)
        if sign.value in ("in", "between", "like") and sign.kind == "word":
            return self._named(token)
        if self._has_next():
            return self._named(token)
        return self._alone(token)

    def _alone(self, token: _Token) -> Filter:
        # A bare name is a condition only where the grammar could end one here.
        following = self._peek()
        if following.kind != "end" and following.value not in ("and", "or", ")"):
            self._expected("=, !=, <, <=, >, >=, ~, in, between, like, has or is")
        return Compare(token.value, "=", True, token.at)

    def _named(self, token: _Token) -> Filter:
        if self._takes("in"):
            return self._one_of(token)
        if self._takes("between"):
            low = self._compare(token, ">=")
            self._needs("and")
            return Both((low, self._compare(token, "<=")))
        if self._takes("like"):
            return self._compare(token, "like")
        if self._has_next():
            self._next += 1
            return self._compare(token, "has")
        return self._expected("in, between, like or has")

    def _has_next(self) -> bool:
        # No word of its own, so that a field of this name needs no backticks.
        token = self._peek()
        return token.kind == "field" and str(token.value).lower() == "has"

    def _one_of(self, token: _Token) -> Filter:
        self._needs("(")
        values = [self._value()]
        while self._takes(","):
            values.append(self._value())
        self._needs(")")
        return OneOf(token.value, tuple(values), token.at)

    def _compare(self, token: _Token, operator: str) -> Filter:
        at = self._peek().at
        value = self._value()
        if operator in _TEXT_ONLY and not isinstance(value, str):
            fail(self._text, at, f"{operator} needs a text in quotes")
        return Compare(token.value, operator, value, token.at)

    def _value(self) -> Value:
        token = self._peek()
        self._values += 1
        if self._values > _MOST_VALUES:
            fail(self._text, token.at, f"more than {_MOST_VALUES:,} values")
        if token.kind in ("number", "text"):
            self._next += 1
            value: Value = token.value
            return value
        if token.kind == "word" and token.value in ("true", "false"):
            self._next += 1
            return bool(token.value == "true")
        if token.value == "null":
            fail(self._text, token.at, "nothing equals null; write: is null, or: is not null")
        hint = f" (did you mean '{token.value}', with quotes?)" if token.kind == "field" else ""
        return self._expected(f"a value{hint}")

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _takes(self, value: str) -> bool:
        token = self._peek()
        if token.kind in ("word", "sign") and token.value == value:
            self._next += 1
            return True
        return False

    def _needs(self, value: str) -> None:
        if not self._takes(value):
            self._expected(value)

    def _expected(self, what: str) -> NoReturn:
        token = self._peek()
        fail(self._text, token.at, f"expected {what}, found {token.value!r}")


def conditions(filter: Filter) -> Iterator[Condition]:
    """All conditions of a filter, left to right."""
    waiting = [filter]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Not):
            waiting.append(part.inner)
        elif isinstance(part, Both | Either):
            waiting.extend(reversed(part.parts))
        else:
            yield part


def conjuncts(filter: Filter) -> list[Filter]:
    """The parts that must all hold, taken apart as far as they are joined by `and` alone."""
    if not isinstance(filter, Both):
        return [filter]
    return [inner for part in filter.parts for inner in conjuncts(part)]


def listed(cell: str) -> list[str]:
    """The values of a cell that holds several, such as "S;M;L", each once."""
    return list(dict.fromkeys(part.strip() for part in cell.split(";") if part.strip()))


def check(filter: Filter, text: str, kinds: Mapping[str, str], cells: Cells | None = None) -> None:
    """Check names and types against the fields' kinds; `FilterError` says what does not fit.

    `cells` gives the values of a field, for messages that name one and to tell dates from texts.
    """
    for condition in conditions(filter):
        _check_condition(condition, text, kinds, cells or _no_cells)


def _no_cells(_name: str) -> Sequence[Any]:
    return ()


def _check_condition(filter: Condition, text: str, kinds: Mapping[str, str], cells: Cells) -> None:
    if filter.field not in kinds:
        fail(text, filter.at, unknown(filter.field, kinds))
    kind = kinds[filter.field]
    if isinstance(filter, IsNull):
        return
    wrong = partial(fail, text, filter.at)
    if isinstance(filter, OneOf):
        for value in filter.values:
            _check_value(filter.field, kind, value, "in", cells, wrong)
        return
    _check_value(filter.field, kind, filter.value, filter.operator, cells, wrong)
    if kind == "text" and filter.operator in _ORDERS:
        _check_order(str(filter.value), filter.field, cells, wrong)


def unknown(name: str, kinds: Mapping[str, str]) -> str:
    """The sentence for a field that no item has: what it may have meant, and what there is."""
    folded = {known.lower(): known for known in kinds}
    near = [folded[match] for match in get_close_matches(name.lower(), folded, n=3)]
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    shown = ", ".join(sorted(kinds)[:30])
    return f"no item has a field named {name!r}.{hint} Fields: {shown}."


def _check_value(
    name: str,
    kind: str,
    value: Value,
    operator: str,
    cells: Cells,
    wrong: Callable[[str], NoReturn],
) -> None:
    if _value_kind(value) != ("number" if kind == "integer" else kind):
        if kind == "text" and operator in _ORDERS:
            wrong(_text_not_number(name, cells))
        example = {"text": "'value'", "boolean": "true"}.get(kind, "50")
        if kind == "text" and _value_kind(value) == "number":
            example = f"'{value}'"
        wrong(f"{name} is {_article(kind)}; compare it with something like {example}")
    if operator in _TEXT_ONLY and kind != "text":
        wrong(f"{name} is {_article(kind)}; {operator} works on text")
    if kind == "boolean" and operator not in ("=", "!=", "in"):
        wrong(f"{name} is {_article(kind)}; use = or !=")


def _text_not_number(name: str, cells: Cells) -> str:
    """Why a text field has no order of numbers. In quotes '100' would come before '50'."""
    odd = next((cell for cell in cells(name) if not _NUMBER.fullmatch(str(cell))), None)
    because = f" (one of its values is {str(odd)[:40]!r})" if odd is not None else ""
    return (
        f"{name} is text{because}, and text cannot be above or below a number. Make its cells "
        "numbers in the catalogue and ingest it again; = and in with a text in quotes work as it is"
    )


def _check_order(value: str, name: str, cells: Cells, wrong: Callable[[str], NoReturn]) -> None:
    """Refuse what would be compared letter by letter and was meant as a number or a date."""
    looks_like_one = _NUMBER.fullmatch(value) or re.match(r"\s*\d+[-./ ]", value)
    if not looks_like_one or not (known := cells(name)):
        return
    if not _holds_dates(known):
        if _NUMBER.fullmatch(value):
            wrong(_text_not_number(name, cells))
        return
    if not _DATE.fullmatch(value):
        wrong(f"{name} holds dates; write this one as year, month and day, such as '2024-03-01'")


def _holds_dates(values: Sequence[Any]) -> bool:
    looked_at = values[:_MOST_LOOKED_AT]
    return bool(looked_at) and all(
        len(str(value)) >= _DAY and _DATE.fullmatch(str(value)) for value in looked_at
    )


def _value_kind(value: Value) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "text" if isinstance(value, str) else "number"


def _article(kind: str) -> str:
    return {"boolean": "a yes/no field", "text": "text"}.get(kind, "a number")


def evaluate(filter: Filter, column: Callable[[str], Any]) -> Any:
    """Evaluate a checked filter over Arrow columns → a boolean Arrow array without nulls.

    Depth is bounded by the parser; lists of parts are worked off one by one, whatever their length.
    """
    if isinstance(filter, Not):
        return pc.invert(evaluate(filter.inner, column))
    if isinstance(filter, Both | Either):
        join = pc.and_ if isinstance(filter, Both) else pc.or_
        found = evaluate(filter.parts[0], column)
        for part in filter.parts[1:]:
            found = join(found, evaluate(part, column))
        return found
    cells = column(filter.field)
    if isinstance(filter, IsNull):
        return pc.is_null(cells)
    return pc.fill_null(_condition(filter, cells), False)


def _condition(filter: Compare | OneOf, cells: Any) -> Any:
    if isinstance(filter, Compare):
        return _compare(cells, filter.operator, filter.value)
    known = [
        value for value in map(partial(_exact, cells.type), filter.values) if value is not None
    ]
    return pc.is_in(cells, value_set=pa.array(known, cells.type))


def _compare(cells: Any, operator: str, value: Value) -> Any:
    if operator == "~":
        return pc.match_substring(cells, value, ignore_case=True)
    if operator == "like":
        return pc.match_like(cells, value, ignore_case=True)
    if operator == "has":
        known = pc.unique(cells).drop_null().to_pylist()
        having = [cell for cell in known if str(value).strip() in listed(cell)]
        return pc.is_in(cells, value_set=pa.array(having, cells.type))
    if operator in _ORDERS and isinstance(value, str) and _DATE.fullmatch(value):
        cells = pc.utf8_slice_codeunits(cells, 0, len(value))
    exact = _exact(cells.type, value)
    if exact is None:
        assert not isinstance(value, str)
        return _between(cells, operator, value)
    names = {"=": "equal", "!=": "not_equal", "<": "less", "<=": "less_equal"}
    names |= {">": "greater", ">=": "greater_equal"}
    return pc.call_function(names[operator], [cells, pa.scalar(exact, cells.type)])


def _exact(kind: Any, value: Value) -> Value | None:
    """The value in a column's type; None where that type has no such value."""
    if kind == pa.float64():
        rounded = float(value)
        return rounded if rounded == value else None
    if kind == pa.int64() and not isinstance(value, str):
        whole = value == math.floor(value) if math.isfinite(value) else False
        return int(value) if whole and int(value) in _INT64 else None
    return value


def _between(cells: Any, operator: str, value: float) -> Any:
    """Compare with a number that lies between two of the column's values, or outside them all."""
    if operator in ("=", "!="):
        return _constant(cells, operator == "!=")
    if cells.type == pa.float64():
        # An integer that no float is: the nearest float lies on one side of it.
        nearest = float(value)
        above = nearest > value
        test = {
            True: {"<": "less", "<=": "less", ">": "greater_equal", ">=": "greater_equal"},
            False: {"<": "less_equal", "<=": "less_equal", ">": "greater", ">=": "greater"},
        }
        return pc.call_function(test[above][operator], [cells, pa.scalar(nearest)])
    if not math.isfinite(value) or math.floor(value) not in _INT64:
        return _constant(cells, (value > 0) == (operator in ("<", "<=")))
    below = pa.scalar(math.floor(value), cells.type)
    return pc.less_equal(cells, below) if operator in ("<", "<=") else pc.greater(cells, below)


def _constant(cells: Any, answer: bool) -> Any:
    """The same answer for every value, and none for a missing one."""
    return pc.if_else(pc.is_valid(cells), pa.scalar(answer), pa.scalar(None, pa.bool_()))
