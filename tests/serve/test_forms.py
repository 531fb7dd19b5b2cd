"""Forms taken apart: against the library's own parser, cut off anywhere, and of any bytes."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from python_multipart.multipart import MultipartParser

from coordi.serve.errors import Refused
from coordi.serve.forms import MOST_FIELDS, _multipart

B = b"edge"
VALUES = st.one_of(
    st.binary(max_size=40),
    st.lists(st.sampled_from([b"\r\n", b"--", B, b"\r\n--", b"\r", b"\n", b"x", b":"])).map(
        b"".join
    ),
)
FIELDS = st.lists(st.tuples(st.sampled_from(["image", "text", "é"]), VALUES, st.booleans()))


def body_of(fields, padding=b"", preamble=b""):
    parts = [
        b"--" + B + padding + b'\r\nContent-Disposition: form-data; name="' + name.encode()
        + (b'"; filename="a.jpg"\r\nContent-Type: image/jpeg' if file else b'"')
        + b"\r\n\r\n" + value + b"\r\n"
        for name, value, file in fields
    ]  # fmt: skip
    return preamble + b"".join(parts) + b"--" + B + b"--\r\n"


def by_the_library(body):
    """Values of the parts as python-multipart finds them."""
    found = []
    parser = MultipartParser(
        B,
        {
            "on_part_begin": lambda: found.append(b""),
            "on_part_data": lambda data, start, end: found.append(found.pop() + data[start:end]),
        },
    )
    parser.write(body)
    parser.finalize()
    return found


@settings(max_examples=200, deadline=None)
@given(FIELDS)
def test_a_form_comes_back_as_it_was_sent(fields):
    assume(not any(b"\r\n--" + B in b"\r\n" + value for _, value, _ in fields))
    body = body_of(fields)
    found = _multipart(body, B)
    assert [name for name, _ in found] == [name for name, _, _ in fields]
    assert [value for _, value in found] == [
        value if file else value.decode("utf-8", "replace") for _, value, file in fields
    ]
    if fields:
        assert by_the_library(body) == [value for _, value, _ in fields]


def test_blanks_behind_a_delimiter_and_a_preamble_are_no_fault():
    body = body_of([("text", b"red", False)], padding=b" \t", preamble=b"for old programs\r\n")
    assert _multipart(body, B) == [("text", "red")]


@settings(max_examples=100, deadline=None)
@given(FIELDS.filter(bool), st.integers(0, 10_000))
def test_a_form_that_is_cut_off_is_refused(fields, place):
    assume(not any(B in value for _, value, _ in fields))
    body = body_of(fields)
    whole = len(body) - len(b"--\r\n")
    with pytest.raises(Refused, match="cut off"):
        _multipart(body[: place % whole], B)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([b"--", B, b"\r\n", b"\r\n\r\n", b"a", b":", b"="])).map(b"".join))
def test_any_bytes_are_a_form_or_refused(body):
    try:
        found = _multipart(body, B)
    except Refused:
        return
    assert all(isinstance(name, str) for name, _ in found)


def test_what_is_no_form_says_so():
    with pytest.raises(Refused, match="cannot be read"):
        _multipart(body_of([]), b"")
    with pytest.raises(Refused, match="cannot be read"):
        _multipart(b"--edge nonsense\r\n\r\nx\r\n--edge--", B)
    with pytest.raises(Refused, match=f"more than {MOST_FIELDS} fields"):
        _multipart(body_of([("text", b"", False)] * (MOST_FIELDS + 1)), B)
