"""Whole catalogues: what is guessed, what goes in, and what is said of the rest."""

import json
import shutil
import sys
import types

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordi.data.catalog import FROM_FILE_NAME, FROM_ID, FROM_ROW_NUMBER, open_catalog
from coordi.data.images import encode_jpeg
from coordi.errors import (
    CatalogError,
    CoordiError,
    MappingError,
    MissingExtraError,
    NotFoundError,
)
from coordi.types import ImageRef, Item, Origin, Problem

JPEG = encode_jpeg(np.zeros((2, 2, 3), np.uint8))


def pictures(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(JPEG)


def csv(folder, text, name="c.csv"):
    (folder / name).write_text(text, newline="")
    return folder / name


def rows(catalog):
    items, problems = [], []
    for row in catalog.rows():
        (problems if isinstance(row, Problem) else items).append(row)
    return items, problems


def test_a_csv_becomes_typed_items(tmp_path):
    pictures(tmp_path, "images/1.jpg", "images/2.jpg")
    path = csv(
        tmp_path,
        "sku,filename,productDisplayName,details,articleType,price,Stock (EU),code,sale,empty\n"
        '001,images/1.jpg,"Red, tee","two\nlines",Tshirts,19.90,3,007,true,\n'
        "002,images/2.jpg,Blue tee,,Tshirts,20,,042,FALSE,\n",
    )
    catalog = open_catalog(path)
    assert catalog.kind == "csv"
    assert catalog.source == str(path)
    assert catalog.count == 2
    assert catalog.mapping == {
        "id": "sku",
        "image": "filename",
        "title": "productDisplayName",
        "description": "details",
        "category": "articleType",
        "price": "price",
    }
    assert catalog.field_types == {
        "category": "text",
        "price": "number",
        "Stock_EU": "integer",
        "code": "text",
        "sale": "boolean",
        "empty": "text",
    }
    assert catalog.fields["Stock_EU"] == "Stock (EU)"
    items, problems = rows(catalog)
    assert problems == []
    assert items[0] == Item(
        id="001",
        image=ImageRef(tmp_path / "images/1.jpg"),
        title="Red, tee",
        description="two\nlines",
        fields={
            "category": "Tshirts",
            "price": 19.9,
            "Stock_EU": 3,
            "code": "007",
            "sale": True,
            "empty": None,
        },
        origin=Origin(str(path), 2),
    )
    assert items[1].origin == Origin(str(path), 4)
    assert items[1].fields["price"] == 20.0
    assert type(items[1].fields["price"]) is float
    assert items[1].fields["Stock_EU"] is None
    assert rows(catalog) == (items, problems)  # a second pass sees the same


def test_every_unusable_row_is_reported_and_the_rest_goes_in(tmp_path):
    pictures(tmp_path, "a.jpg", "b.jpg")
    path = csv(
        tmp_path,
        "id,image,title\n"
        "1,a.jpg,fine\n"
        "2,gone.jpg,missing file\n"
        "1,b.jpg,duplicate\n"
        ",,\n"
        ",a.jpg,no id\n"
        "3,,no image\n"
        "4,https://shop.example/4.jpg,url\n"
        "5,a.jpg\n"
        "2,b.jpg,the first 2 did not go in\n"
        "6,a\0.jpg,odd\n",
    )
    items, problems = rows(open_catalog(path))
    assert [item.title for item in items] == ["fine", "the first 2 did not go in"]
    said = {p.origin.line: (p.id, p.column, p.reason) for p in problems}
    assert list(said) == [3, 4, 5, 6, 7, 8, 9, 11]
    assert said[3][:2] == ("2", "image")
    assert said[3][2] == f"image file {tmp_path / 'gone.jpg'} is not there"
    assert said[4][2] == f"id '1' is already that of {path}:2; every row needs an id of its own"
    assert said[5] == (None, None, "the row is empty")
    assert said[6] == (None, "id", "no id: the cell is empty")
    assert said[7] == ("3", "image", "no image: the cell is empty")
    assert "download it" in said[8][2]
    assert "2 values where the header has 3" in said[9][2]
    assert open_catalog(path).count == len(items) + len(problems)


def test_ids_without_a_column_come_from_file_names_or_row_numbers(tmp_path):
    pictures(tmp_path, "x/a.jpg", "b.jpg")
    catalog = open_catalog(csv(tmp_path, "photo\nx\\a.jpg\nb.jpg\n"))
    assert catalog.mapping == {"id": FROM_FILE_NAME, "image": "photo"}
    assert [item.id for item in rows(catalog)[0]] == ["x/a.jpg", "b.jpg"]
    catalog = open_catalog(csv(tmp_path, "title\nred tee\n\nblue tee\n", "t.csv"))
    assert catalog.mapping == {"id": FROM_ROW_NUMBER, "title": "title"}
    assert [(item.id, item.image) for item in rows(catalog)[0]] == [
        ("row-1", None),
        ("row-2", None),
    ]


def test_images_are_looked_for_where_they_may_be(tmp_path):
    shop, photos = tmp_path / "shop", tmp_path / "photos"
    pictures(shop, "img/1.jpg", "odd\\name.jpg")
    pictures(photos, "2.jpg", "img/3.jpg", "4 .jpg")
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(JPEG)
    path = csv(
        shop,
        f"id,image\n1,img\\1.jpg\n2,odd\\name.jpg\n3,../outside.jpg\n4,{outside}\n",
    )
    items, problems = rows(open_catalog(path))
    assert problems == []
    assert [item.image.path.read_bytes() for item in items] == [JPEG] * 4
    path = csv(
        shop,
        "id,image\n2,C:\\exports\\2.jpg\n3,img/3.jpg\n4,https://s.example/p/4%20.jpg?w=9\n"
        "5,https://s.example/5.jpg\n",
    )
    items, problems = rows(open_catalog(path, images=photos))
    assert [item.image.path for item in items] == [
        photos / "2.jpg",
        photos / "img/3.jpg",
        photos / "4 .jpg",
    ]
    assert problems[0].reason.endswith(f"download it to {photos}")


def test_files_named_after_ids_are_found_in_the_given_folder(tmp_path):
    pictures(tmp_path, "p/010/0108.jpg", "p/7.png")
    path = csv(tmp_path, "article_id,prod_name\n0108,Top\n7,Skirt\n9,Hat\n")
    catalog = open_catalog(path, images=tmp_path / "p")
    assert catalog.mapping["image"] == FROM_ID
    items, problems = rows(catalog)
    assert [item.image.path for item in items] == [
        tmp_path / "p/010/0108.jpg",
        tmp_path / "p/7.png",
    ]
    assert "no file 9.*" in problems[0].reason


def test_a_given_mapping_is_used(tmp_path):
    pictures(tmp_path, "a.jpg")
    path = csv(tmp_path, "key,bild,was\n1,a.jpg,Rock\n")
    given = {"id": "key", "image": "bild", "category": "WAS"}
    catalog = open_catalog(path, mapping=given)
    assert catalog.mapping == {"id": "key", "image": "bild", "category": "was"}
    assert rows(catalog)[0][0].fields == {"category": "Rock"}
    with pytest.raises(MappingError, match=r"no column 'bilt'.*Nearest: bild"):
        open_catalog(path, mapping={"image": "bilt"})


def test_a_catalogue_without_images_and_titles_is_refused(tmp_path):
    path = csv(tmp_path, "key,weight\n1,2\n")
    with pytest.raises(CatalogError, match=r"Columns: key, weight\. Say which: --map image=COLUMN"):
        open_catalog(path)


def test_category_and_colour_are_text_whatever_they_look_like(tmp_path):
    catalog = open_catalog(csv(tmp_path, "title,category,brand,size\nt,7,501,38\nu,8.5,,40\n"))
    assert catalog.field_types == {"category": "text", "brand": "text", "size": "integer"}
    assert rows(catalog)[0][0].fields == {"category": "7", "brand": "501", "size": 38}


def test_a_row_without_words_in_a_catalogue_without_pictures(tmp_path):
    items, problems = rows(open_catalog(csv(tmp_path, "id,title\n1,tee\n2,\n")))
    assert [item.id for item in items] == ["1"]
    assert problems[0].reason == "no title: the cell is empty"


def test_jsonl_with_uneven_objects(tmp_path):
    pictures(tmp_path, "a.jpg")
    lines = [
        {"id": 7, "image": "a.jpg", "title": "one", "sizes": ["S", "M"]},
        {"id": 8.0, "image": {"path": "a.jpg"}, "price": 5},
        {"id": "9", "image": ["a.jpg", "b.jpg"], "price": "5.5", "meta": {"a": 1}},
        {"image": "", "id": None},
    ]
    path = tmp_path / "c.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + '\n{"id": 10')
    catalog = open_catalog(path)
    assert catalog.kind == "jsonl"
    assert catalog.field_types == {"price": "number", "sizes": "text", "meta": "text"}
    items, problems = rows(catalog)
    assert [item.id for item in items] == ["7", "8", "9"]
    assert [item.fields["price"] for item in items] == [None, 5.0, 5.5]
    assert items[0].fields["sizes"] == "S;M"
    assert [(p.origin.line, p.rows) for p in problems] == [(3, 0), (4, 1), (5, 1)]
    assert problems[0].reason == (
        f"1 of 2 pictures not used: image file {tmp_path / 'b.jpg'} is not there"
    )


IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def shard(path, start, rows, **more):
    ids = [str(i) for i in range(start, start + rows)]
    images = pa.array([{"bytes": JPEG, "path": f"{i}.jpg"} for i in ids], IMAGE)
    table = {"id": ids, "image": images, "productDisplayName": [f"tee {i}" for i in ids], **more}
    pq.write_table(pa.table(table), path)


@pytest.mark.parametrize("source", ["{}", "{}/*.parquet"])
def test_shards_are_one_catalogue(tmp_path, source):
    shard(tmp_path / "p-0.parquet", 0, 3, year=["2011", "2012", None])
    shard(tmp_path / "p-1.parquet", 2, 3, year=[2013, 2014, 2015])
    catalog = open_catalog(source.format(tmp_path))
    assert catalog.kind == "parquet"
    assert catalog.count == 6
    assert catalog.field_types == {"year": "integer"}
    items, problems = rows(catalog)
    assert [item.id for item in items] == ["0", "1", "2", "3", "4"]
    assert [item.fields["year"] for item in items] == [2011, 2012, None, 2014, 2015]
    assert items[0].image == ImageRef(data=JPEG)
    assert problems[0].origin == Origin(str(tmp_path / "p-1.parquet"), 1)
    assert f"{tmp_path / 'p-0.parquet'}:3" in problems[0].reason


def test_a_broken_shard_is_a_problem_and_the_others_go_in(tmp_path):
    shard(tmp_path / "p-0.parquet", 0, 3)
    (tmp_path / "p-1.parquet").write_bytes(b"PAR1 cut off")
    items, problems = rows(open_catalog(tmp_path))
    assert len(items) == 3
    assert problems[0].origin.file == str(tmp_path / "p-1.parquet")
    (tmp_path / "p-0.parquet").unlink()
    with pytest.raises(CatalogError, match="not a readable Parquet file"):
        open_catalog(tmp_path)


def test_parquet_of_pictures_alone_and_of_several(tmp_path):
    image = pa.array([{"bytes": JPEG, "path": None}, {"bytes": None, "path": None}], IMAGE)
    pq.write_table(pa.table({"mask": image, "image": image}), tmp_path / "c.parquet")
    catalog = open_catalog(tmp_path / "c.parquet")
    assert catalog.mapping == {"id": FROM_ROW_NUMBER, "image": "image"}
    assert catalog.unused == {"mask"}
    assert catalog.field_types == {}
    items, problems = rows(catalog)
    assert [item.id for item in items] == ["row-1"]
    assert problems[0].reason == "the row is empty"


def test_a_bare_folder_of_pictures(tmp_path):
    pictures(tmp_path, "b.JPG", "a.png", "dresses/red/1.webp", ".hidden/x.jpg", "._a.jpg")
    (tmp_path / "readme.txt").write_text("not a catalogue")
    catalog = open_catalog(tmp_path)
    assert catalog.kind == "folder"
    assert catalog.mapping == {"id": FROM_FILE_NAME, "image": "image"}
    items, problems = rows(catalog)
    assert problems == []
    assert [(item.id, item.fields["folder"]) for item in items] == [
        ("a.png", None),
        ("b.JPG", None),
        ("dresses/red/1.webp", "dresses/red"),
    ]
    assert [item.id for item in rows(open_catalog(f"{tmp_path}/*.png"))[0]] == ["a.png"]
    assert len(rows(open_catalog(tmp_path / "a.png"))[0]) == 1


def test_a_folder_with_its_catalogue_in_it(tmp_path):
    pictures(tmp_path, "images/1.jpg")
    csv(tmp_path, "id,image\n1,images/1.jpg\n", "products.csv")
    assert rows(open_catalog(tmp_path))[0][0].id == "1"
    csv(tmp_path, "a,b\n", "outfits.csv")
    with pytest.raises(CatalogError, match=r"several catalogue files \(outfits.csv, products.csv"):
        open_catalog(tmp_path)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("prodcts.csv", NotFoundError, "did you mean .*products.csv"),
        ("gone/a/b.csv", NotFoundError, "there is no folder"),
        ("*.parquet", NotFoundError, "no file matches"),
        ("empty", CatalogError, "no catalogue file and no pictures"),
        ("notes.docx", CatalogError, "cannot tell what kind"),
        ("{products.csv,notes.docx}", NotFoundError, "is not there"),
        ("[np]o*", CatalogError, "cannot tell what kind"),
    ],
)
def test_sources_that_cannot_be_opened(tmp_path, source, error, message):
    csv(tmp_path, "id,title\n", "products.csv")
    (tmp_path / "notes.docx").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(error, match=message):
        open_catalog(tmp_path / source)


def test_urls_and_image_folders_that_are_not_there(tmp_path):
    with pytest.raises(NotFoundError, match="download it first"):
        open_catalog("https://shop.example/products.csv")
    with pytest.raises(NotFoundError, match="is not a folder"):
        open_catalog(csv(tmp_path, "id,title\n"), images=tmp_path / "gone")


def test_a_header_without_rows_is_an_empty_catalogue(tmp_path):
    catalog = open_catalog(csv(tmp_path, "id,title\n"))
    assert catalog.count == 0
    assert rows(catalog) == ([], [])


def test_hub_names(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "datasets", None)
    for name in ("hf:owner/clothes", "owner/clothes", "owner/clothes:test"):
        with pytest.raises(MissingExtraError):
            open_catalog(name)
    for path in ("owner/products.csv", "./owner/clothes", "a/b/c"):
        with pytest.raises(NotFoundError):
            open_catalog(path)
    (tmp_path / "owner").mkdir()
    with pytest.raises(NotFoundError):
        open_catalog("owner/clothes")


class HubData:
    """A dataset of two rows, in the part of datasets.Dataset that is used."""

    def __init__(self, *names):
        self.column_names = list(names)
        self.features = dict.fromkeys(names, "string")

    def select_columns(self, names):
        return [dict(zip(names, row, strict=False)) for row in (("red tee", 3), ("blue tee", 4))]


def test_a_hub_dataset_as_a_catalogue(monkeypatch):
    data = HubData("text", "stars")
    module = types.SimpleNamespace(load_dataset=lambda name, split: data, Image=dict)
    monkeypatch.setitem(sys.modules, "datasets", module)
    catalog = open_catalog("hf:owner/clothes:test")
    assert catalog.kind == "huggingface"
    assert catalog.mapping == {"id": FROM_ROW_NUMBER, "title": "text"}
    items, problems = rows(catalog)
    assert problems == []
    assert items[1] == Item(
        id="row-2",
        title="blue tee",
        fields={"stars": 4},
        origin=Origin("owner/clothes:test", 2),
    )


def test_a_catalogue_moved_with_its_pictures_gives_the_same_items(tmp_path):
    pictures(tmp_path / "one", "a.jpg")
    csv(tmp_path / "one", "image,price\na.jpg,3\n")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    one, two = (rows(open_catalog(tmp_path / name / "c.csv"))[0][0] for name in ("one", "two"))
    assert (one.id, one.fields) == (two.id, two.fields)


@settings(deadline=None)
@given(st.binary(max_size=120), st.sampled_from(["csv", "jsonl", "parquet"]))
def test_files_of_any_bytes_give_rows_problems_or_an_error_of_ours(tmp_path_factory, data, suffix):
    path = tmp_path_factory.mktemp("any") / f"c.{suffix}"
    path.write_bytes(data)
    try:
        catalog = open_catalog(path)
    except CoordiError:
        return
    assert sum(1 for _ in catalog.rows()) == catalog.count


def test_several_pictures_in_a_cell(tmp_path):
    pictures(tmp_path, "p/a0.jpg", "p/a1.jpg", "p/a2.jpg")
    path = csv(
        tmp_path,
        "ID,Type,Name,Regular price,Categories,Images\n"
        '11,simple,Tee,26.95,Tees,"https://s.example/up/a0.jpg?v=1, https://s.example/up/a1.jpg"\n'
        '12,simple,Cap,9,Caps,"https://s.example/gone.jpg, https://s.example/up/a2.jpg?v=2"\n'
        '13,simple,Hat,5,Hats,"https://s.example/up/a1.jpg,https://s.example/gone.jpg"\n'
        "14,simple,Sock,5,Socks,https://s.example/gone.jpg;https://s.example/lost.jpg\n",
    )
    catalog = open_catalog(path, images=tmp_path / "p")
    items, problems = rows(catalog)
    names = [[ref.path.name for ref in (item.image, *item.more)] for item in items]
    assert names == [["a0.jpg", "a1.jpg"], ["a2.jpg"], ["a1.jpg"]]
    assert [(p.id, p.rows, p.column) for p in problems] == [
        ("12", 0, "Images"),
        ("13", 0, "Images"),
        ("14", 1, "Images"),
    ]
    assert problems[0].reason.endswith("; the first one that is there is the main one")
    assert problems[1].reason.startswith("1 of 2 pictures not used: the image is a URL")
    assert problems[2].reason.endswith("(nor are its 1 other pictures)")
    assert catalog.remarks() == (
        "column Images lists several pictures: the first is the main one, 1 further ones are kept",
    )
    assert catalog.mapping["category"] == "Categories"  # not "simple"
    assert items[0].fields["price"] == 26.95
    rows(catalog)  # a second pass counts anew
    assert catalog.seen.further == 1


def test_pictures_of_a_list_of_objects_and_of_bytes(tmp_path):
    pictures(tmp_path, "a.jpg", "b.jpg")
    lines = [
        {"id": 1, "title": "Tee", "images": [{"src": "a.jpg"}, {"src": "b.jpg"}]},
        {"id": 2, "title": "Cap", "images": []},
    ]
    path = tmp_path / "c.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    items, problems = rows(open_catalog(path))
    assert (items[0].image, items[0].more) == (
        ImageRef(tmp_path / "a.jpg"),
        (ImageRef(tmp_path / "b.jpg"),),
    )
    assert problems[0].reason == "no image: the cell is empty"
    cells = [[{"bytes": JPEG, "path": "x"}, {"bytes": JPEG + b"2", "path": "y"}], None]
    pq.write_table(
        pa.table({"id": [1, 2], "pics": pa.array(cells, pa.list_(IMAGE))}), tmp_path / "c.parquet"
    )
    items, problems = rows(open_catalog(tmp_path / "c.parquet"))
    assert items[0].more == (ImageRef(data=JPEG + b"2"),)
    assert len(problems) == 1


def test_the_picture_column_is_known_by_its_values_and_said(tmp_path):
    pictures(tmp_path, "a.jpg")
    text = "sku,name,kind,shot,shot_thumb\n1,Tee,x,a.jpg,a.jpg\n2,Cap,y,a.jpg,a.jpg\n"
    catalog = open_catalog(csv(tmp_path, text))
    assert catalog.mapping == {"id": "sku", "image": "shot", "title": "name"}
    by_name = "by its name"
    assert catalog.known_by == {"id": by_name, "image": "by its values", "title": by_name}
    assert catalog.notes == ("only shot is read as the picture; shot_thumb hold pictures too",)
    assert open_catalog(csv(tmp_path, text), mapping={"image": "name"}).notes == (
        "none of the first 2 pictures of column name is there; give the folder they are in with "
        "--images",
    )
    given = open_catalog(csv(tmp_path, text), mapping={"image": "shot_thumb"})
    assert given.known_by["image"] == "given"
    assert given.notes == ()


def test_a_catalogue_without_pictures_says_so(tmp_path):
    path = csv(tmp_path, "id,title\n1,Tee\n")
    note = "no column looks like a picture: items go in by their words alone"
    assert open_catalog(path).notes == (note,)
    assert open_catalog(path, mapping={"image": ""}).notes == ()  # meant so


def test_pictures_of_which_none_is_there_are_said_before_the_rows(tmp_path):
    path = csv(tmp_path, "id,title,image\n1,Tee,https://s.example/a.jpg\n2,Cap,b.jpg\n")
    assert open_catalog(path).notes == (
        "none of the first 2 pictures of column image is there; have the addresses fetched with "
        "--fetch, or give the folder they are in with --images",
    )


def test_files_named_after_ids_win_over_addresses_that_lead_nowhere(tmp_path):
    pictures(tmp_path, "p/1.jpg", "p/2.jpg")
    text = "id,title,image_url\n1,Tee,https://s.example/x\n2,Cap,https://s.example/y\n"
    catalog = open_catalog(csv(tmp_path, text), images=tmp_path / "p")
    assert catalog.mapping["image"] == FROM_ID
    assert [item.image.path.name for item in rows(catalog)[0]] == ["1.jpg", "2.jpg"]


def test_prices_become_numbers_and_a_currency(tmp_path):
    path = csv(
        tmp_path,
        "id,title,price,sale_price,size\n"
        '1,Tee,"1.299,00 €",7 €,"7,5"\n'
        '2,Cap,"19,90 €",,"8"\n'
        "3,Hat,call us,,9\n"
        "4,Sock,-,,9\n"
        "5,Bag,,,9\n",
    )
    catalog = open_catalog(path)
    assert catalog.field_types == {
        "price": "number",
        "sale_price": "number",
        "size": "text",
        "currency": "text",
    }
    items, problems = rows(catalog)
    assert [item.fields["price"] for item in items] == [1299.0, 19.9, None, None, None]
    assert [item.fields["currency"] for item in items] == ["EUR", "EUR", None, None, None]
    assert items[0].fields["sale_price"] == 7.0
    assert items[0].fields["size"] == "7,5"
    assert [(p.id, p.rows) for p in problems] == [("3", 0)]
    assert problems[0].reason == "price 'call us' is no price; the item goes in without it"
    assert catalog.notes[1] == (
        "column price was read as numbers with a comma before the decimals, currency EUR 2"
    )


@pytest.mark.parametrize(
    ("cells", "prices", "told"),
    [
        (["1.299", "899"], [1299.0, 899.0], True),  # three decimals are hardly a price
        (["1.299", "19.90"], [1.299, 19.9], False),
        (["1,299.00", "9.50"], [1299.0, 9.5], True),
        (["5", "7"], [5, 7], False),
        (["A-5", "B-7"], ["A-5", "B-7"], True),
    ],
)
def test_plain_numbers_stay_and_what_is_no_price_stays(tmp_path, cells, prices, told):
    lines = [f'{n},Tee,"{cell}"' for n, cell in enumerate(cells)]
    catalog = open_catalog(csv(tmp_path, "\n".join(["id,title,price", *lines])))
    items, problems = rows(catalog)
    assert [item.fields["price"] for item in items] == prices
    assert problems == []
    assert "currency" not in catalog.fields
    assert any("price" in note for note in catalog.notes) == told


def test_a_column_of_currencies_is_kept(tmp_path):
    path = csv(tmp_path, "id,title,price,currency\n1,Tee,5 €,Euro\n")
    assert rows(open_catalog(path))[0][0].fields == {"price": 5.0, "currency": "Euro"}
    path = csv(tmp_path, "id,title,price,currency\n1,Tee,5 €,\n2,Cap,6 $,\n")
    catalog = open_catalog(path)
    assert [item.fields["currency"] for item in rows(catalog)[0]] == ["EUR", "USD"]
    assert "column price has several currencies: filter by currency too" in catalog.notes


def test_numbers_of_json_are_no_matter_of_notation(tmp_path):
    lines = [
        {"id": 1, "title": "Tee", "price": 1.299},
        {"id": 2, "title": "Cap", "price": "5,00 €"},
    ]
    path = tmp_path / "c.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    assert [item.fields["price"] for item in rows(open_catalog(path))[0]] == [1.299, 5.0]


def test_html_becomes_the_words_that_a_reader_sees(tmp_path):
    path = csv(
        tmp_path,
        "id,title,body_html\n"
        '1,Tom &amp; Co,"<p>Soft,<br/>\ncotton</p><style>p {}</style><!-- x -->'
        '<a title=""5>3"">&euro;5</a>"\n'
        "2,a < b,5 > 3 & 2 <3\n",
    )
    items, _ = rows(open_catalog(path))
    assert (items[0].title, items[0].description) == ("Tom & Co", "Soft, cotton €5")
    assert (items[1].title, items[1].description) == ("a < b", "5 > 3 & 2 <3")


def test_an_old_workbook_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "c.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(CatalogError, match=r"save it as \.xlsx or CSV"):
        open_catalog(tmp_path / "c.xls")


def test_a_row_without_its_picture_tells_where_that_should_be(tmp_path):
    path = csv(
        tmp_path, "id,title,image\n1,Tee,p/gone.jpg\n2,Cap,https://s.example/a.jpg\n3,Hat,\n"
    )
    _, problems = rows(open_catalog(path))
    assert [problem.item and problem.item.image for problem in problems] == [
        ImageRef(tmp_path / "p/gone.jpg"),
        None,
        None,
    ]
    assert problems[0].item.title == "Tee"
