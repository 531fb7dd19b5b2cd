"""What cells of fields mean: nothing, yes and no, dates, and what makes a column text."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordi.data.catalog import open_catalog
from coordi.data.dates import iso, orders_of
from coordi.types import Item


def field(tmp_path, *cells: str):
    """Values of a field whose column holds these cells, its kind, and the notes about it."""
    lines = [f'{number},Tee,"{cell}"\n' for number, cell in enumerate(cells, 1)]
    path = tmp_path / "c.csv"
    path.write_text("id,title,about\n" + "".join(lines), "utf-8")
    catalog = open_catalog(path)
    items = [row for row in catalog.rows() if isinstance(row, Item)]
    notes = [note for note in catalog.notes if "column about" in note]
    return [item.fields["about"] for item in items], catalog.field_types["about"], notes


@pytest.mark.parametrize(
    ("cells", "values", "kind"),
    [
        (("1", "N/A", "2", "-"), [1, None, 2, None], "integer"),
        (("1.5", "NaN", "NULL", "None"), [1.5, None, None, None], "number"),
        (("1", "#N/A", "nan", "—"), [1, None, None, None], "integer"),
        (("yes", "no", "YES", "n/a"), [True, False, True, None], "boolean"),
        (("ja", "nein"), [True, False], "boolean"),
        (("in stock", "out of stock"), [True, False], "boolean"),
        (("in_stock", "preorder"), ["in_stock", "preorder"], "text"),
        (("在庫あり", "在庫なし"), [True, False], "boolean"),
        (("2026-01-05", "2026/2/3", "-"), ["2026-01-05", "2026-02-03", None], "date"),
        (("31.12.2025", "01.02.2026"), ["2025-12-31", "2026-02-01"], "date"),
        (("12/31/2025", "1/2/2026"), ["2025-12-31", "2026-01-02"], "date"),
        (("2026-01-05T08:30:00Z",), ["2026-01-05T08:30:00+00:00"], "date"),
        (("2026-01-05 8:30",), ["2026-01-05T08:30:00"], "date"),
        (("01/02/2026", "03/04/2026"), ["01/02/2026", "03/04/2026"], "text"),
        (("31/12/2025", "12/31/2025"), ["31/12/2025", "12/31/2025"], "text"),
        (("2026-02-30",), ["2026-02-30"], "text"),
        (("N/A", "-"), ["N/A", "-"], "text"),
        (("None", "cotton"), ["None", "cotton"], "text"),
        (("1", "x"), ["1", "x"], "text"),
    ],
)
def test_a_column_is_what_all_of_its_cells_are(tmp_path, cells, values, kind):
    got, found, _ = field(tmp_path, *cells)
    assert (got, found) == (values, kind)


def test_cells_that_make_a_column_text_are_named(tmp_path):
    _, kind, notes = field(tmp_path, *map(str, range(30)), "call us", "ask")
    assert kind == "text"
    (note,) = notes
    assert "because of 'call us' (" in note
    assert "c.csv:32), 'ask' (" in note
    assert note.endswith("its 30 other values are numbers, dates or yes and no")
    assert field(tmp_path, *"abcdef", "1")[2] == []


def test_what_was_read_otherwise_than_written_is_said(tmp_path):
    assert field(tmp_path, "1", "N/A", "-")[2] == [
        "column about: 2 cells such as N/A were taken as empty"
    ]
    assert "written day, month, year" in field(tmp_path, "31.12.2025")[2][0]
    assert "cannot be told apart" in field(tmp_path, "01/02/2026")[2][0]


@given(st.dates(), st.sampled_from("-/."))
def test_a_date_is_found_in_its_order(date: datetime.date, sign: str):
    parts = {"y": f"{date.year:04}", "m": str(date.month), "d": str(date.day)}
    for order in ("ymd", "dmy", "mdy"):
        written = sign.join(parts[part] for part in order)
        assert iso(written, order) == date.isoformat()
        assert order in orders_of(written)


@given(st.text(max_size=30))
def test_what_is_no_date_is_none(text: str):
    for order in orders_of(text):
        assert datetime.datetime.fromisoformat(iso(text, order) or "")


@pytest.mark.parametrize("name", ["Währung", "devise", "通貨"])
def test_a_column_of_the_currency_is_known_in_other_languages(tmp_path, name):
    (tmp_path / "c.csv").write_text(f"id,title,price,{name}\n1,Tee,19.90,EUR\n", "utf-8")
    catalog = open_catalog(tmp_path / "c.csv")
    assert [item.fields for item in catalog.rows()] == [{"price": 19.9, "currency": "EUR"}]
    assert f"column {name} is the field currency" in catalog.notes
