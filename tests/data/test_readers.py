"""CSV, JSON Lines, Parquet and hub readers: what they read, and what they say of bad rows."""

import csv
import io
import json
import sys
import types

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordi.data.readers.delimited import open_delimited, unique_names
from coordi.data.readers.hub import open_hub
from coordi.data.readers.jsonlines import open_jsonlines
from coordi.data.readers.parquet import open_parquet
from coordi.errors import CatalogError, MissingExtraError
from coordi.types import Problem


def write(folder, content, name="c.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def read(table):
    """Rows as (line, values) and problems as (line, reason)."""
    good, bad = [], []
    for record in table.records():
        if isinstance(record, Problem):
            bad.append((record.origin.line, record.reason))
        else:
            good.append((record.origin.line, dict(record.values)))
    return good, bad


cell = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = st.lists(st.from_regex(r"[a-z]{1,6}", fullmatch=True), min_size=2, max_size=4, unique=True)


@settings(deadline=None)
@given(
    names,
    st.lists(st.lists(cell, min_size=4, max_size=4), max_size=6),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_csv_comes_back_as_it_was_written(
    tmp_path_factory, header, rows, delimiter, encoding, end, quote_all
):
    rows = [row[: len(header)] for row in rows]
    # The writer leaves a lone carriage return without quotes, which ends the line for a reader.
    quote_all = quote_all or any("\r" in value for row in rows for value in row)
    out = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
    starts = []
    for row in [header, *rows]:
        starts.append(_physical_lines(out.getvalue()) + 1)
        writer.writerow(row)
    path = tmp_path_factory.mktemp("csv") / "c.csv"
    path.write_bytes(out.getvalue().encode(encoding))
    good, bad = read(open_delimited(path))
    assert bad == []
    assert [tuple(values.values()) for _, values in good] == [tuple(row) for row in rows]
    assert [line for line, _ in good] == starts[1:]
    assert all(tuple(values) == tuple(header) for _, values in good)


def _physical_lines(text):
    return text.replace("\r\n", "\n").replace("\r", "\n").count("\n")


def test_rows_of_the_wrong_width_are_problems_with_their_line(tmp_path):
    path = write(tmp_path, 'a,b\n1,"x\ny"\n2\n3,4,5\n6,7,,\n\n8,9\n')
    good, bad = read(open_delimited(path))
    assert [(line, row["a"]) for line, row in good] == [(2, "1"), (6, "6"), (8, "8")]
    assert [line for line, _ in bad] == [4, 5]
    assert "1 values where the header has 2" in bad[0][1]
    assert "quotes" in bad[1][1]


def test_an_unclosed_quote_costs_its_own_line_only(tmp_path):
    rows = "".join(f"{i},title {i}\n" for i in range(4, 40))
    path = write(tmp_path, f'a,b\n1,one\n"2,two\n3,"thr""ee"\n{rows}')
    good, bad = read(open_delimited(path))
    assert [line for line, _ in bad] == [3]
    assert "quote not closed" in bad[0][1]
    assert [line for line, _ in good] == [2, *range(4, 41)]
    assert good[1][1]["b"] == 'thr"ee'


def test_an_unclosed_quote_before_a_long_file_is_still_one_problem(tmp_path):
    rows = "".join(f"{i},{'x' * 50}\n" for i in range(5000))
    good, bad = read(open_delimited(write(tmp_path, f'a,b\n"0,zero\n{rows}')))
    assert [line for line, _ in bad] == [2]
    assert len(good) == 5000
    assert good[-1][0] == 5002


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_with_and_without_a_mark(tmp_path, encoding):
    path = write(tmp_path, "id;title\n1;Größe, ñ\n", encoding=encoding)
    table = open_delimited(path)
    assert read(table)[0] == [(2, {"id": "1", "title": "Größe, ñ"})]
    assert bool(table.notes) == (encoding in ("utf-16-le", "utf-16-be"))


def test_latin_1_is_read_and_said(tmp_path):
    table = open_delimited(write(tmp_path, "id,title\n1,plain\n2,Größe\n", encoding="latin-1"))
    assert read(table)[0][1][1]["title"] == "Größe"
    assert "line 3" in table.notes[0]
    assert "Windows-1252" in table.notes[0]


def test_one_broken_byte_in_a_utf8_file_is_one_problem(tmp_path):
    content = "id,title\n1,Größe\n2,é\n".encode() + b"3,\xff\n4,ok\n"
    table = open_delimited(write(tmp_path, content))
    good, bad = read(table)
    assert [row["id"] for _, row in good] == ["1", "2", "4"]
    assert bad[0][0] == 4
    assert "bytes that are no text" in bad[0][1]


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_the_csv_reader_fail(tmp_path_factory, content):
    path = write(tmp_path_factory.mktemp("csv"), b"id,title\n" + content)
    good, bad = read(open_delimited(path))
    lines = [line for line, _ in [*good, *bad]]
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_an_empty_file_is_refused(tmp_path, content):
    with pytest.raises(CatalogError, match="is empty"):
        open_delimited(write(tmp_path, content))
    with pytest.raises(CatalogError, match="is empty"):
        open_jsonlines(write(tmp_path, content))


def test_header_names_are_made_unique():
    assert unique_names(["", "a", " a ", "b"]) == ("column_1", "a", "a_3", "b")
    assert len(set(unique_names(["a", "a_3", "a"]))) == 3


def test_jsonl_reports_each_line_that_is_no_object(tmp_path):
    lines = ['{"id": 1, "title": "é"}', '{"id": 2', "[1]", "", "7", '{"id": 3}', "{}", "nul"]
    good, bad = read(open_jsonlines(write(tmp_path, "\ufeff" + "\n".join(lines))))
    assert [(line, row.get("id")) for line, row in good] == [(1, 1), (6, 3), (7, None)]
    assert [line for line, _ in bad] == [2, 3, 5, 8]
    assert "not valid JSON" in bad[0][1]
    assert "JSON list" in bad[1][1]


words = st.text(st.characters(exclude_categories=["Cs"]))
json_rows = st.lists(st.dictionaries(words, st.none() | st.booleans() | words), min_size=1)


@settings(deadline=None)
@given(json_rows, st.booleans())
def test_jsonl_comes_back_as_it_was_written(tmp_path_factory, rows, escape):
    text = "\n".join(json.dumps(row, ensure_ascii=escape) for row in rows)
    path = write(tmp_path_factory.mktemp("jsonl"), text, "c.jsonl")
    good, bad = read(open_jsonlines(path))
    assert (good, bad) == (list(enumerate(rows, 1)), [])


def test_half_a_character_is_a_problem(tmp_path):
    lines = ['{"id": "\\ud83d\\ude00"}', '{"id": "\\ud83d"}', '{"\\uDE00": 1}']
    good, bad = read(open_jsonlines(write(tmp_path, "\n".join(lines))))
    assert good == [(1, {"id": "\U0001f600"})]
    assert [line for line, _ in bad] == [2, 3]
    assert "surrogate" in bad[0][1]


def test_deep_json_is_a_problem_not_a_crash(tmp_path):
    path = write(tmp_path, '{"a": ' + "[" * 100_000 + "\n" + '{"id": 1}\n')
    good, bad = read(open_jsonlines(path))
    assert (len(good), len(bad)) == (1, 1)


@pytest.mark.parametrize(
    "text",
    [
        '[{"id": 1},\n{"id": 2}]',
        '[\n  {\n "id": 1},\n  {"id": 2}\n]\n',
        '{\n  "products": [\n    {"id": 1},\n    {"id": 2}\n  ],\n "next": null}',
        '{"products": [{"id": 1}, {"id": 2}]}',
    ],
)
def test_a_json_document_of_objects_is_read(tmp_path, text):
    good, bad = read(open_jsonlines(write(tmp_path, text, "c.json")))
    assert [row["id"] for _, row in good] == [1, 2]
    assert bad == []


def test_a_json_document_says_where_it_is_damaged(tmp_path):
    text = '[\n{"id": 1},\n{"id": 2},\n7,\n{"id": "\\ud800"},\n{"id": 4},\n{"id": 5'
    good, bad = read(open_jsonlines(write(tmp_path, text, "c.json")))
    assert [line for line, _ in good] == [2, 3, 6]
    assert [line for line, _ in bad] == [4, 5, 7]
    assert "nothing behind it was read" in bad[-1][1]
    cut = open_jsonlines(write(tmp_path, '[{"id": 1},', "cut.json"))
    (problem,) = (row for row in cut.records() if isinstance(row, Problem))
    assert problem.rows == 1  # at least: nothing may be pruned by such a file
    assert "cut off" in problem.reason


def test_json_lines_that_begin_with_a_list_stay_lines(tmp_path):
    text = '{"images": [{"src": "a"}], "id": 1}\n{"images": [], "id": 2}\n'
    good, bad = read(open_jsonlines(write(tmp_path, text, "c.json")))
    assert [row["id"] for _, row in good] == [1, 2]
    assert bad == []


def test_parquet_pictures_vectors_and_scalars(tmp_path):
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table(
        {
            "id": [1, 2],
            "image": pa.array([{"bytes": b"x", "path": "1.jpg"}, None], image),
            "sizes": [["S", "M"], []],
            "vector": pa.array([[0.5], [1.0]], pa.list_(pa.float32())),
        }
    )
    pq.write_table(table, tmp_path / "c.parquet")
    opened = open_parquet(tmp_path / "c.parquet")
    assert opened.columns == ("id", "image", "sizes")
    assert opened.pictures == ("image",)
    assert "vector" in opened.notes[0]
    first, second = read(opened)[0]
    assert first == (1, {"id": 1, "image": {"bytes": b"x", "path": "1.jpg"}, "sizes": ["S", "M"]})
    assert second[1]["image"] is None
    assert [set(r.values) for r in opened.records(("image",))] == [{"id", "sizes"}] * 2


def test_parquet_without_its_end_is_refused(tmp_path):
    pq.write_table(pa.table({"id": list(range(100))}), tmp_path / "c.parquet")
    content = (tmp_path / "c.parquet").read_bytes()
    with pytest.raises(CatalogError, match="not a readable Parquet file"):
        open_parquet(write(tmp_path, content[:-20], "cut.parquet"))


def test_damage_inside_parquet_is_a_problem(tmp_path):
    table = pa.table({"id": [f"item {i}" for i in range(150)]})
    pq.write_table(table, tmp_path / "c.parquet", row_group_size=50, use_dictionary=False)
    content = bytearray((tmp_path / "c.parquet").read_bytes())
    at = pq.ParquetFile(tmp_path / "c.parquet").metadata.row_group(1).column(0).data_page_offset
    content[at : at + 40] = b"\xff" * 40
    good, bad = read(open_parquet(write(tmp_path, bytes(content), "broken.parquet")))
    assert [line for line, _ in good] == [*range(1, 51), *range(101, 151)]
    assert len(bad) == 1
    assert bad[0][0] == 51
    assert "rows 51 to 100 cannot be read" in bad[0][1]


class FakeImage:
    def __init__(self, decode=True):
        self.decode = decode


class FakeData:
    """The part of datasets.Dataset that the reader uses."""

    def __init__(self, rows, features):
        self.rows, self.features = rows, features

    @property
    def column_names(self):
        return list(self.features)

    def cast_column(self, name, kind):
        return FakeData(self.rows, {**self.features, name: kind})

    def select_columns(self, names):
        return FakeData(self.rows, {name: self.features[name] for name in names})

    def __iter__(self):
        for row in self.rows:
            kinds = self.features
            assert not any(isinstance(k, FakeImage) and k.decode for k in kinds.values())
            yield {name: row[name] for name in kinds}


@pytest.fixture
def hub(monkeypatch):
    asked = []

    def load_dataset(name, split):
        asked.append((name, split))
        if split != "train":
            raise ValueError("Unknown split")
        rows = [{"image": {"bytes": b"x", "path": None}, "title": f"tee {i}"} for i in range(2)]
        return FakeData(rows, {"image": FakeImage(), "title": "string"})

    module = types.SimpleNamespace(load_dataset=load_dataset, Image=FakeImage)
    monkeypatch.setitem(sys.modules, "datasets", module)
    return asked


def test_hub_pictures_are_not_decoded(hub):
    table = open_hub("hf:owner/clothes")
    assert hub == [("owner/clothes", "train")]
    assert table.pictures == ("image",)
    assert [dict(r.values) for r in table.records(("image",))] == [
        {"title": "tee 0"},
        {"title": "tee 1"},
    ]
    records = list(table.records())
    assert records[1].values["image"] == {"bytes": b"x", "path": None}
    assert str(records[1].origin) == "owner/clothes:train:2"


def test_a_split_that_is_not_there(hub):
    with pytest.raises(CatalogError, match="split val: Unknown split"):
        open_hub("owner/clothes:val")


def test_without_the_package_the_install_command_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'coordi\[datasets\]'"):
        open_hub("owner/clothes")


# what spreadsheets and shops really write


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sep=;\nid;title\n1;Tee, red\n", {"id": "1", "title": "Tee, red"}),
        ('"sep=,"\nid,title\n1,Tee\n', {"id": "1", "title": "Tee"}),
        ('id, title\n1, "Tee, red"\n2, "Cap"\n', {"id": "1", "title": "Tee, red"}),
        ('id,title\n1,"12\\" vinyl, black"\n2,x\n', {"id": "1", "title": '12" vinyl, black'}),
        ('id,title\n1,"a \\"b\\" c"\n2,x\n', {"id": "1", "title": 'a "b" c'}),
        ('id,title\n="00123",Tee\n', {"id": "00123", "title": "Tee"}),
        ('id,title\n"=""00123""",Tee\n', {"id": "00123", "title": "Tee"}),
        ('id,title\n1,"C:\\dir\\"\n', {"id": "1", "title": "C:\\dir\\"}),
        ('id,title\n1,5\\" screen\n', {"id": "1", "title": '5\\" screen'}),
    ],
)
def test_ways_of_writing_csv(tmp_path, text, expected):
    good, bad = read(open_delimited(write(tmp_path, text)))
    assert bad == []
    assert good[0][1] == expected


def test_lines_are_counted_from_the_first_of_the_file(tmp_path):
    good, _ = read(open_delimited(write(tmp_path, "sep=;\nid;title\n1;Tee\n")))
    assert good[0][0] == 3


def test_backslashes_before_quotes_are_said(tmp_path):
    path = write(tmp_path, 'id,title\n1,"a \\"b, c\\" d"\n2,"e\n\\"f\\""\n')
    table = open_delimited(path)
    assert [row["title"] for _, row in read(table)[0]] == ['a "b, c" d', 'e\n"f"']
    assert "writes quotes within values" in table.notes[0]


def test_an_unclosed_quote_among_backslashes_costs_its_own_line_only(tmp_path):
    path = write(tmp_path, 'id,title\n1,"a \\"b\\" c"\n2,"open\n3,Hat\n4,Cap\n')
    good, bad = read(open_delimited(path))
    assert [row["id"] for _, row in good] == ["1", "3", "4"]
    assert [line for line, _ in bad] == [3]


def test_a_cell_of_more_than_128_kib_is_read(tmp_path):
    text = "long text " * 20_000
    good, bad = read(open_delimited(write(tmp_path, f"id,title\n1,{text}\n2,x\n")))
    assert bad == []
    assert good[0][1]["title"] == text


JAPANESE = "番号,商品名\n1,赤いワンピース\n2,紺のシャツ 表示\n"


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        (JAPANESE, "cp932", "Shift_JIS"),
        (JAPANESE, "euc_jp", "EUC-JP"),
        ("번호,상품명\n1,빨간 원피스\n2,파란 셔츠\n", "euc_kr", "EUC-KR"),
        ("编号,商品名称\n1,红色连衣裙\n2,蓝色衬衫\n", "gbk", "GB18030"),
        ("編號,商品名稱\n1,紅色連衣裙\n2,藍色襯衫\n", "big5", "Big5"),
        ("код,название\n1,Красное платье\n2,Синяя рубашка\n", "cp1251", "Windows-1251"),
        ("id,titre\n1,Robe d'été brodée à pois\n2,Écharpe légère\n", "cp1252", "Windows-1252"),
        ("id,titel\n1,Größe Ärmel süß\n2,Röcke für Mädchen\n", "latin-1", "Windows-1252"),
    ],
)
def test_encodings_are_guessed_by_their_letters_and_said(tmp_path, text, encoding, name):
    table = open_delimited(write(tmp_path, text, encoding=encoding))
    assert f"was read as {name}" in table.notes[0]
    rows = list(csv.reader(text.splitlines()))
    assert [list(row.values()) for _, row in read(table)[0]] == rows[1:]
    assert list(table.columns) == rows[0]


def test_bytes_that_do_not_decode_are_a_problem_in_every_encoding(tmp_path):
    for encoding, junk in (("cp932", b"\x81\x20"), ("utf-16", b"\x00\xd8"), ("cp1252", b"\x81")):
        words = (
            "1,Robe d'été brodée à pois légère"
            if encoding == "cp1252"
            else f"1,{'赤いワンピース' * 20}"
        )
        lines = [f"id,title\n{words}\n{words}\n".encode(encoding), junk, "3,x\n".encode(encoding)]
        if encoding == "utf-16":
            lines[2] = "3,x\n".encode("utf-16-le")
        good, bad = read(open_delimited(write(tmp_path, b"".join(lines))))
        assert (len(good), len(bad)) == (2, 1), encoding


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04rest", "zip archive or an Excel workbook"),
        (b"\x1f\x8b\x08rest", "compressed, and damaged or cut off"),
        (b"\xd0\xcf\x11\xe0rest", "an old Excel workbook"),
        (b"%PDF-1.7", "a PDF"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b'<?xml version="1.0"?>', "XML"),
    ],
)
def test_files_of_another_kind_say_what_they_are(tmp_path, content, message):
    for reader, name in ((open_delimited, "c.csv"), (open_jsonlines, "c.jsonl")):
        with pytest.raises(CatalogError, match=message):
            reader(write(tmp_path, content, name))


def test_parquet_with_two_columns_of_one_name_says_which(tmp_path):
    made = pa.Table.from_arrays([pa.array(["a"])] * 3, names=["id", "title", "title"])
    pq.write_table(made, tmp_path / "c.parquet")
    with pytest.raises(CatalogError, match=r"several columns of one name \(title\)"):
        open_parquet(tmp_path / "c.parquet")


def test_parquet_with_lists_of_pictures(tmp_path):
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = pa.array(
        [[{"bytes": b"x", "path": "a"}, {"bytes": b"y", "path": "b"}]], pa.list_(image)
    )
    pq.write_table(pa.table({"id": [1], "images": cells}), tmp_path / "c.parquet")
    assert open_parquet(tmp_path / "c.parquet").pictures == ("images",)
