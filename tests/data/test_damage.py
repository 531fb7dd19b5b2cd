"""Damaged catalogues: our errors alone, and rows that add up."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordi.data.catalog import open_catalog
from coordi.data.readers.parquet import open_parquet
from coordi.errors import CatalogError, MappingError, NotFoundError
from coordi.types import Item, Problem

ROWS = 40
TITLES = ["Tee", 'Cap "new"', "Größe, ñ", "赤いワンピース", "two\nlines", "x"]


def table():
    numbers = range(ROWS)
    return {
        "id": [f"item {n}" for n in numbers],
        "title": [TITLES[n % len(TITLES)] for n in numbers],
        "price": [f"{n},90 €" for n in numbers],
        "images": [f"a{n}.jpg, b{n}.jpg" if n % 3 else f"a{n}.jpg" for n in numbers],
    }


def as_csv(delimiter=",", encoding="utf-8"):
    columns = table()
    quoted = (
        '"' + str(cell).replace('"', '""') + '"'
        for row in zip(*columns.values(), strict=True)
        for cell in row
    )
    cells = list(quoted)
    width = len(columns)
    lines = [delimiter.join(cells[at : at + width]) for at in range(0, len(cells), width)]
    text = "\n".join([delimiter.join(columns), *lines]) + "\n"
    return text.encode(encoding, "replace")


def as_json(form):
    columns = table()
    objects = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if form == "lines":
        return "\n".join(json.dumps(one, ensure_ascii=False) for one in objects).encode()
    return json.dumps({"products": objects}, indent=1).encode()


def as_parquet():
    sink = pa.BufferOutputStream()
    image = pa.array([{"bytes": b"x" * 30, "path": None}] * ROWS)
    made = pa.table(table() | {"picture": image, "sizes": [["S", "M"]] * ROWS})
    pq.write_table(made, sink, row_group_size=9, write_page_checksum=True)
    return sink.getvalue().to_pybytes()


FILES = {
    "comma.csv": as_csv(),
    "semicolon.csv": b"sep=;\n" + as_csv(";"),
    "latin.csv": as_csv("\t", "cp1252"),
    "japanese.csv": as_csv(",", "cp932"),
    "wide.csv": as_csv(",", "utf-16"),
    "lines.jsonl": as_json("lines"),
    "document.json": as_json("document"),
    "rows.parquet": as_parquet(),
}


@st.composite
def damaged(draw):
    """(name, content): a file with bytes changed, cut out, or copied to another place."""
    name = draw(st.sampled_from(sorted(FILES)))
    content = bytearray(FILES[name])
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(content)))
        span = draw(st.integers(1, 60))
        match draw(st.sampled_from(["flip", "cut", "drop", "splice", "insert"])):
            case "flip":
                content[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "cut":
                del content[at:]
            case "drop":
                del content[at : at + span]
            case "splice":
                start = draw(st.integers(0, len(content)))
                content[at:at] = content[start : start + span]
            case "insert":
                content[at:at] = draw(st.binary(max_size=4) | st.sampled_from([b'"', b"\0", b"\n"]))
    return name, bytes(content)


@settings(deadline=None)
@given(damaged())
def test_a_damaged_catalogue_gives_rows_problems_or_an_error_of_ours(tmp_path_factory, damage):
    name, content = damage
    path = tmp_path_factory.mktemp("damaged") / name
    path.write_bytes(content)
    try:
        catalog = open_catalog(path)
    except (CatalogError, NotFoundError, MappingError):
        return
    rows = list(catalog.rows())
    assert all(isinstance(row, Item | Problem) for row in rows)
    lost = sum(row.rows for row in rows if isinstance(row, Problem))
    read = sum(isinstance(row, Item) for row in rows)
    assert read + lost == catalog.count
    assert all("\n" not in row.reason for row in rows if isinstance(row, Problem))
    for row in rows:
        if isinstance(row, Item):
            f"{row.id}{row.title}{row.fields}".encode()  # no halves of characters go in
    catalog.remarks()


@settings(deadline=None)
@given(st.integers(0, len(FILES["rows.parquet"]) - 1), st.binary(min_size=1, max_size=30))
def test_rows_of_damaged_parquet_add_up_to_what_the_file_states(tmp_path_factory, at, junk):
    content = bytearray(FILES["rows.parquet"])
    content[at : at + len(junk)] = junk
    path = tmp_path_factory.mktemp("damaged") / "c.parquet"
    path.write_bytes(content[: len(FILES["rows.parquet"])])
    try:
        opened = open_parquet(path)
        stated = pq.ParquetFile(path).metadata
    except (CatalogError, OSError):
        return
    groups = sum(stated.row_group(n).num_rows for n in range(stated.num_row_groups))
    rows = list(opened.records())
    lost = sum(row.rows for row in rows if isinstance(row, Problem))
    assert lost + sum(not isinstance(row, Problem) for row in rows) == groups


def test_a_damaged_row_group_says_how_many_rows_are_lost(tmp_path):
    made = pa.table({"id": [f"item {n}" for n in range(40)], "title": ["Tee"] * 40})
    path = tmp_path / "c.parquet"
    pq.write_table(made, path, row_group_size=10, use_dictionary=False, compression="none")
    content = bytearray(path.read_bytes())
    at = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    content[at : at + 40] = b"\xff" * 40
    path.write_bytes(content)
    catalog = open_catalog(path)
    rows = list(catalog.rows())
    (problem,) = (row for row in rows if isinstance(row, Problem))
    assert (len(rows) - 1, problem.rows, catalog.count) == (30, 10, 40)
    assert problem.origin.line == 11
    assert "rows 11 to 20 cannot be read" in problem.reason
    assert catalog.unknown({"item 1"}).startswith("nothing was pruned: 10 rows")


def test_rows_behind_a_damaged_group_keep_their_numbers(tmp_path):
    path = tmp_path / "c.parquet"
    pq.write_table(pa.table({"title": ["Tee"] * 40}), path, row_group_size=10, use_dictionary=False)
    content = bytearray(path.read_bytes())
    at = pq.ParquetFile(path).metadata.row_group(0).column(0).data_page_offset
    content[at : at + 20] = b"\xff" * 20
    path.write_bytes(content)
    items = [row for row in open_catalog(path).rows() if isinstance(row, Item)]
    assert [items[0].id, items[-1].id] == ["row-11", "row-40"]


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("row", ['1,"Tee', '1,"Tee\n2,"Cap"'])
def test_a_quote_that_is_never_closed_swallows_no_rows(tmp_path, row, end):
    path = tmp_path / "c.csv"
    path.write_text(f"id,title\n{row}\n3,Hat{end}")
    catalog = open_catalog(path)
    rows = list(catalog.rows())
    assert [r.id for r in rows if isinstance(r, Item)][-1] == "3"
    assert "quote" in next(r.reason for r in rows if isinstance(r, Problem))
    assert len(rows) == catalog.count


def test_a_file_cut_within_quotes_says_so(tmp_path):
    (tmp_path / "c.csv").write_text('id,title\n1,Tee\n2,"Red dr')
    rows = list(open_catalog(tmp_path / "c.csv").rows())
    assert isinstance(rows[1], Problem)
    assert "a quote is not closed" in rows[1].reason
