"""Roles guessed from usual names and from what the columns hold."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordi.data.catalog import open_catalog
from coordi.data.columns import Column
from coordi.data.guessing import BY_NAME, BY_VALUES, guess_roles, picture_columns
from coordi.data.rolenames import USUAL_NAMES, bare


def columns(table):
    """Name → column, of name → cells."""
    made = {}
    for name, cells in table.items():
        made[name] = Column()
        for cell in cells:
            made[name].see(cell)
    return made


def guessed(names, pictures=()):
    roles = guess_roles(columns({name: ["x"] for name in names}), pictures)
    return {role: column for role, (column, _) in roles.items()}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ["id", "gender", "masterCategory", "articleType", "baseColour", "productDisplayName"],
            {
                "id": "id",
                "title": "productDisplayName",
                "category": "articleType",
                "color": "baseColour",
            },
        ),
        (
            ["SKU", "Image URL", "Product-Name", "Body (HTML)", "Vendor", "Variant Price"],
            {
                "id": "SKU",
                "image": "Image URL",
                "title": "Product-Name",
                "description": "Body (HTML)",
                "brand": "Vendor",
                "price": "Variant Price",
            },
        ),
        (["asin", "img"], {"id": "asin", "image": "img"}),
        (["image_url", "image_path"], {"image": "image_path"}),
        (["filename", "label"], {"image": "filename", "category": "label"}),
        (
            ["g:id", "g:image_link", "g:title"],
            {"id": "g:id", "image": "g:image_link", "title": "g:title"},
        ),
        (
            ["商品番号", "商品名", "画像", "価格", "ブランド", "カラー"],
            {
                "id": "商品番号",
                "image": "画像",
                "title": "商品名",
                "price": "価格",
                "brand": "ブランド",
                "color": "カラー",
            },
        ),
        (
            ["상품번호", "상품명", "이미지", "가격"],
            {"id": "상품번호", "image": "이미지", "title": "상품명", "price": "가격"},
        ),
        (
            ["Artikelnummer", "Bezeichnung", "Bild", "Preis", "Farbe", "Marke"],
            {
                "id": "Artikelnummer",
                "image": "Bild",
                "title": "Bezeichnung",
                "price": "Preis",
                "color": "Farbe",
                "brand": "Marke",
            },
        ),
        (
            ["Código", "Nombre", "Imagen", "Precio", "Categoría"],
            {
                "id": "Código",
                "image": "Imagen",
                "title": "Nombre",
                "price": "Precio",
                "category": "Categoría",
            },
        ),
        (["a", "b"], {}),
    ],
)
def test_usual_names_are_recognised(names, expected):
    assert guessed(names) == expected


def test_a_column_of_picture_bytes_is_the_image_whatever_its_name():
    assert guess_roles(columns({"id": [1], "pixels": []}), ["pixels"])["image"] == (
        "pixels",
        BY_VALUES,
    )
    assert guessed(["mask", "image"], ["mask", "image"])["image"] == "image"


@settings(deadline=None)
@given(st.lists(st.sampled_from([name for names in USUAL_NAMES.values() for name in names])))
def test_no_column_plays_two_roles(names):
    found = list(guessed(names).values())
    assert len(found) == len(set(found))
    assert set(found) <= set(names)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "base_image",
            "main image",
            "ProductPhoto",
            "Image 1",
            "image1",
            "Front",
            "Packshot File",
        ),
        *("afbeelding_url", "zdjecie_1", "obrazek", "hero", "media", "Full Size", "asset", "src"),
        *(
            "large_image_link",
            "pic_main",
            "s3_key",
            "local_path",
            "cutout",
            "画像ファイル",
            "대표 사진",
        ),
    ],
)
@pytest.mark.parametrize(
    "cell", ["pics/a0.jpg", "https://x.example/a0.PNG?v=1", "a.webp, b.webp", '["a.avif"]']
)
def test_a_column_that_holds_pictures_is_the_picture_whatever_its_name(name, cell):
    found = guess_roles(columns({"sku": ["1"], "name": ["Tee"], name: [cell, cell, None]}))
    assert found["image"][0] == name


def test_values_count_more_than_a_usual_name():
    table = {"path": ["Men/Tees", "Men/Caps"], "file": ["1", "2"], "shot": ["a.jpg", "b.jpg"]}
    assert guess_roles(columns(table))["image"] == ("shot", BY_VALUES)
    table = {"image": ["0108", "0109"], "name": ["Tee", "Cap"]}
    assert guess_roles(columns(table))["image"] == ("image", BY_NAME)  # files without suffix
    table = {"image": [True, False], "name": ["Tee", "Cap"]}
    assert "image" not in guess_roles(columns(table))


def test_the_main_picture_comes_before_thumbnails_logos_and_further_views():
    cells = ["a.jpg", "b.jpg", "c.jpg"]
    table = {
        "brand_logo": ["acme.png"] * 3,
        "thumb": cells,
        "additional": cells,
        "view_2": cells,
        "big": cells,
    }
    assert picture_columns(columns(table)) == ["big", "thumb", "additional", "view_2", "brand_logo"]


def test_of_several_picture_columns_one_whose_pictures_are_there_is_taken():
    table = columns({"image": ["https://x.example/1.jpg"], "local": ["1.jpg"]})
    assert guess_roles(table, (), lambda name: name == "local")["image"] == ("local", BY_VALUES)
    assert guess_roles(table, (), lambda name: False)["image"] == ("image", BY_NAME)


def test_words_about_pictures_are_no_pictures():
    table = {
        "Image Alt Text": ["Front of the tee"],
        "Image Position": ["1"],
        "title": ["x.jpg tee"],
    }
    assert "image" not in guess_roles(columns(table))


@settings(deadline=None)
@given(st.data())
def test_an_empty_column_never_beats_a_filled_one(data):
    role = data.draw(st.sampled_from([role for role in USUAL_NAMES if role != "image"]))
    names = data.draw(
        st.lists(st.sampled_from(USUAL_NAMES[role]), min_size=2, max_size=4, unique_by=bare)
    )
    full = data.draw(st.sampled_from(names))
    table = {name: ["word"] if name == full else [None, "", "  "] for name in names}
    assert guess_roles(columns(table))[role][0] == full


def test_a_column_that_is_mostly_empty_does_not_beat_a_full_one():
    table = {"sku": ["1", None, None], "handle": ["a", "b", "c"], "title": ["Tee", "Cap", None]}
    table["name"] = ["Tee", "Cap", "Hat"]
    found = guess_roles(columns(table))
    assert (found["id"][0], found["title"][0]) == ("handle", "title")


def test_kinds_of_product_are_no_category():
    table = {"Type": ["simple", "variable", "variation"], "Categories": ["Tees", "Caps", None]}
    assert guess_roles(columns(table))["category"][0] == "Categories"
    assert guess_roles(columns({"Type": ["Tee", "simple"]}))["category"][0] == "Type"


def test_a_path_of_something_else_is_no_picture(tmp_path):
    (tmp_path / "c.csv").write_text("path,name,code\nWomen:Dresses,Red dress,rd\n")
    catalog = open_catalog(tmp_path / "c.csv")
    assert [row.title for row in catalog.rows()] == ["Red dress"]
    assert any("no column looks like a picture" in note for note in catalog.notes)
