"""Encodings: which one is found out, and one that is stated."""

import pytest

from coordi.data.catalog import open_catalog
from coordi.errors import CatalogError

TEXTS = {
    "cp1251": "Красное платье из хлопка с длинным рукавом",
    "cp1252": "Robe d'été légère en coton aux manches courtes",
    "cp1253": "Κόκκινο φόρεμα από βαμβάκι με μακριά μανίκια",
    "cp1257": "Raudona medvilninė suknelė su ilgomis rankovėmis žieminė šalikėlė ir čiužinys",
    "shift_jis": "赤いワンピース、綿、長袖のシャツ",
}


def titles(path, **options):
    return [row.title for row in open_catalog(path, **options).rows()]


@pytest.mark.parametrize("encoding", TEXTS)
def test_an_encoding_is_found_out_and_said(tmp_path, encoding):
    path = tmp_path / "c.csv"
    path.write_bytes(f"id,title\n1,{TEXTS[encoding]}\n2,Tee\n".encode(encoding))
    assert titles(path) == [TEXTS[encoding], "Tee"]
    assert any("--encoding" in note for note in open_catalog(path).notes)


CENTRAL = {
    "Czech": "Červené šaty s příměsí",
    "Czech shoes": "Dámské kožené boty přes kotník",
    "Slovak": "Dámska košeľa s dlhým rukávom",
    "Slovene": "Moška črna srajca",
    "Hungarian": "Női bőr cipő, fekete, több méretben",
    "Hungarian knitwear": "Kötött gyűrűs pulóver",
    "Romanian": "Cămaşă roşie",
    "Polish": "Sukienka z długim rękawem, żółta",
}
WESTERN = {
    "French": "Gilet à manches longues où l'été règne, poème, Noël, hôte, goût sûr, Škoda",
    "French with a slip": "Robe légère à manches, très chère, fraîche, forêt, bìen fêté",
    "Italian": "Così è più virtù, cioè città; lunedì blu, però",
    "Spanish": "Camisón niño, pingüino, número nº5, más",
    "Portuguese": "Calções de algodão, pões, avó, você, à mão",
    "German": "Größe, Ärmel, Übergröße, Mütze",
    "Danish": "Køer, søer, høje støvler, blå æske, frøene",
    "Finnish": "Mekko, lyhyet hihat, pääväri, öljy, šaali",
    "Catalan": "Camisa de màniga, què, cinquè, vestit d'estiu ràpid",
    "Icelandic": "Rauður kjóll með löngum ermum, þykkur, íþróttaskór",
    "Dutch": "Jurk, één maat, coördinatie, geïnspireerd",
}


@pytest.mark.parametrize("language", CENTRAL)
@pytest.mark.parametrize("encoding", ["cp1250", "iso8859_2"])
def test_central_european_titles_are_told_from_western_ones(tmp_path, language, encoding):
    path = tmp_path / "c.csv"
    path.write_bytes(f'id,title\n1,"{CENTRAL[language]}"\n'.encode(encoding))
    assert titles(path) == [CENTRAL[language]]


@pytest.mark.parametrize("language", WESTERN)
def test_western_titles_stay_western(tmp_path, language):
    path = tmp_path / "c.csv"
    path.write_bytes(f'id,title\n1,"{WESTERN[language]}"\n'.encode("cp1252"))
    assert titles(path) == [WESTERN[language]]


@pytest.mark.parametrize(("encoding", "text"), [("cp1250", "Červené šaty"), ("cp850", "Größe")])
@pytest.mark.parametrize("name", ["c.csv", "c.jsonl"])
def test_a_stated_encoding_is_taken(tmp_path, encoding, text, name):
    path = tmp_path / name
    line = f'id,title\n1,"{text}"\n' if name == "c.csv" else f'{{"id": 1, "title": "{text}"}}\n'
    path.write_bytes(line.encode(encoding))
    assert titles(path, encoding=encoding) == [text]
    assert not any("UTF-8" in note for note in open_catalog(path, encoding=encoding).notes)


def test_a_byte_order_mark_is_no_text(tmp_path):
    path = tmp_path / "c.csv"
    path.write_bytes("\ufeffid,title\n1,Tee\n".encode())
    assert titles(path, encoding="utf-8") == ["Tee"]


def test_an_encoding_that_is_none_is_refused(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("id,title\n1,Tee\n")
    for wrong in ("nope", "rot13", "base64"):
        with pytest.raises(CatalogError, match="there is no encoding"):
            open_catalog(path, encoding=wrong)
