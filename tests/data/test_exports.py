"""Exports of shop systems as their documentation shows them: which items they become."""

# ruff: noqa: E501 - exports have long lines

import gzip
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from coordi.data.catalog import open_catalog
from coordi.data.exports.variants import Product, Variant, records_of
from coordi.errors import CatalogError
from coordi.types import Item, Origin, Problem

SHOPIFY = """\
Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,Variant Price,Image Src,Image Position,Variant Image
tee,Striped tee,"<p>Soft,<br>cotton</p>",Acme,Shirts,"tee, stripes",TRUE,Color,Red,Size,S,T-R-S,19.90,https://cdn.example/p/a0.jpg?v=1,1,https://cdn.example/p/a0.jpg?v=1
tee,,,,,,,,Red,,M,T-R-M,18.90,https://cdn.example/p/a1.jpg?v=2,2,https://cdn.example/p/a0.jpg?v=1
tee,,,,,,,,Blue,,S,T-B-S,19.90,,,https://cdn.example/p/a1.jpg?v=2
tee,,,,,,,,,,,,,https://cdn.example/p/a2.jpg,3,
cap,Cap,,Acme,Hats,,TRUE,Title,Default Title,,,,9.00,https://cdn.example/p/a3.jpg,1,
"""
NEW_SHOPIFY = """\
Title,URL handle,Description,Vendor,Product category,Type,Status,SKU,Option1 name,Option1 value,Price,Product image URL,Image position,Variant image URL
Tee,tee,<p>Soft</p>,Acme,Apparel > Tops,Shirts,Active,T-S,Size,S,19.90,https://cdn.example/p/a0.jpg,1,
,tee,,,,,,T-M,,M,19.90,https://cdn.example/p/a1.jpg,2,
"""
WOO = """\
ID,Type,SKU,Name,Published,Description,Regular price,Categories,Images,Parent,Attribute 1 name,Attribute 1 value(s),Attribute 2 name,Attribute 2 value(s)
10,variable,TEE,Tee,1,<b>Soft</b>,,Clothing > Tees,"https://x.example/a0.jpg, https://x.example/a1.jpg",,Color,"Red, Blue",Size,"S, M"
11,variation,TEE-R-S,Tee - Red,1,,26.95,,https://x.example/a0.jpg,id:10,Color,Red,Size,S
12,variation,TEE-R-M,Tee - Red,1,,26.95,,https://x.example/a0.jpg,id:10,Color,Red,Size,M
13,variation,TEE-B-S,Tee - Blue,1,,24.95,,https://x.example/a2.jpg,TEE,Color,Blue,Size,S
20,simple,CAP,Cap,1,,9.00,Hats,https://x.example/a3.jpg,,Color,Green,,
"""
WOO_HEADERS = {
    "German": "ID,Typ,Artikelnummer,Name,Veröffentlicht,Beschreibung,Regulärer Preis,Kategorien,Bilder,Übergeordnetes Produkt,Attribut 1 Name,Attribut 1 Wert(e),Attribut 2 Name,Attribut 2 Wert(e)",
    "French": "ID,Type,UGS,Nom,Publié,Description,Tarif régulier,Catégories,Images,Parent,Nom de l’attribut 1,Valeur(s) de l’attribut 1,Nom de l’attribut 2,Valeur(s) de l’attribut 2",
    "Italian": "ID,Tipo,COD,Nome,Pubblicato,Descrizione,Prezzo di listino,Categorie,Immagine,Genitore,Attributo 1 nome,Attributo 1 valore(i),Attributo 2 nome,Attributo 2 valuta(e)",
    "Spanish": "ID,Tipo,SKU,Nombre,Publicado,Descripción,Precio normal,Categorías,Imágenes,Superior,Nombre del atributo 1,Valor(es) del atributo 1,Nombre del atributo 2,Valor(es) del atributo 2",
}
"""The columns of `WOO` as the exporter names them in shops of other languages."""
MAGENTO = """\
sku,name,product_type,categories,price,base_image,additional_images,additional_attributes,configurable_variations
MH-S-Red,Hoodie-S-Red,simple,,49.0,/a/0/a0.jpg,/a/1/a1.jpg,"color=Red,size=S,material=Cotton, soft",
MH-M-Red,Hoodie-M-Red,simple,,49.0,/a/0/a0.jpg,,"color=Red,size=M",
MH-S-Blue,Hoodie-S-Blue,simple,,47.0,/a/2/a2.jpg,,"color=Blue,size=S",
MH,Hoodie,configurable,"Default Category/Men,Default Category/Men/Hoodies",,/a/3/a3.jpg,,,"sku=MH-S-Red,size=S,color=Red|sku=MH-M-Red,size=M,color=Red|sku=MH-S-Blue,size=S,color=Blue"
BAG,Bag,simple,Default Category/Gear,34.0,/a/4/a4.jpg,no_selection,,
"""
MERCHANT = (
    "id\ttitle\tdescription\tlink\timage_link\tadditional_image_link\tprice\tavailability\tbrand"
    "\titem_group_id\tcolor\tsize\n"
    "1\tTee red S\tSoft\thttps://s.example/1\tpics/a0.jpg\tpics/a1.jpg,pics/a2.jpg\t19.90 EUR"
    "\tin_stock\tAcme\tG1\tred\tS\n"
    "2\tTee red M\tSoft\thttps://s.example/2\tpics/a0.jpg\t\t19.90 EUR\tin_stock\tAcme\tG1\tred\tM\n"
    "3\tTee blue M\tSoft\thttps://s.example/3\tpics/a3.jpg\t\t21.90 EUR\tin_stock\tAcme\tG1\tblue\tM\n"
    "4\tCap\tWarm\thttps://s.example/4\tpics/a4.jpg\t\t9.00 EUR\tout_of_stock\tAcme\t\tgreen\t\n"
)
RSS = """\
<?xml version="1.0"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel><title>Shop</title>
<item><g:id>1</g:id><title>Tee red S</title><g:image_link>pics/a0.jpg</g:image_link>
<g:additional_image_link>pics/a1.jpg</g:additional_image_link>
<g:additional_image_link>pics/a2.jpg</g:additional_image_link>
<g:price>19.90 EUR</g:price><g:availability>in_stock</g:availability>
<g:item_group_id>G1</g:item_group_id><g:size>S</g:size><g:color>red</g:color>
<g:shipping><g:country>DE</g:country><g:price>4.90 EUR</g:price></g:shipping></item>
<item><g:id>2</g:id><title>Tee red M</title><g:image_link>pics/a0.jpg</g:image_link>
<g:price>19.90 EUR</g:price><g:availability>in_stock</g:availability>
<g:item_group_id>G1</g:item_group_id><g:size>M</g:size><g:color>red</g:color></item>
</channel></rss>
"""
ATOM = """\
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
<entry><g:id>1</g:id><title>Tee</title><link href="https://s.example/1"/>
<g:image_link>pics/a0.jpg</g:image_link><g:price>19.90 EUR</g:price></entry></feed>
"""
PRODUCTS_JSON = {
    "products": [
        {
            "id": 7,
            "title": "Tee",
            "handle": "tee",
            "body_html": "<p>Soft</p>",
            "vendor": "Acme",
            "product_type": "Shirts",
            "tags": ["new", "tee"],
            "options": [{"name": "Color", "values": ["Red", "Blue"]}, {"name": "Size"}],
            "images": [
                {"id": 1, "src": "https://cdn.example/p/a0.jpg", "variant_ids": [71, 72]},
                {"id": 2, "src": "https://cdn.example/p/a1.jpg", "variant_ids": [73]},
            ],
            "variants": [
                {"id": 71, "option1": "Red", "option2": "S", "sku": "R-S", "price": "19.90"},
                {"id": 72, "option1": "Red", "option2": "M", "sku": "R-M", "price": "19.90"},
                {"id": 73, "option1": "Blue", "option2": "S", "sku": "B-S", "price": "21.90"},
            ],
        }
    ]
}


@pytest.fixture
def shop(tmp_path):
    """A folder with pictures, and a function that writes an export there and reads it."""
    for number in range(5):
        for folder in ("pics", f"pics/a/{number}"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            Pillow.new("RGB", (4, 6), (40 * number, 9, 9)).save(
                tmp_path / folder / f"a{number}.jpg"
            )

    def read(name: str, text: str | bytes, images: str | None = "pics"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        catalog = open_catalog(path, images=tmp_path / images if images else None)
        return catalog, list(catalog.rows())

    return read


def told(items: list[Item | Problem]) -> list[tuple]:
    """Id, model, pictures, colour, sizes and price of each item."""
    assert [row for row in items if isinstance(row, Problem)] == []
    return [
        (
            item.id,
            item.fields["model"],
            "".join(ref.path.stem[-1] for ref in (item.image, *item.more)),
            item.fields.get("color"),
            item.fields.get("sizes"),
            item.fields.get("price"),
        )
        for item in items
    ]


EXPORTS = [
    (
        "shopify.csv", SHOPIFY, "pics", "a Shopify export",
        [("tee/Red", "tee", "0", "Red", "S;M", 18.9), ("tee/Blue", "tee", "12", "Blue", "S", 19.9),
         ("cap", "cap", "3", None, None, 9.0)],
    ),
    (
        "new_shopify.csv", NEW_SHOPIFY, "pics", "a Shopify export",
        [("tee", "tee", "01", None, "S;M", 19.9)],
    ),
    (
        "products.json", json.dumps(PRODUCTS_JSON, indent=1), "pics", "Shopify's products.json",
        [("tee/Red", "tee", "0", "Red", "S;M", 19.9), ("tee/Blue", "tee", "1", "Blue", "S", 21.9)],
    ),
    (
        "woo.csv", WOO, "pics", "a WooCommerce export",
        [("11", "10", "01", "Red", "S;M", 26.95), ("13", "10", "2", "Blue", "S", 24.95),
         ("20", "20", "3", "Green", None, 9.0)],
    ),
    (
        "magento.csv", MAGENTO, "pics", "a Magento export",
        [("MH-S-Red", "MH", "013", "Red", "S;M", 49.0), ("MH-S-Blue", "MH", "23", "Blue", "S", 47.0),
         ("BAG", "BAG", "4", None, None, 34.0)],
    ),
    (
        "merchant.tsv", MERCHANT, None, "a Google Merchant feed",
        [("1", "G1", "012", "red", "S;M", 19.9), ("3", "G1", "3", "blue", "M", 21.9),
         ("4", "4", "4", "green", None, 9.0)],
    ),
    (
        "feed.xml", RSS, None, "a Google Merchant feed",
        [("1", "G1", "012", "red", "S;M", 19.9)],
    ),
    ("feed.atom", ATOM, None, "a Google Merchant feed", [("1", "1", "0", None, None, 19.9)]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "images", "said", "wanted"), EXPORTS, ids=[e[0] for e in EXPORTS]
)
def test_an_export_becomes_its_items(shop, name, text, images, said, wanted):
    catalog, rows = shop(name, text, images)
    assert told(rows) == wanted
    assert any(f"reads as {said}" in note for note in catalog.notes)
    assert catalog.count == len(rows) + catalog.seen.folded


def test_rows_that_become_one_item_are_counted(shop):
    catalog, rows = shop("shopify.csv", SHOPIFY)
    assert (catalog.count, len(rows), catalog.seen.folded) == (5, 3, 2)
    catalog, rows = shop("woo.csv", WOO)  # the row of a variable product is no item either
    assert (catalog.count, len(rows), catalog.seen.folded) == (5, 3, 2)
    catalog, rows = shop("products.json", json.dumps(PRODUCTS_JSON))
    assert (catalog.count, len(rows), catalog.seen.folded) == (2, 2, 0)


@pytest.mark.parametrize("cents", ["{}", "{} EUR"])
def test_prices_that_differ_between_sizes_are_said(shop, cents):
    text = SHOPIFY.replace("18.90", cents.format("18.90")).replace("19.90", cents.format("19.90"))
    catalog, rows = shop("shopify.csv", text)
    assert [(row.fields["price"], row.fields["highest_price"]) for row in rows] == [
        (18.9, 19.9), (19.9, None), (9.0, None)
    ]  # fmt: skip
    assert sum("1 items have sizes of several prices" in note for note in catalog.remarks()) == 1


def test_a_type_that_names_the_garment_is_kept(shop):
    _, rows = shop("c.csv", "id,tipo,nome,immagine,prezzo di listino\n1,Abito,Rosso,a0.jpg,9\n")
    assert [(row.title, row.fields["category"], row.fields["price"]) for row in rows] == [
        ("Rosso", "Abito", 9)
    ]


@pytest.mark.parametrize("language", WOO_HEADERS)
def test_woocommerce_is_known_in_other_languages(shop, language):
    header, rest = WOO.split("\n", 1)
    catalog, rows = shop("woo.csv", f"{WOO_HEADERS[language]}\n{rest}")
    in_english, as_wanted = shop("woo.csv", f"{header}\n{rest}")
    assert told(rows) == told(as_wanted)
    assert any("reads as a WooCommerce export" in note for note in catalog.notes)
    assert [(row.title, row.description, row.fields["category"]) for row in rows] == [
        (row.title, row.description, row.fields["category"]) for row in as_wanted
    ]
    assert len(catalog.fields) == len(in_english.fields)


@pytest.mark.parametrize(
    ("name", "text", "images", "said", "wanted"), EXPORTS, ids=[e[0] for e in EXPORTS]
)
def test_an_export_may_be_compressed(shop, name, text, images, said, wanted):
    _, rows = shop(f"{name}.gz", gzip.compress(text.encode()), images)
    assert told(rows) == wanted


def test_titles_and_descriptions_are_the_products(shop):
    _, rows = shop("shopify.csv", SHOPIFY)
    assert {(row.title, row.description) for row in rows[:2]} == {("Striped tee", "Soft, cotton")}
    assert rows[0].fields["category"] == "Shirts"
    assert rows[0].fields["brand"] == "Acme"
    _, rows = shop("woo.csv", WOO)
    assert [(row.title, row.description) for row in rows[:2]] == [("Tee", "Soft")] * 2


def test_a_google_feed_keeps_each_colours_own_title_and_address(shop):
    _, rows = shop("merchant.tsv", MERCHANT, None)
    assert [row.title for row in rows] == ["Tee red S", "Tee blue M", "Cap"]
    assert [row.fields["url"][-1] for row in rows] == ["1", "3", "4"]
    assert {row.fields["currency"] for row in rows} == {"EUR"}


def test_what_was_folded_is_said(shop):
    catalog, _ = shop("woo.csv", WOO)
    assert any("5 rows are 2 products in 3 looks" in note for note in catalog.notes)


def test_columns_of_an_export_may_still_be_mapped(tmp_path, shop):
    shop("shopify.csv", SHOPIFY)
    catalog = open_catalog(
        tmp_path / "shopify.csv", mapping={"id": "Variant SKU"}, images=tmp_path / "pics"
    )
    ids = [row.id for row in catalog.rows() if isinstance(row, Item)]
    assert ids == ["T-R-S", "T-R-M", "T-B-S"]  # the rows as they are, those with a picture


@pytest.mark.parametrize("export", [SHOPIFY, WOO, MAGENTO], ids=["shopify", "woo", "magento"])
def test_the_order_of_rows_does_not_matter(shop, export):
    header, *lines = export.splitlines(keepends=True)
    _, rows = shop("a.csv", export)
    wanted = {(one[0], one[1], one[3], frozenset((one[4] or "").split(";"))) for one in told(rows)}
    for seed in range(5):
        mixed = random.Random(seed).sample(lines, len(lines))
        _, rows = shop("b.csv", header + "".join(mixed))
        models = {one[1] for one in wanted}
        assert {row.fields["model"] for row in rows} == models
        got = {(r.fields.get("color"), frozenset((r.fields.get("sizes") or "").split(";")))
               for r in rows}  # fmt: skip
        assert got == {one[2:] for one in wanted}


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("rgb"), st.sampled_from("SML"), st.sampled_from(["", "p", "q"])),
        max_size=12,
    )
)
def test_folding_loses_no_variant(made):
    origin = Origin("a.csv", 2)
    variants = [
        Variant(origin, {"Color": color, "Size": size}, [picture] if picture else [], "1")
        for color, size, picture in made
    ]
    records = records_of(Product(origin, "m", "t", variants=variants))
    looks = {(color, picture) for color, _, picture in made}
    assert len(records) == max(len(looks), 1)
    assert len({record.values["id"] for record in records}) == len(records)
    found = {
        (r.values["color"], (r.values["image"] or [""])[0], size)
        for r in records
        if "color" in r.values
        for size in r.values["sizes"].split(";")
    }
    assert found == {(color, picture, size) for color, size, picture in made}


def test_entities_are_not_expanded(shop, tmp_path):
    bomb = '<!DOCTYPE a [<!ENTITY b "xxxx"><!ENTITY c "&b;&b;&b;">]>\n' + ATOM.replace("Tee", "&c;")
    with pytest.raises(CatalogError, match=r"feed\.xml cannot be read as XML"):
        shop("feed.xml", bomb, None)
    (tmp_path / "secret").write_text("secret")
    outside = f'<!DOCTYPE a [<!ENTITY b SYSTEM "file://{tmp_path}/secret">]>\n'
    with pytest.raises(CatalogError, match=r"feed\.xml cannot be read as XML"):
        shop("feed.xml", outside + ATOM.replace("Tee", "&b;"), None)


def test_a_feed_that_is_cut_off_gives_what_stands_before(shop):
    _, rows = shop("feed.xml", RSS[: RSS.index("Tee red M")], None)
    assert isinstance(rows[0] if isinstance(rows[0], Item) else rows[1], Item)
    problems = [row for row in rows if isinstance(row, Problem)]
    assert len(problems) == 1
    assert "nothing behind item 1 was read" in problems[0].reason


def test_a_feed_without_items_says_what_it_looks_for(shop):
    with pytest.raises(CatalogError, match="holds no items"):
        shop("feed.xml", "<html><body>Not found</body></html>", None)


def test_a_compressed_file_that_is_cut_off_is_an_error(shop):
    packed = gzip.compress(MERCHANT.encode() * 50)
    with pytest.raises(CatalogError, match="damaged or cut off"):
        shop("feed.tsv.gz", packed[: len(packed) // 2], None)


def test_a_workbook_is_read_as_it_is_typed(shop, tmp_path):
    import datetime

    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Our spring catalogue"])
    sheet.append(["id", "image", "title", "price", "added", "gtin"])
    sheet.append(["0042", "pics/a0.jpg", "Tee", 19.9, datetime.date(2026, 2, 3), "0401"])
    sheet.append([None, None, None, None, None, None])
    sheet.append(["0043", "pics/a1.jpg", "Cap", 9, datetime.datetime(2026, 2, 4, 0, 0), "0402"])
    book.create_sheet("notes").append(["a", "b"])
    book.save(tmp_path / "made.xlsx")
    catalog, rows = shop("catalog.xlsx", (tmp_path / "made.xlsx").read_bytes(), None)
    assert [(row.id, row.title, row.fields["price"], row.fields["gtin"]) for row in rows] == [
        ("0042", "Tee", 19.9, "0401"),
        ("0043", "Cap", 9.0, "0402"),
    ]
    assert rows[0].fields["added"].startswith("2026-02-03")
    assert [row.origin.line for row in rows] == [3, 5]
    assert any("sheet 'Sheet'" in note for note in catalog.notes)


def test_what_is_no_workbook_is_said(shop):
    with pytest.raises(CatalogError, match="cannot be read as an Excel workbook"):
        shop("catalog.xlsx", "id,title\n1,Tee\n", None)


def test_how_a_workbook_is_read_is_said_where_nothing_reads_it(shop, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(CatalogError, match=r"pip install 'coordi\[excel\]'"):
        shop("catalog.xlsx", "x", None)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        (
            "shopify.csv",
            "Handle,Title,Option1 Name,Option1 Value,Variant Price,Variant Compare At Price,Image Src\n"
            "tee,Tee,Color,Red,19.90,29.90,pics/a0.jpg\ncap,Cap,Title,Default Title,9.00,,pics/a1.jpg\n",
            {"tee": {"price": 19.9, "compare_at_price": 29.9}, "cap": {"price": 9.0}},
        ),
        (
            "products.json",
            json.dumps(
                {
                    "products": [
                        {
                            "id": 1, "handle": "tee", "title": "Tee", "options": [{"name": "Title"}],
                            "images": [{"src": "pics/a0.jpg"}],
                            "variants": [
                                {"id": 5, "option1": "Default Title", "price": "19.90",
                                 "compare_at_price": "29.90"}
                            ],
                        }
                    ]
                }
            ),
            {"tee": {"price": 19.9, "compare_at_price": 29.9}},
        ),
        (
            "woo.csv",
            "ID,Type,SKU,Name,Published,Sale price,Regular price,Images,Parent,Attribute 1 name,Attribute 1 value(s)\n"
            '10,variable,TEE,Tee,1,,,pics/a0.jpg,,Color,"Red, Blue"\n'
            "11,variation,TEE-R,Tee,1,15.90,19.90,,id:10,Color,Red\n"
            "12,variation,TEE-B,Tee,1,,19.90,pics/a1.jpg,id:10,Color,Blue\n",
            {"11": {"price": 19.9, "Sale_price": 15.9}, "12": {"price": 19.9}},
        ),
        (
            "magento.csv",
            "sku,name,product_type,price,special_price,base_image,configurable_variations\n"
            "MH-R,Hoodie,simple,49.0,39.0,pics/a0.jpg,\n"
            'MH,Hoodie,configurable,,,pics/a0.jpg,"sku=MH-R,color=Red"\n',
            {"MH-R": {"price": 49.0, "special_price": 39.0}},
        ),
    ],
    ids=["shopify", "json", "woocommerce", "magento"],
)  # fmt: skip
def test_the_price_before_or_after_a_reduction_is_kept(shop, name, text, wanted):
    items = {item.id: item for item in shop(name, text, None)[1]}
    names = ("price", "compare_at_price", "Sale_price", "special_price")
    found = {
        id: {n: v for n in names if (v := item.fields.get(n)) is not None}
        for id, item in items.items()
    }
    assert found == wanted


def test_pictures_after_a_colours_own_are_that_colours():
    origin = Origin("x", 1)
    looks = [Variant(origin, {"Color": c}, [p]) for c, p in (("red", "a"), ("blue", "c"))]
    made = Product(origin, "tee", pictures=["0", "a", "b", "c", "d"], variants=looks)
    assert [r.values["image"] for r in records_of(made)] == [
        ["a", "b", "0"],
        ["c", "d", "0"],
    ]
    lone = Product(origin, "cap", pictures=["0", "a"], variants=[Variant(origin, {}, ["a"])])
    assert records_of(lone)[0].values["image"] == ["a", "0"]
    bare = Product(
        origin, "hat", pictures=["0"], variants=[looks[0], Variant(origin, {"Color": "x"})]
    )
    assert [r.values["image"] for r in records_of(bare)] == [["a"], ["0"]]
