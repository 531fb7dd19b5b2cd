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
        "Item Type,Product ID,Product Name,Product Type,Product Code/SKU,Brand Name,Option Set,Option Set Align,Product Description,Price,Sale Price,Track Inventory,Category,Product Image ID - 1,Product Image File - 1,Product Image Description - 1,Product Image Is Thumbnail - 1,Product Image Sort - 1,Product Image ID - 2,Product Image File - 2\n"
        "Product,77,Red dress,P,RD-1,Acme,Sizes,Right,<p>Soft</p>,39.90,,by option,Dresses,501,a0.jpg,,Y,0,502,a1.jpg\n"
        '  SKU,901,"[RT]Size=S,[CS]Color=Red:#ff0000",,RD-1-S,,,,,39.90,,,,,,,,,,\n'
        '  SKU,902,"[RT]Size=M,[CS]Color=Red:#ff0000",,RD-1-M,,,,,44.90,,,,,,,,,,\n'
        "  Rule,903,,,RD-1-M,,,,,,,,,,,,,,,\n"
        "Product,78,Cap,P,CP-1,Acme,,,,9.00,7.50,none,Hats,503,a2.jpg,,Y,0,,\n",
        [
            ("77", "Red dress", "01", 39.9, "Dresses", "Acme", "77", "S;M"),
            ("78", "Cap", "2", 9.0, "Hats", "Acme", "78", None),
        ],
    ),
    "bigcommerce_v3.csv": (
        "Item,ID,Name,Type,SKU,Options,Inventory Tracking,Price,Brand ID,Categories,Description,Product URL,Variant Image URL,Internal Image URL (Export),Image URL (Import),Image Description,Image is Thumbnail,Image Sort Order\n"
        "Product,77,Red dress,physical,RD,,variant,39.90,35,23,<p>Soft</p>,/red-dress/,,,,,,\n"
        "Variant,901,,,RD-S,Type=Rectangles|Name=Size|Value=S,,39.90,,,,,,,,,,\n"
        "Variant,902,,,RD-M,Type=Rectangles|Name=Size|Value=M,,39.90,,,,,,,,,,\n"
        "Image,501,,,,,,,,,,,,https://cdn.example/a0.jpg,,,TRUE,0\n"
        "Image,502,,,,,,,,,,,,https://cdn.example/a1.jpg,,,FALSE,1\n"
        "Product,78,Cap,physical,CP,,none,9.00,35,24,,/cap/,,,,,,\n"
        "Image,503,,,,,,,,,,,,https://cdn.example/a2.jpg,,,TRUE,0\n",
        [
            ("77", "Red dress", "01", 39.9, "23", None, "77", "S;M"),
            ("78", "Cap", "2", 9.0, "24", None, "78", None),
        ],
    ),
    "squarespace.csv": (
        "Product ID [Non Editable],Variant ID [Non Editable],Product Type [Non Editable],Product Page,Product URL,Title,Description,SKU,Option Name 1,Option Value 1,Option Name 2,Option Value 2,Option Name 3,Option Value 3,Price,Sale Price,On Sale,Stock,Categories,Tags,Weight,Length,Width,Height,Visible,Hosted Image URLs\n"
        "5f1,v1,PHYSICAL,shop,red-dress,Red dress,<p>Soft</p>,RD-S,Size,S,,,,,39.90,0.00,No,3,/dresses,,0.0,0.0,0.0,0.0,Yes,https://images.squarespace-cdn.com/content/a0.jpg https://images.squarespace-cdn.com/content/a1.jpg\n"
        ",v2,,,,,,RD-M,,M,,,,,39.90,0.00,No,1,,,,,,,,\n"
        "5f2,v3,PHYSICAL,shop,cap,Cap,,CP,,,,,,,9.00,0.00,No,1,/hats,,0.0,0.0,0.0,0.0,Yes,https://images.squarespace-cdn.com/content/a2.jpg\n",
        [
            ("5f1", "Red dress", "01", 39.9, "/dresses", None, "5f1", "S;M"),
            ("5f2", "Cap", "2", 9.0, "/hats", None, "5f2", None),
        ],
    ),
    "squarespace_new.csv": (
        "Product ID [Non Editable],Variant ID [Non Editable],Product Type [Non Editable],Product Page,Product URL,Title,Description,SKU,Option Name 1,Option Value 1,Price,Sale Price,On Sale,Stock,Categories,Tags,Visible,Hosted Image URLs\n"
        ",,PHYSICAL,shop,red-dress,Red dress,<p>Soft</p>,RD-S,Size,S,39.90,,No,3,/dresses,,Yes,a0.jpg\n"
        ",,,,,,,RD-M,Size,M,39.90,,No,1,,,,\n"
        ",,PHYSICAL,shop,cap,Cap,,CP,,,9.00,,No,1,/hats,,Yes,a2.jpg\n",
        [
            ("red-dress", "Red dress", "0", 39.9, "/dresses", None, "red-dress", "S;M"),
            ("cap", "Cap", "2", 9.0, "/hats", None, "cap", None),
        ],
    ),
    "wix.csv": (
        "handleId,fieldType,name,description,productImageUrl,collection,sku,ribbon,price,surcharge,visible,discountMode,discountValue,inventory,weight,cost,productOptionName1,productOptionType1,productOptionDescription1,productOptionName2,productOptionType2,productOptionDescription2,brand\n"
        "Product_1,Product,Red dress,<p>Soft</p>,a0.jpg;a1.jpg,Dresses,RD,,39.9,,TRUE,PERCENT,0,InStock,,,Size,DROP_DOWN,S;M,Color,COLOR,#ff0000:Red,Acme\n"
        "Product_1,Variant,,,,,RD-S,,,0,TRUE,,,3,,,,,S,,,#ff0000:Red,\n"
        "Product_1,Variant,,,,,RD-M,,,5,TRUE,,,1,,,,,M,,,#ff0000:Red,\n"
        "Product_2,Product,Cap,,a2.jpg,Hats,CP,,9.0,,TRUE,PERCENT,0,InStock,,,Size,DROP_DOWN,S;L,,,,\n",
        [
            ("Product_1", "Red dress", "01", 39.9, "Dresses", "Acme", "Product_1", "S;M"),
            ("Product_2", "Cap", "2", 9.0, "Hats", None, "Product_2", "S;L"),
        ],
    ),
    "wix_v3.csv": (
        "handle,fieldType,name,visible,plainDescription,media,mediaAltText,ribbon,brand,price,strikethroughPrice,cost,inventory,sku,barcode,weight,productOptionName1,productOptionType1,productOptionChoices1\n"
        "red-dress,PRODUCT,Red dress,TRUE,<p>Soft</p>,https://static.example/a0.jpg,,,Acme,39.9,,,,,,,Size,TEXT_CHOICES,S;M\n"
        "red-dress,VARIANT,,,,,,,,39.9,,,3,RD-S,,,Size,,S\n"
        "red-dress,VARIANT,,,,,,,,39.9,,,1,RD-M,,,Size,,M\n"
        "red-dress,MEDIA,,,,https://static.example/a1.jpg,,,,,,,,,,,,,\n"
        "cap,PRODUCT,Cap,TRUE,,https://static.example/a2.jpg,,,,9.0,,,IN_STOCK,CP,,,,,\n",
        [
            ("red-dress", "Red dress", "01", 39.9, None, "Acme", "red-dress", "S;M"),
            ("cap", "Cap", "2", 9.0, None, None, "cap", None),
        ],
    ),
    "opencart.csv": (
        "product_id,name(en-gb),categories,sku,upc,ean,jan,isbn,mpn,location,quantity,model,manufacturer,image_name,shipping,price,points,date_added,description(en-gb),meta_title(en-gb),tags(en-gb),sort_order\n"
        "42,Red dress,20,RD,,,,,,,3,PRD-42,Acme,catalog/demo/a0.jpg,yes,39.9000,0,2026-01-02 10:00:00,&lt;p&gt;Soft&lt;/p&gt;,Red dress,,1\n"
        "43,Cap,21,CP,,,,,,,3,PRD-43,Acme,catalog/demo/a2.jpg,yes,9.0000,0,2026-01-02 10:00:00,,Cap,,2\n",
        [
            ("42", "Red dress", "0", 39.9, "20", "Acme", "PRD-42", None),
            ("43", "Cap", "2", 9.0, "21", "Acme", "PRD-43", None),
        ],
    ),
    "ecwid.csv": (
        "type,product_internal_id,product_sku,product_name,product_price,product_description,product_media_main_image_url,product_media_main_image_alt,product_media_gallery_image_url_1,product_category_1,product_brand,product_option_name,product_option_type,product_option_value,product_variation_sku,product_variation_option_{Size}\n"
        "product,101,RD,Red dress,39.9,<p>Soft</p>,https://d.example/a0.jpg,,https://d.example/a1.jpg,Dresses,Acme,,,,,\n"
        "product_option,101,,,,,,,,,,Size,RADIOBUTTONS,S,,\n"
        "product_option,101,,,,,,,,,,Size,RADIOBUTTONS,M,,\n"
        "product_variation,101,,,39.9,,,,,,,,,,RD-S,S\n"
        "product_variation,101,,,44.9,,,,,,,,,,RD-M,M\n"
        "product,102,CP,Cap,9.0,,https://d.example/a2.jpg,,,Hats,Acme,,,,,\n",
        [
            ("RD-S", "Red dress", "01", 39.9, "Dresses", "Acme", "101", "S;M"),
            ("102", "Cap", "2", 9.0, "Hats", "Acme", "102", None),
        ],
    ),
    "shopware.csv": (
        "id;parent_id;product_number;active;stock;name;description;price_net;price_gross;tax_id;tax_rate;tax_name;cover_media_id;cover_media_url;cover_media_title;cover_media_alt;manufacturer_id;manufacturer_name;categories;sales_channel;propertyIds;optionIds\n"
        "0a1;;SW-1;1;10;Rotes Kleid;<p>Weich</p>;33.53;39.9;t1;19;S;c1;https://sw.example/a0.jpg;;;m1;Acme;k1;s1;;\n"
        "0a2;0a1;SW-1.1;1;4;;;;;;;;;;;;;;;;;o1\n"
        "0a3;0a1;SW-1.2;1;6;;;;;;;;c2;https://sw.example/a1.jpg;;;;;;;;o2\n"
        "0b1;;SW-2;1;3;Mütze;;7.56;9;t1;19;S;c3;https://sw.example/a2.jpg;;;m1;Acme;k2;s1;;\n",
        [
            ("0a2", "Rotes Kleid", "0", 39.9, "k1", "Acme", "0a1", None),
            ("0a3", "Rotes Kleid", "1", 39.9, "k1", "Acme", "0a1", None),
            ("0b1", "Mütze", "2", 9.0, "k2", "Acme", "0b1", None),
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
        "TITLE,DESCRIPTION,PRICE,CURRENCY_CODE,QUANTITY,TAGS,MATERIALS,IMAGE1,IMAGE2,IMAGE3,IMAGE4,IMAGE5,IMAGE6,IMAGE7,IMAGE8,IMAGE9,IMAGE10,VARIATION 1 TYPE,VARIATION 1 NAME,VARIATION 1 VALUES,VARIATION 2 TYPE,VARIATION 2 NAME,VARIATION 2 VALUES,SKU\n"
        'Red dress,Soft,39.90,USD,3,"dress,red",cotton,https://i.etsystatic.com/a0.jpg,https://i.etsystatic.com/a1.jpg,,,,,,,,,Size,Size,"S,M",,,,"RD-S,RD-M"\n'
        "Cap,Warm,9.00,USD,1,cap,wool,https://i.etsystatic.com/a2.jpg,,,,,,,,,,,,,,,,\n",
        [
            ("RD-S", "Red dress", "01", 39.9, None, None, "RD-S", "S;M"),
            ("Cap", "Cap", "2", 9.0, None, None, "Cap", None),
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
            ("RD-S", "Red dress", "01", 39.9, None, None, "RD", "S;M"),
            ("CP", "Cap", "2", 9.0, None, None, "CP", None),
        ],
    ),
    "ebay.csv": (
        "*Action(SiteID=US|Country=US|Currency=USD|Version=1193),CustomLabel,*Category,*Title,Relationship,RelationshipDetails,*StartPrice,*Quantity,PicURL,*ConditionID,*Description,C:Brand,C:Color\n"
        "Add,RD,63861,Red dress,,Size=S;M,,,https://i.ebayimg.example/a0.jpg|https://i.ebayimg.example/a1.jpg,1000,<p>Soft</p>,Acme,Red\n"
        ",RD-S,,,Variation,Size=S,39.90,3,,,,,\n"
        ",RD-M,,,Variation,Size=M,39.90,1,,,,,\n"
        "Add,CP,52365,Cap,,,9.00,1,https://i.ebayimg.example/a2.jpg,1000,,Acme,Blue\n",
        [
            ("RD-S", "Red dress", "01", 39.9, "63861", "Acme", "RD", "S;M"),
            ("CP", "Cap", "2", 9.0, "52365", "Acme", "CP", None),
        ],
    ),
    "lightspeed.csv": (
        "Internal_ID;Internal_Variant_ID;Visible;Brand;Supplier;US_Title_Short;US_Title_Long;US_Description_Short;US_Description_Long;US_URL;US_Variant;Price;Price_Old;Stock_Level;Article_Code;EAN;SKU;Tags;Images;US_Category_1;US_Category_2\n"
        'N11;111;Y;Acme;;Red dress;;Soft;;red-dress;"""Size: S"",""Color: Red""";39.90;;3;A1;;RD-S;;https://cdn.webshopapp.example/a0.jpg,https://cdn.webshopapp.example/a1.jpg;Women;Dresses\n'
        'N11;112;Y;Acme;;Red dress;;Soft;;red-dress;"""Size: M"",""Color: Red""";44.90;;1;A1;;RD-M;;https://cdn.webshopapp.example/a0.jpg,https://cdn.webshopapp.example/a1.jpg;Women;Dresses\n'
        "N12;121;Y;Acme;;Cap;;;;cap;Default;9.00;;1;A2;;CP;;https://cdn.webshopapp.example/a2.jpg;Hats;\n",
        [
            ("111", "Red dress", "01", 39.9, "Dresses", "Acme", "N11", "S;M"),
            ("121", "Cap", "2", 9.0, "Hats", "Acme", "N12", None),
        ],
    ),
    "rakuten.csv": (
        "商品管理番号（商品URL）,商品番号,商品名,ジャンルID,PC用商品説明文,商品画像タイプ1,商品画像パス1,商品画像名（ALT）1,商品画像タイプ2,商品画像パス2,バリエーション項目キー定義,バリエーション項目名定義,バリエーション1選択肢定義,商品オプション項目名,SKU管理番号,バリエーション項目キー1,バリエーション項目選択肢1,通常購入販売価格,在庫数,SKU画像パス\n"
        "rd,RD,赤いワンピース,100371,<p>やわらか</p>,CABINET,/dress/a0.jpg,,CABINET,/dress/a1.jpg,size,サイズ,S|M,,,,,,,\n"
        "rd,,,,,,,,,,,,,ラッピング,,,,,,\n"
        "rd,,,,,,,,,,,,,,rd-s,size,S,3980,3,\n"
        "rd,,,,,,,,,,,,,,rd-m,size,M,4280,1,\n"
        "cp,CP,帽子,100372,,CABINET,/hat/a2.jpg,,,,,,,,,,,,,\n"
        "cp,,,,,,,,,,,,,,cp-1,,,980,1,\n",
        [
            ("rd", "赤いワンピース", "01", 3980, "100371", None, "rd", "S;M"),
            ("cp", "帽子", "2", 980, "100372", None, "cp", None),
        ],
    ),
    "cafe24.csv": (
        "상품코드,자체 상품코드,진열상태,판매상태,상품분류 번호,상품명,영문 상품명,상품 요약설명,상품 상세설명,소비자가,공급가,상품가,판매가,옵션사용,품목 구성방식,옵션입력,이미지등록(상세),이미지등록(목록),이미지등록(작은목록),이미지등록(축소),이미지등록(추가),브랜드\n"
        "P000001,RD,Y,Y,24,빨간 원피스,Red dress,,<p>부드러운</p>,50000,20000,39000,39000,Y,T,색상{빨강}//사이즈{S|M},a0.jpg,a0.jpg,a0.jpg,a0.jpg,a1.jpg,Acme\n"
        "P000002,CP,Y,Y,25,모자,Cap,,,12000,5000,9000,9000,N,,,a2.jpg,a2.jpg,a2.jpg,a2.jpg,,Acme\n",
        [
            ("P000001", "빨간 원피스", "01", 39000, "24", "Acme", "P000001", "S;M"),
            ("P000002", "모자", "2", 9000, "25", "Acme", "P000002", None),
        ],
    ),
    "meta_flat.csv": (
        "id,title,description,availability,condition,price,link,image[0].url,image[0].tag[0],image[1].url,brand,item_group_id,size\n"
        "M1,Red dress,Soft,in stock,new,39.90 USD,https://s.example/1,https://s.example/a0.jpg,Front,https://s.example/a1.jpg,Acme,G,S\n"
        "M2,Red dress,Soft,in stock,new,39.90 USD,https://s.example/2,https://s.example/a0.jpg,Front,https://s.example/a1.jpg,Acme,G,M\n",
        [("M1", "Red dress", "01", 39.9, None, "Acme", "G", "S;M")],
    ),
    "salesforce.xml": (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<catalog xmlns="http://www.demandware.com/xml/impex/catalog/2006-10-31" catalog-id="shop">\n'
        '<product product-id="RD"><display-name xml:lang="x-default">Red dress</display-name><brand>Acme</brand>\n'
        '<images><image-group view-type="large"><image path="large/a0.jpg"/><image path="large/a1.jpg"/></image-group>\n'
        '<image-group view-type="small"><image path="small/a0.jpg"/></image-group></images></product>\n'
        "</catalog>\n",
        [("RD", "Red dress", "01", None, None, "Acme", None, None)],
    ),
    "magento1.csv": (
        "sku,_store,_attribute_set,_type,_category,_root_category,_product_websites,color,description,image,name,price,size,small_image,thumbnail,_media_image,_media_position,_super_products_sku,_super_attribute_code,_super_attribute_option\n"
        "RD-S,,Default,simple,,,base,Red,,no_selection,Red dress S,39.9000,S,no_selection,no_selection,,,,,\n"
        "RD-M,,Default,simple,,,base,Red,,no_selection,Red dress M,44.9000,M,no_selection,no_selection,,,,,\n"
        "RD,,Default,configurable,Women,Default Category,base,,<p>Soft</p>,/a/0/a0.jpg,Red dress,39.9000,,/a/0/a0.jpg,/a/0/a0.jpg,/a/0/a0.jpg,1,RD-S,size,S\n"
        ",,,,Women/Dresses,Default Category,,,,,,,,,,/a/1/a1.jpg,2,RD-M,size,M\n"
        "CP,,Default,simple,Hats,Default Category,base,Blue,,/a/2/a2.jpg,Cap,9.0000,,/a/2/a2.jpg,/a/2/a2.jpg,/a/2/a2.jpg,1,,,\n",
        [
            ("RD-S", "Red dress", "01", 39.9, "Women/Dresses", None, "RD", "S;M"),
            ("CP", "Cap", "2", 9.0, "Hats", None, "CP", None),
        ],
    ),
    "akeneo.csv": (
        "sku;categories;enabled;family;groups;parent;brand;color;description-en_US-ecommerce;name-en_US;picture;price-EUR;price-USD;size\n"
        "RD-S;dresses;1;clothing;;RD;acme;red;<p>Soft</p>;Red dress;files/RD-S/picture/a0.jpg;39.90;44.90;s\n"
        "CP;hats;1;clothing;;;acme;blue;;Cap;files/CP/picture/a2.jpg;9.00;10.00;\n",
        [
            ("RD-S", "Red dress", "0", 44.9, "dresses", "acme", "RD", None),
            ("CP", "Cap", "2", 10.0, "hats", "acme", None, None),
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


def test_nothing_of_an_export_disappears(tmp_path):
    """A kind of row that is not known, and a second product of one id, are said or go in."""
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "wix.csv").write_text(
        "handleId,fieldType,name,productImageUrl,price\n"
        "one,Produkt,Dress,a.jpg,9\n"
        "two,Product,Cap,a.jpg,9\n"
        "two,Product,Hat,a.jpg,9\n"
    )
    rows = list(open_catalog(tmp_path / "wix.csv").rows())
    assert [getattr(row, "title", None) for row in rows] == ["Dress", "Cap", None]
    assert "is already that of" in rows[2].reason
    (tmp_path / "ecwid.csv").write_text(
        "type,product_internal_id,product_sku,product_name,product_media_main_image_url\n"
        "product,1,RD,Dress,a.jpg\n"
    )
    (item,) = open_catalog(tmp_path / "ecwid.csv").rows()
    assert (item.id, item.fields["product_sku"]) == ("1", "RD")
