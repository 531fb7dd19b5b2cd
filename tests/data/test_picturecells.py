"""What picture cells list: one or several, as text, JSON, lists, objects and bytes."""

import base64
import json
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordi.data.picturecells import PICTURE_SUFFIXES, entries, split_names


@pytest.mark.parametrize(
    ("cell", "listed"),
    [
        ("", ()),
        (" ", ()),
        ("a.jpg", ("a.jpg",)),
        ("a.jpg,b.jpg", ("a.jpg", "b.jpg")),
        ("a.jpg, b.jpg; c.PNG | d.webp\ne.avif", ("a.jpg", "b.jpg", "c.PNG", "d.webp", "e.avif")),
        ("a.jpg,a.jpg", ("a.jpg",)),
        (",a.jpg,", ("a.jpg",)),
        ("red dress.jpg, blue dress.jpg", ("red dress.jpg", "blue dress.jpg")),
        ("red dress.jpg blue dress.jpg", ("red dress.jpg", "blue dress.jpg")),
        ("Foo, Inc dress.jpg", ("Foo, Inc dress.jpg",)),
        ("0108775015", ("0108775015",)),
        ("a;b", ("a;b",)),
        ("//x/a.jpg?v=1 //x/b.jpg", ("//x/a.jpg?v=1", "//x/b.jpg")),
        ("https://x/a?id=1,https://x/b?id=2", ("https://x/a?id=1", "https://x/b?id=2")),
        (
            "https://x/w_100,h_100/a.jpg,https://x/w_1,h_2/b.jpg?w=1,2",
            ("https://x/w_100,h_100/a.jpg", "https://x/w_1,h_2/b.jpg?w=1,2"),
        ),
        ('["https:\\/\\/x\\/a.jpg", "b.jpg"]', ("https://x/a.jpg", "b.jpg")),
        ("['a.jpg', 'b.jpg']", ("a.jpg", "b.jpg")),
        ('[{"src": "a.jpg"}, {"url": "b.jpg"}]', ("a.jpg", "b.jpg")),
        ("[a].jpg", ("[a].jpg",)),
        ("'red dress.jpg'", ("red dress.jpg",)),
        (["a.jpg", None, "", "b.jpg"], ("a.jpg", "b.jpg")),
        ([{"src": "a, b.jpg"}, {"url": "c.jpg"}], ("a, b.jpg", "c.jpg")),
        ({"path": "a.jpg"}, ("a.jpg",)),
        ({"bytes": b"x", "path": "a.jpg"}, (b"x",)),
        ({"bytes": None, "path": "a.jpg"}, ("a.jpg",)),
        ([{"bytes": b"x"}, {"bytes": b"y"}], (b"x", b"y")),
        ({"images": [{"src": "a.jpg"}]}, ("a.jpg",)),
        (b"x", (b"x",)),
        (b"", ()),
        (7, ()),
        (None, ()),
        ("data:image/png;base64," + base64.b64encode(b"//?/").decode(), (b"//?/",)),
    ],
)
def test_what_a_cell_lists(cell, listed):
    assert entries(cell) == listed


letters = st.text(string.ascii_letters + string.digits + "_-é画", min_size=1, max_size=6)
names = st.builds(
    lambda words, suffix: " ".join(words) + suffix,
    st.lists(letters, min_size=1, max_size=3),
    st.sampled_from(sorted(PICTURE_SUFFIXES)),
)
addresses = st.builds(
    lambda start, name, query: f"{start}x.example/{name.replace(' ', '%20')}{query}",
    st.sampled_from(["https://", "http://", "//"]),
    names,
    st.sampled_from(["", "?v=1", "?w=1,h=2", "#x"]),
)


@settings(deadline=None)
@given(
    st.lists(names, min_size=1, max_size=5, unique=True)
    | st.lists(addresses, min_size=1, max_size=5, unique=True),
    st.sampled_from([",", ", ", ";", " ; ", "|", "\n", " "]),
)
def test_what_was_joined_is_split_again(listed, mark):
    assert split_names(mark.join(listed)) == listed
    assert entries(json.dumps(listed)) == tuple(listed)
    assert entries(repr(listed)) == tuple(listed)


@settings(deadline=None)
@given(
    st.text() | st.lists(st.none() | st.text() | st.binary(max_size=4) | st.integers(), max_size=4)
)
def test_any_cell_is_listed_without_losing_letters(cell):
    listed = entries(cell)
    assert len(listed) == len(set(listed))
    assert all(listed)
    if isinstance(cell, str) and not cell.strip().startswith(("[", "{", "'", '"', "data:")):
        kept = "".join(entry for entry in listed if isinstance(entry, str))
        left_out = " \t\r\n,;|"
        assert not set(cell) - set(kept) - set(left_out) - {c for c in cell if c.isspace()}
