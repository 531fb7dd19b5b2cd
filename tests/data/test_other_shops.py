"""Exports and feeds of further shop systems, written after their public documentation."""

# ruff: noqa: E501 - exports have long lines

import pytest
from PIL import Image as Pillow

from coordi.data.catalog import open_catalog
from coordi.types import Item

EXPORTS = {
    "presta.csv": (
        "Product ID;Active (0/1);Name *;Categories (x,y,z...);Price tax included;Reference #;Image URLs (x,y,z...);Manufacturer;Description\n"
        "1;1;Robe rouge;Femme,Robes;39,90;R-1;https://s.example/1/a0.jpg,https://s.example/2/a1.jpg;Acme;<p>Douce</p>\n"
        "2;1;Casquette;Homme;9,00;C-1;https://s.example/3/a2.jpg;Acme;\n",
        [
            ("1", "Robe rouge", "01", 39.9, "Femme,Robes", "Acme", None, None),
            ("2", "Casquette", "2", 9.0, "Homme", "Acme", None, None),
        ],
    ),
    "bigcommerce.csv": (
        "Item Type,Product ID,Product Name,Product Type,Product Code/SKU,Brand Name,Product Description,Price,Sale Price,Category,Product Image ID - 1,Product Image File - 1,Product Image File - 2\n"
        "Product,77,Red dress,P,RD-1,Acme,<p>Soft</p>,39.90,,Dresses,501,a0.jpg,a1.jpg\n"
        "Product,78,Cap,P,CP-1,Acme,,9.00,7.50,Hats,502,a2.jpg,\n",
        [
            ("77", "Red dress", "01", 39.9, "Dresses", "Acme", None, None),
            ("78", "Cap", "2", 9.0, "Hats", "Acme", None, None),
        ],
    ),
    "squarespace.csv": (
        "Product ID [Non Editable],Variant ID [Non Editable],Product Type [Non Editable],Product Page,Product URL,Title,Description,SKU,Option Name 1,Option Value 1,Option Name 2,Option Value 2,Price,Sale Price,On Sale,Stock,Categories,Tags,Visible,Hosted Image URLs\n"
        "5f1,v1,PHYSICAL,shop,red-dress,Red dress,<p>Soft</p>,RD-S,Size,S,,,39.90,0.00,No,3,/dresses,,Yes,https://images.squarespace-cdn.com/content/a0.jpg https://images.squarespace-cdn.com/content/a1.jpg\n"
        ",v2,,,,,,RD-M,Size,M,,,39.90,0.00,No,1,,,,\n"
        "5f2,v3,PHYSICAL,shop,cap,Cap,,CP,,,,,9.00,0.00,No,1,/hats,,Yes,https://images.squarespace-cdn.com/content/a2.jpg\n",
        [
            ("5f1", "Red dress", "01", 39.9, "/dresses", None, "5f1", "S;M"),
            ("5f2", "Cap", "2", 9.0, "/hats", None, "5f2", None),
        ],
    ),
    "wix.csv": (
        "handleId,fieldType,name,description,productImageUrl,collection,sku,ribbon,price,surcharge,visible,discountMode,discountValue,inventory,weight,productOptionName1,productOptionType1,productOptionDescription1\n"
        "Product_1,Product,Red dress,<p>Soft</p>,a0.jpg;a1.jpg,Dresses,RD,,39.9,,TRUE,PERCENT,0,InStock,,Size,DROP_DOWN,S;M\n"
        "Product_1,Variant,,,,,RD-S,,,0,TRUE,,,3,,,,S\n"
        "Product_1,Variant,,,,,RD-M,,,0,TRUE,,,1,,,,M\n"
        "Product_2,Product,Cap,,a2.jpg,Hats,CP,,9.0,,TRUE,PERCENT,0,InStock,,,,\n",
        [
            ("Product_1", "Red dress", "01", 39.9, "Dresses", None, "Product_1", "S;M"),
            ("Product_2", "Cap", "2", 9.0, "Hats", None, "Product_2", None),
        ],
    ),
    "opencart.csv": (
        "product_id,name(en-gb),categories,sku,upc,quantity,model,manufacturer,image_name,price,description(en-gb),additional_images\n"
        "42,Red dress,20,RD,,3,PRD-42,Acme,catalog/a0.jpg,39.9000,&lt;p&gt;Soft&lt;/p&gt;,catalog/a1.jpg\n"
        "43,Cap,21,CP,,3,PRD-43,Acme,catalog/a2.jpg,9.0000,,\n",
        [
            ("42", "Red dress", "01", 39.9, "20", "Acme", "PRD-42", None),
            ("43", "Cap", "2", 9.0, "21", "Acme", "PRD-43", None),
        ],
    ),
    "ecwid.csv": (
        "type,product_internal_id,product_sku,product_name,product_price,product_description,product_media_main_image_url,product_media_gallery_image_url_1,product_category_1\n"
        "product,101,RD,Red dress,39.9,<p>Soft</p>,https://d.example/a0.jpg,https://d.example/a1.jpg,Dresses\n"
        "product,102,CP,Cap,9.0,,https://d.example/a2.jpg,,Hats\n",
        [
            ("RD", "Red dress", "01", 39.9, "Dresses", None, None, None),
            ("CP", "Cap", "2", 9.0, "Hats", None, None, None),
        ],
    ),
    "shopware.csv": (
        "id;parent_id;product_number;active;translations.DEFAULT.name;translations.DEFAULT.description;price.DEFAULT.gross;cover.media.url;media;categories;manufacturer.translations.DEFAULT.name\n"
        "0a1;;SW-1;1;Rotes Kleid;<p>Weich</p>;39.9;https://sw.example/a0.jpg;https://sw.example/a0.jpg|https://sw.example/a1.jpg;Kleider;Acme\n"
        "0a2;;SW-2;1;Mütze;;9;https://sw.example/a2.jpg;https://sw.example/a2.jpg;Hüte;Acme\n",
        [
            ("0a1", "Rotes Kleid", "01", 39.9, "Kleider", "Acme", None, None),
            ("0a2", "Mütze", "2", 9.0, "Hüte", "Acme", None, None),
        ],
    ),
    "meta.csv": (
        "# Required | A unique content ID\n"
        "id,title,description,availability,condition,price,link,image_link,brand,item_group_id,color,size\n"
        "M1,Red dress,Soft,in stock,new,39.90 USD,https://s.example/1,https://s.example/a0.jpg,Acme,G,red,S\n"
        "M2,Red dress,Soft,in stock,new,39.90 USD,https://s.example/2,https://s.example/a0.jpg,Acme,G,red,M\n"
        "M3,Cap,,out of stock,new,9.00 USD,https://s.example/3,https://s.example/a2.jpg,Acme,,,\n",
        [
            ("M1", "Red dress", "0", 39.9, None, "Acme", "G", "S;M"),
            ("M3", "Cap", "2", 9.0, None, "Acme", "M3", None),
        ],
    ),
    "etsy.csv": (
        "TITLE,DESCRIPTION,PRICE,CURRENCY_CODE,QUANTITY,TAGS,MATERIALS,IMAGE1,IMAGE2,IMAGE3,VARIATION 1 TYPE,VARIATION 1 NAME,VARIATION 1 VALUES,SKU\n"
        'Red dress,Soft,39.90,USD,3,"dress,red",cotton,https://i.etsystatic.com/a0.jpg,https://i.etsystatic.com/a1.jpg,,Size,Size,"S,M",RD\n'
        "Cap,Warm,9.00,USD,1,cap,wool,https://i.etsystatic.com/a2.jpg,,,,,,CP\n",
        [
            ("RD", "Red dress", "01", 39.9, None, None, None, None),
            ("CP", "Cap", "2", 9.0, None, None, None, None),
        ],
    ),
    "amazon.txt": (
        "TemplateType=fptcustom\tVersion=2024.1\tThe top 3 rows are for Amazon.com use only.\t\t\t\t\t\t\n"
        "Seller SKU\tProduct Name\tMain Image URL\tOther Image URL1\tStandard Price\tParentage\tParent SKU\tSize\tColor\n"
        "item_sku\titem_name\tmain_image_url\tother_image_url1\tstandard_price\tparent_child\tparent_sku\tsize_name\tcolor_name\n"
        "RD\tRed dress\thttps://m.example/a0.jpg\thttps://m.example/a1.jpg\t\tParent\t\t\t\n"
        "RD-S\tRed dress S\thttps://m.example/a0.jpg\t\t39.90\tChild\tRD\tS\tRed\n"
        "RD-M\tRed dress M\thttps://m.example/a0.jpg\t\t39.90\tChild\tRD\tM\tRed\n"
        "CP\tCap\thttps://m.example/a2.jpg\t\t9.00\t\t\t\tBlue\n",
        [
            ("RD-S", "Red dress", "0", 39.9, None, None, "RD", "S;M"),
            ("CP", "Cap", "2", 9.0, None, None, "CP", None),
        ],
    ),
    "ebay.csv": (
        "*Action(SiteID=US|Country=US|Currency=USD|Version=1193),Custom label (SKU),Category ID,Title,P:UPC,Start price,Quantity,Item photo URL,Condition ID,Description,C:Brand,C:Color\n"
        "Add,RD,63861,Red dress,,39.90,3,https://i.ebayimg.example/a0.jpg|https://i.ebayimg.example/a1.jpg,1000,<p>Soft</p>,Acme,Red\n"
        "Add,CP,52365,Cap,,9.00,1,https://i.ebayimg.example/a2.jpg,1000,,Acme,Blue\n",
        [
            ("RD", "Red dress", "01", 39.9, None, "Acme", None, None),
            ("CP", "Cap", "2", 9.0, None, "Acme", None, None),
        ],
    ),
    "lightspeed.csv": (
        "Internal_ID;Internal_Variant_ID;Visible;Brand;Supplier;US_Title_Short;US_Description_Short;US_Variant;Price_Incl;SKU;Images;US_Category_1\n"
        "11;111;1;Acme;;Red dress;Soft;Size: S;39.90;RD-S;https://cdn.webshopapp.example/a0.jpg,https://cdn.webshopapp.example/a1.jpg;Dresses\n"
        "12;121;1;Acme;;Cap;;Default;9.00;CP;https://cdn.webshopapp.example/a2.jpg;Hats\n",
        [
            ("RD-S", "Red dress", "01", 39.9, "Dresses", "Acme", None, None),
            ("CP", "Cap", "2", 9.0, "Hats", "Acme", None, None),
        ],
    ),
}
"""File → its text, and (id, title, pictures, price, category, brand, model, sizes) of its items."""


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_reads_right(tmp_path, name):
    text, wanted = EXPORTS[name]
    (tmp_path / "pics").mkdir()
    for number in range(3):
        Pillow.new("RGB", (4, 6), (80 * number, 9, 9)).save(tmp_path / f"pics/a{number}.jpg")
    (tmp_path / name).write_text(text, "utf-8")
    catalog = open_catalog(tmp_path / name, images=tmp_path / "pics")
    rows = list(catalog.rows())
    assert [row for row in rows if not isinstance(row, Item)] == []
    told = [
        (
            row.id,
            row.title,
            "".join(ref.path.stem[-1] for ref in (row.image, *row.more)),
            *(row.fields.get(name) for name in ("price", "category", "brand", "model", "sizes")),
        )
        for row in rows
    ]
    assert told == wanted
