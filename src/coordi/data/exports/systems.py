"""How further shop systems and market places lay out their exports, each as a `Layout`.

Where each is documented stands in docs/catalogues.md.
"""

import math
import re
from collections.abc import Mapping

from coordi.data.exports.columns import Row, split
from coordi.data.exports.layouts import Kind, Layout, Options, pairs

_UP_TO = 7  # options and pictures that a system numbers from 1


def _numbered(row: Row, head: Row, names: str, *values: str) -> Options:
    """Options whose names and values stand in columns numbered from 1; names may be the head's."""
    found = {}
    for n in range(1, _UP_TO):
        name = row.text(f"{names}{n}") or head.text(f"{names}{n}")
        found[name] = _shown(row.text(*(f"{value}{n}" for value in values)))
    return found


def _shown(value: str) -> str:
    """A value without the code of its colour: "#ff0000:Red", "Red:#ff0000", "Red[#ff0000]"."""
    return re.sub(r"^#[0-9a-f]{3,8}:|[:\[](#|https?:).*$", "", value, flags=re.IGNORECASE).strip()


def _by_word(row: Row, column: str, words: Mapping[str, Kind], title: str) -> Kind:
    """What a cell says a row is; a word that is not known is a product's if the row has a title."""
    unknown: Kind = "product" if row.text(title) else "other"
    return words.get(row.text(column).casefold(), unknown)


# Squarespace: a row without a product is a further variant of the one above.

SQUARESPACE = Layout(
    {
        "id": ("productidnoneditable",),
        "image": ("hostedimageurls",),
        "title": ("title",),
        "description": ("description",),
        "category": ("categories",),
        "price": ("price",),
        "url": ("producturl",),
    },
    key=lambda row: row.text("productidnoneditable") or row.text("producturl"),
    kind=lambda _row: "both",
    options=lambda row, head: _numbered(row, head, "optionname", "optionvalue"),
    pictures=("hostedimageurls",),
    dropped=re.compile(r"^(option(name|value)\d|variantidnoneditable|producttype|onsale$)"),
    follows=True,
)


# Wix: rows of one handle; the first catalogue writes "Product", the third "PRODUCT" and "MEDIA".


def _wix_choices(row: Row) -> dict[str, list[str]]:
    cells = {
        row.text(f"productoptionname{n}"): row.get(
            f"productoptiondescription{n}", f"productoptionchoices{n}"
        )
        for n in range(1, _UP_TO)
    }
    return {name: [_shown(one) for one in split(cell, ";")] for name, cell in cells.items() if name}


def _wix_price(row: Row, head: Row) -> object:
    """A variant's price: the product's and what the variant costs more."""
    base, more = head.number("price"), row.number("surcharge")
    known = not row.text("price") and more and math.isfinite(base + more)
    return f"{base + more:.2f}" if known else row.get("price")


WIX = Layout(
    {
        "id": ("handleid", "handle"),
        "image": ("productimageurl", "media"),
        "title": ("name",),
        "description": ("description", "plaindescription"),
        "category": ("collection", "primarycategoryslug", "categoryslugs"),
        "brand": ("brand",),
        "price": ("price",),
    },
    key=lambda row: row.text("handleid", "handle"),
    kind=lambda row: _by_word(row, "fieldtype", {"variant": "variant", "media": "picture"}, "name"),
    options=lambda row, head: _numbered(
        row, head, "productoptionname", "productoptiondescription", "productoptionchoices"
    ),
    choices=_wix_choices,
    pictures=("productimageurl", "media"),
    price=_wix_price,
    dropped=re.compile(r"^(productoption|fieldtype|surcharge|mediaalttext|modifier|customtext)"),
)


# Amazon: the parent is no garment that can be bought.


def _amazon_kind(row: Row) -> Kind:
    return "product" if row.text("parentchild").casefold() == "parent" else "variant"


AMAZON = Layout(
    {
        "id": ("itemsku",),
        "image": ("mainimageurl",),
        "title": ("itemname",),
        "description": ("productdescription",),
        "category": ("itemtype", "feedproducttype"),
        "brand": ("brandname",),
        "price": ("standardprice",),
    },
    key=lambda row: row.text("parentsku") or row.text("itemsku"),
    kind=_amazon_kind,
    options=lambda row, _head: {
        "size": row.text("sizename", "apparelsize", "size"),
        "color": row.text("colorname", "color"),
    },
    pictures=("mainimageurl", r"otherimageurl\d"),
    variant_id=("itemsku",),
    dropped=re.compile(
        r"^(parent|relationshiptype|variationtheme|sizename|apparelsize|size$|color(name)?$)"
    ),
)


# BigCommerce: products with rows for variants, rules and pictures below them.


def _bigcommerce_kind(row: Row) -> Kind:
    words: dict[str, Kind] = {"sku": "variant", "variant": "variant", "image": "picture"}
    words |= {"rule": "other", "video": "other"}
    if row.text("itemtype"):
        return _by_word(row, "itemtype", words, "productname")
    return _by_word(row, "item", words, "name")


def _bigcommerce_options(row: Row, _head: Row) -> Options:
    """ "[S]Size=S,[CS]Color=Red:#ff0000", "Type=Radio|Name=Size|Value=S", "Size=S,Color=Red"."""
    text = row.text("options") or row.text("productname")
    if "name=" in text.casefold() and "value=" in text.casefold():
        named = re.findall(r"Name=([^|]*)\|\s*Value=([^|]*?)(?=\s*(?:Type=|$|\|))", text)
        return {name.strip(): _shown(value) for name, value in named}
    bare = re.sub(r"\[[A-Z]{1,3}\]", "", text)
    return {name: _shown(value) for name, value in pairs(bare, ",").items()}


BIGCOMMERCE = Layout(
    {
        "id": ("productid", "id"),
        "image": ("productimagefile1", "imageurlimport"),
        "title": ("productname", "name"),
        "description": ("productdescription", "description"),
        "category": ("category", "categories"),
        "brand": ("brandname",),
        "price": ("price",),
        "url": ("producturl",),
    },
    # Rows of variants have ids of their own in the same column.
    key=lambda row: (
        row.text("productid", "id", "productcodesku", "sku")
        if _bigcommerce_kind(row) == "product"
        else ""
    ),
    kind=_bigcommerce_kind,
    options=_bigcommerce_options,
    pictures=(
        r"productimagefile\d+", "variantimageurl", "internalimageurl", "internalimageurlexport",
        "imageurl", "imageurlimport",
    ),
    dropped=re.compile(r"^(item(type)?$|options?(set(align)?)?$|(product)?image|youtube|video)"),
    follows=True,
)  # fmt: skip


# Ecwid: the row's type says what it is.


def _ecwid_options(row: Row, _head: Row) -> Options:
    before = "product_variation_option_"
    cells = row.record.values
    names = {name: name[len(before) :].strip("{} ") for name in cells if name.startswith(before)}
    return {shown: str(cells[name] or "") for name, shown in names.items()}


ECWID = Layout(
    {
        "id": ("productinternalid", "productsku"),
        "image": ("productmediamainimageurl",),
        "title": ("productname",),
        "description": ("productdescription",),
        "category": ("productcategory1",),
        "brand": ("productbrand",),
        "price": ("productprice", "productvariationprice"),
    },
    key=lambda row: row.text("productinternalid", "productsku"),
    kind=lambda row: _by_word(
        row, "type", {"product_variation": "variant", "product_option": "other"}, "productname"
    ),
    options=_ecwid_options,
    pictures=("productmediamainimageurl", r"productmediagalleryimageurl\d+"),
    variant_id=("productvariationsku",),
    dropped=re.compile(r"^(type$|productvariation|productoption|productmedia.*alt)"),
)


# Shopware: a variant names its parent and leaves empty what it has from it.

SHOPWARE = Layout(
    {
        "id": ("id",),
        "image": ("covermediaurl",),
        "title": ("name",),
        "description": ("description",),
        "category": ("categories",),
        "brand": ("manufacturername",),
        "price": ("pricegross", "pricenet"),
    },
    key=lambda row: row.text("parentid") or row.text("id"),
    kind=lambda row: "variant" if row.text("parentid") else "product",
    pictures=("covermediaurl", "media", "mediaurls"),
    variant_id=("id",),
    dropped=re.compile(r"^(parentid|tax|covermedia|manufacturerid|optionids|propertyids)"),
)


# Lightspeed eCom (C-Series): a row a variant, with all of the product; languages by prefix.

_LANGUAGES = ("us", "en", "uk", "nl", "de", "fr", "es", "it", "be", "ca", "da", "sv", "no", "pl")


def _in_languages(*names: str) -> tuple[str, ...]:
    return tuple(f"{language}{name}" for name in names for language in _LANGUAGES)


LIGHTSPEED = Layout(
    {
        "id": ("internalid",),
        "image": ("images",),
        "title": _in_languages("titleshort", "titlelong"),
        "description": _in_languages("descriptionlong", "descriptionshort"),
        "category": _in_languages("category3", "category2", "category1"),
        "brand": ("brand",),
        "price": ("price",),
    },
    key=lambda row: row.text("internalid"),
    kind=lambda _row: "both",
    options=lambda row, _head: pairs(
        row.text(*_in_languages("variant")).replace('"', ""), ",", ":"
    ),
    pictures=("images",),
    variant_id=("internalvariantid",),
    dropped=re.compile(r"^..variant$"),
)


# Etsy: a row a listing, which lists the values of its variations.

ETSY = Layout(
    {
        "id": ("sku",),
        "image": ("image1",),
        "title": ("title",),
        "description": ("description",),
        "price": ("price",),
    },
    key=lambda row: next(iter(split(row.text("sku"))), "") or row.text("title"),
    kind=lambda _row: "product",
    choices=lambda row: {
        row.text(f"variation{n}name", f"variation{n}type"): split(row.text(f"variation{n}values"))
        for n in (1, 2, 3)
    },
    pictures=(r"image\d+",),
    dropped=re.compile(r"^variation\d"),
)


# eBay: rows of relation "Variation" below the listing.

EBAY = Layout(
    {
        "id": ("customlabel", "customlabelsku", "itemid", "itemnumber"),
        "image": ("picurl", "itemphotourl"),
        "title": ("title",),
        "description": ("description",),
        "category": ("categoryname", "category1name", "category", "categoryid"),
        "brand": ("cbrand",),
        "color": ("ccolor", "ccolour"),
        "price": ("startprice",),
    },
    key=lambda row: (
        ""
        if row.text("relationship").casefold() == "variation"
        else row.text("customlabel", "customlabelsku", "itemid", "itemnumber")
    ),
    kind=lambda row: "variant" if row.text("relationship").casefold() == "variation" else "product",
    options=lambda row, _head: pairs(row.text("relationshipdetails"), r"\|"),
    pictures=("picurl", "itemphotourl"),
    variant_id=("customlabel", "customlabelsku"),
    dropped=re.compile(r"^(action|relationship)"),
    follows=True,
)


# Rakuten: a row for the product and one for each SKU; all of them name the product.

_RAKUTEN_KEY = "商品管理番号商品url"


def _rakuten_kind(row: Row) -> Kind:
    if row.text("商品名"):
        return "product"
    return "variant" if row.text("sku管理番号", "システム連携用sku番号") else "other"


def _rakuten_options(row: Row, head: Row) -> Options:
    """Values by the names that the product gives to its keys."""
    keys = split(head.text("バリエーション項目キー定義"), "|")
    named = dict(zip(keys, split(head.text("バリエーション項目名定義"), "|"), strict=False))
    found = {}
    for n in range(1, _UP_TO):
        key = row.text(f"バリエーション項目キー{n}")
        found[named.get(key, key)] = row.text(f"バリエーション項目選択肢{n}")
    return found


RAKUTEN = Layout(
    {
        "id": (_RAKUTEN_KEY,),
        "image": ("商品画像パス1", "商品画像url"),
        "title": ("商品名",),
        "description": ("pc用商品説明文", "スマートフォン用商品説明文"),
        "category": ("ジャンルid", "全商品ディレクトリid"),
        "brand": ("ブランド名",),
        "price": ("通常購入販売価格", "販売価格"),
    },
    key=lambda row: row.text(_RAKUTEN_KEY),
    kind=_rakuten_kind,
    options=_rakuten_options,
    pictures=(r"商品画像パス\d+", "商品画像url", "sku画像パス"),
    dropped=re.compile(
        r"^(バリエーション|商品画像|商品オプション|選択肢|sku|システム連携用|コントロール)"
    ),
)


# Cafe24: a row a product, whose options are listed in one cell.


def _cafe24_choices(row: Row) -> dict[str, list[str]]:
    """Options as "색상{블랙|화이트}//사이즈{S|M}" lists them."""
    listed = re.findall(r"([^/{}]+)\{([^}]*)\}", row.text("옵션입력"))
    return {name.strip(): split(values, "|") for name, values in listed}


CAFE24 = Layout(
    {
        "id": ("상품코드", "자체상품코드"),
        "image": ("이미지등록상세", "이미지등록목록"),
        "title": ("상품명",),
        "description": ("상품상세설명", "상품간략설명", "상품요약설명"),
        "category": ("상품분류번호",),
        "brand": ("브랜드",),
        "price": ("판매가", "상품가"),
    },
    key=lambda row: row.text("상품코드", "자체상품코드"),
    kind=lambda _row: "product",
    choices=_cafe24_choices,
    pictures=("이미지등록상세", "이미지등록추가"),
    dropped=re.compile(r"^(옵션|이미지등록|품목구성|버튼이미지|모바일상품상세)"),
)
