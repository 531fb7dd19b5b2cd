"""What shops call the columns of their catalogues, in the languages they speak."""

import re
import unicodedata
from collections.abc import Mapping

USUAL_NAMES: Mapping[str, tuple[str, ...]] = {
    "id": (
        *("id", "item_id", "product_id", "sku", "asin", "article_id", "article_number", "code"),
        *("product_code", "style_id", "variant_sku", "uid", "uuid", "gtin", "ean", "handle"),
        *("item_number", "item_no", "item_code", "product_number", "style_code", "upc"),
        *("artikelnummer", "artikelnr", "art_nr", "produkt_id", "referencia", "codigo", "código"),
        *("reference", "référence", "ref", "codice", "riferimento", "artikelcode", "kod", "indeks"),
        *("商品番号", "商品コード", "品番", "管理番号", "상품번호", "상품코드", "품번"),
        *("商品编号", "商品編號", "货号", "貨號", "编号", "編號", "артикул", "код"),
    ),
    "image": (
        *("image", "image_path", "img", "img_path", "image_file", "filename", "file_name", "file"),
        *("photo", "photo_path", "picture", "image_name", "path", "packshot", "thumbnail"),
        *("image_url", "image_link", "img_url", "photo_url", "picture_url", "image_src", "images"),
        *("main_image", "base_image", "primary_image", "front_image", "product_image", "image_1"),
        *("main_image_url", "featured_image", "image_urls", "img_src", "pictures", "photos", "pic"),
        *("bild", "bilder", "foto", "fotos", "produktbild", "hauptbild", "bild_url", "bildlink"),
        *("imagen", "imagenes", "imágenes", "imagem", "imagens", "immagine", "immagini"),
        *("afbeelding", "afbeeldingen", "zdjecie", "zdjęcie", "zdjęcia", "obrazek", "obrázek"),
        *("kuva", "billede", "bilde", "kép", "resim", "görsel", "hình_ảnh", "gambar", "รูปภาพ"),
        *("画像", "商品画像", "画像url", "写真", "이미지", "상품이미지", "사진", "대표이미지"),
        *("图片", "圖片", "主图", "商品图片", "商品圖片", "изображение", "фото", "картинка"),
    ),
    "title": (
        *("title", "product_display_name", "display_name", "name", "product_name", "prod_name"),
        *("product_title", "item_name", "item_title", "headline", "caption", "text"),
        *("titel", "produktname", "artikelname", "produkttitel", "bezeichnung", "nombre"),
        *("titulo", "título", "nombre_producto", "nome", "nome_produto", "titre", "nom"),
        *("nom_produit", "titolo", "nome_prodotto", "naam", "productnaam", "nazwa", "název"),
        *("tuotenimi", "navn", "namn", "produktnamn", "produktnavn", "név", "ürün_adı", "tên"),
        *("商品名", "製品名", "品名", "名称", "名稱", "商品名称", "商品名稱", "标题", "標題"),
        *("상품명", "제품명", "название", "наименование"),
    ),
    "description": (
        *("description", "product_description", "detail_desc", "long_description", "desc"),
        *("body_html", "body", "details", "summary", "short_description"),
        *("beschreibung", "produktbeschreibung", "descripcion", "descripción", "descricao"),
        *("descrição", "descrizione", "omschrijving", "opis", "popis", "kuvaus", "beskrivelse"),
        *("beskrivning", "leírás", "açıklama", "mô_tả"),
        *("説明", "商品説明", "商品説明文", "설명", "상품설명", "描述", "商品描述", "описание"),
    ),
    "category": (
        *("category", "article_type", "product_type", "product_type_name", "category_name"),
        *("product_category", "item_type", "garment_type", "sub_category", "type", "label"),
        *("class", "class_name", "master_category", "categories"),
        *("kategorie", "warengruppe", "categoria", "categoría", "catégorie", "categorie"),
        *("kategoria", "kategori", "luokka", "kategória", "danh_mục"),
        *("カテゴリ", "カテゴリー", "카테고리", "분류", "类别", "類別", "分类", "分類"),
        "категория",
    ),
    "color": (
        *("color", "colour", "base_colour", "base_color", "color_name", "colour_name"),
        *("colour_group_name", "main_color", "primary_color"),
        *("farbe", "couleur", "colore", "cor", "kleur", "kolor", "barva", "väri", "farve", "farge"),
        *("färg", "szín", "renk", "màu", "カラー", "色", "색상", "颜色", "顏色", "цвет"),
    ),
    "brand": (
        *("brand", "brand_name", "vendor", "manufacturer", "designer", "marque", "label_name"),
        *("marke", "hersteller", "marca", "merk", "marka", "značka", "tuotemerkki", "varumärke"),
        *("ブランド", "ブランド名", "브랜드", "品牌", "бренд"),
    ),
    "model": (
        *("model", "model_id", "model_number", "item_group_id", "parent_sku", "parent_id"),
        *("parent_asin", "group_id", "product_group_id", "style_number", "modell", "modelo"),
        *("modèle", "modello", "モデル", "모델", "款号", "модель", "parent"),
    ),
    "price": (
        *("price", "sale_price", "current_price", "variant_price", "unit_price", "list_price"),
        *("retail_price", "price_usd", "price_eur", "price_gbp", "original_price", "mrp"),
        *("regular_price", "selling_price", "preis", "verkaufspreis", "precio", "prix", "prezzo"),
        *("preço", "preco", "prijs", "cena", "hinta", "pris", "ár", "fiyat", "giá", "harga"),
        "highest_price",
        *("価格", "販売価格", "値段", "가격", "판매가", "价格", "價格", "цена", "ราคา"),
    ),
    "url": (
        *("url", "product_url", "link", "product_link", "page_url", "href", "permalink"),
        *("produkt_url", "enlace", "lien", "商品url", "商品ページ", "링크", "链接", "連結"),
        "ссылка",
    ),
}
"""Role → the names its column usually has, likeliest first; case and punctuation do not count."""

CURRENCY_NAMES = frozenset(
    (
        *("currency", "currencycode", "pricecurrency", "währung", "waehrung", "devise", "moneda"),
        *("divisa", "valuta", "moeda", "waluta", "měna", "mena", "pénznem", "valuutta", "通貨"),
        *("통화", "货币", "貨幣", "валюта"),
    )
)
"""Bare names of columns that hold the currency of prices."""

KINDS_OF_PRODUCT = frozenset(
    (
        *("simple", "variable", "variation", "grouped", "external", "configurable", "virtual"),
        *("downloadable", "bundle", "parent", "child", "product", "variant"),
        *("simple, virtual", "simple, downloadable", "simple, downloadable, virtual"),
    )
)
"""What shop systems put into a column "type" that says nothing about the garment."""

PICTURE_WORDS = re.compile(
    r"image|img|photo|foto|pictur|\bpics?\b|bild|imagen|imagem|immagin|afbeelding|zdj[eę]ci|obr[aá]z"
    r"|kuva|billed|resim|g[oö]rsel|画像|写真|イメージ|이미지|사진|图|圖|изображ|фото|картин|รูป"
)
"""Words in the names of columns that hold pictures or are about them, in lower case."""

FURTHER_WORDS = re.compile(
    r"additional|gallery|other|alt|back|hover|swatch|thumb|small|mini|icon|logo|flag|weitere"
    r"|[02-9]$|\d\d$"
)
"""Words in the names of columns with pictures that are not the main one, in lower case."""


SMALL_WORDS = re.compile(r"thumb|small|mini|icon|logo|flag|swatch|banner|avatar|label|alt")
"""Words in the names of columns whose pictures are no further views of a garment, in lower case."""

_BRACKETS = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_QUALIFIED = re.compile(r"[.:/]\s*")
_BEFORE = frozenset(
    ("product", "item", "variant", "default", "start", "standard", "us", "en", "de", "fr", "nl",
     "es", "it")
)  # fmt: skip
_BEHIND = frozenset(
    ("tax", "included", "excluded", "incl", "excl", "gross", "net", "short", "default", "name", "1",
     "cents", "text", "value", "eur", "usd", "gbp", "en", "gb", "us", "sku")
)  # fmt: skip


def spellings(name: str) -> list[str]:
    """Simpler names that a qualified one stands for, the nearest first, bare.

    "Price tax included" → price, "translations.DEFAULT.name" → name, "C:Brand" → brand,
    "Custom label (SKU)" → sku, "US_Title_Short" → title.
    """
    outside = _BRACKETS.sub(" ", name)
    inside = [part[1:-1] for part in _BRACKETS.findall(name)]
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", outside).casefold())
    core = list(words)
    while len(core) > 1 and core[0] in _BEFORE:
        core.pop(0)
    while len(core) > 1 and core[-1] in _BEHIND:
        core.pop()
    last = _QUALIFIED.split(outside.strip())[-1]
    path = [part for part in re.split(r"[.:]", outside.casefold()) if part not in ("", "default")]
    tail = bare(path[-1]) if path else ""
    owner = bare(path[0]) if len(path) > 1 and tail in ("name", "gross", "url", "media") else ""
    names = [bare(outside), *map(bare, inside), owner, bare(last), "".join(core), tail]
    return [one for one in dict.fromkeys(names) if one and one != bare(name)]


def bare(name: str) -> str:
    """A column's name without case, blanks, punctuation and the "g:" of Google's feeds."""
    folded = unicodedata.normalize("NFKC", name).casefold().strip()
    return re.sub(r"[\W_]+", "", folded.removeprefix("g:"))
