"""From picture cells to files: where they are looked for, under which spellings."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordi.data.pictures import PictureFinder, file_name, find_pictures


@pytest.fixture
def folder(tmp_path):
    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"x")
        return tmp_path

    return make


def found(finder, cell, base):
    return [str(ref.path.relative_to(base)) for ref in finder.find(cell, base).found]


def test_the_first_of_several_is_the_main_one(folder):
    base = folder("a.jpg", "b.jpg", "c, d.jpg")
    finder = PictureFinder()
    for cell in ("b.jpg, a.jpg", ["b.jpg", "a.jpg"], '["b.jpg", "a.jpg"]', "b.jpg|a.jpg"):
        assert found(finder, cell, base) == ["b.jpg", "a.jpg"]
    assert found(finder, "c, d.jpg", base) == ["c, d.jpg"]


def test_a_file_whose_name_looks_like_a_list_wins(folder):
    base = folder("a.jpg,b.jpg", "a.jpg", "b.jpg")
    assert found(PictureFinder(), "a.jpg,b.jpg", base) == ["a.jpg,b.jpg"]


def test_names_without_suffix_are_split_where_files_say_so(folder):
    base = folder("a", "b")
    assert found(PictureFinder(), "a;b", base) == ["a", "b"]


def test_what_is_missing_is_told_in_the_cells_order(folder):
    base = folder("b.jpg")
    pictures = PictureFinder().find("a.jpg,b.jpg,c.jpg", base)
    assert [ref.path.name for ref in pictures.found] == ["b.jpg"]
    assert pictures.first_missing
    assert [reason.rpartition("/")[2] for reason in pictures.missing] == [
        "a.jpg is not there",
        "c.jpg is not there",
    ]


@pytest.mark.parametrize(
    "cell",
    [
        "https://x.example/p/a0.jpg",
        "https://x.example/p/a0.jpg?v=1",
        "https://x.example/p/a0.jpg?v=1#top",
        "//x.example/p/a0.jpg?v=1",
        "x.example/p/a0.jpg?v=1",
        "p/a0.jpg?v=1",
        "C:\\photos\\a0.jpg",
        "/var/www/p/a0.jpg",
    ],
)
def test_addresses_and_foreign_paths_are_found_in_the_given_folder(folder, cell):
    base = folder("a0.jpg")
    assert found(PictureFinder(base), cell, base) == ["a0.jpg"]


def test_of_files_of_one_name_the_one_deeper_in_the_address_wins(folder):
    base = folder("2024/02/1.jpg", "2024/01/1.jpg", "1.jpg")
    finder = PictureFinder(base)
    assert found(finder, "https://x/up/2024/01/1.jpg?v=2", base) == ["2024/01/1.jpg"]
    assert found(finder, "https://x/up/2023/01/1.jpg", base) == ["1.jpg"]


def test_an_address_does_not_lead_out_of_the_folder(folder):
    base = folder("secret.jpg", "pics/a.jpg")
    finder = PictureFinder(base / "pics")
    assert not finder.find("https://x/../secret.jpg", base).found
    assert not finder.find("https://x/%2e%2e/secret.jpg", base).found


@pytest.mark.parametrize(
    ("file", "cell"),
    [
        (unicodedata.normalize("NFD", "été.jpg"), unicodedata.normalize("NFC", "été.jpg")),
        (unicodedata.normalize("NFC", "été.jpg"), unicodedata.normalize("NFD", "été.jpg")),
        ("셔츠.jpg", unicodedata.normalize("NFD", "셔츠.jpg")),
        ("red dress.jpg", "red%20dress.jpg"),
        ("red%20hat.jpg", "red hat.jpg"),
        ("1163.JPG", "1163.jpg"),
        ("Images/A.JPG", "images/a.jpg"),
        ("0108.jpg", "0108"),
        ("0108.webp", "0108.jpg"),
        ("a#b.jpg", "a#b.jpg"),
        ("50%.jpg", "50%.jpg"),
        ("x.webp?v=1", "x.webp?v=1"),
        ("names/a.jpg", "/names/a.jpg"),
        ("names/a.jpg", "./names/a.jpg"),
        ("a.jpg", "'a.jpg'"),
        ("a.jpg", "  a.jpg "),
    ],
)
def test_names_spelled_otherwise_are_found(folder, file, cell):
    base = folder(file)
    assert found(PictureFinder(), cell, base) == [file]


def test_a_file_that_several_spellings_fit_is_not_guessed(folder):
    base = folder("A.jpg", "a.JPG", "b.png", "b.webp")
    (reason,) = PictureFinder().find("a.jpg", base).missing
    assert reason.endswith("a.jpg is not there; several are alike: A.jpg, a.JPG")
    assert not PictureFinder().find("b.jpg", base).found


def test_ids_find_their_files_without_zeros_that_spreadsheets_drop(folder):
    base = folder("010/0108775015.jpg", "7.png", "X-1.JPG", "x-1.jpg")
    finder = find_pictures(base, by_id=True)
    assert finder.find_by_id("0108775015").found[0].path.name == "0108775015.jpg"
    assert finder.find_by_id("108775015").respelled == 1
    assert finder.find_by_id("x-1").found[0].path.name == "x-1.jpg"
    assert not finder.find_by_id("X-01").found


def test_a_cell_that_is_not_empty_is_not_called_empty(tmp_path):
    finder = PictureFinder()
    for cell in (None, "", " ", [], {}, {"bytes": None, "path": ""}):
        assert finder.find(cell, tmp_path).missing == ("no image: the cell is empty",)
    for cell in (7, [{"position": 1}], {"alt": "Front"}):
        (reason,) = finder.find(cell, tmp_path).missing
        assert "holds no path, address or bytes" in reason


def test_a_name_with_a_line_break_is_told_in_one_line(tmp_path):
    (reason,) = PictureFinder().find("red\ndress", tmp_path).missing
    assert reason == f"image file {tmp_path / 'red dress'} is not there"
    (reason,) = find_pictures(tmp_path, by_id=True).find_by_id("a\nb").missing
    assert reason.endswith("has no file a b.*")


@settings(deadline=None)
@given(st.text(), st.booleans())
def test_any_text_is_found_or_missing(tmp_path_factory, cell, given):
    base = tmp_path_factory.getbasetemp()
    pictures = PictureFinder(base if given else None).find(cell, base)
    assert pictures.found or pictures.missing
    assert isinstance(file_name(cell), str)


@pytest.mark.parametrize(
    ("there", "asked", "meant"),
    [
        ("red-dress.jpg", "red-dres.jpg", "red-dress.jpg"),
        ("Schuhe/stiefel.png", "Schuhe/stifel.png", "Schuhe/stiefel.png"),
        ("IMG_0002.jpg", "IMG_0001.jpg", None),  # another picture, not a slip
        ("trousers.jpg", "dress.jpg", None),
        ("dress.jpg", "../dres.jpg", None),
    ],
)
def test_a_missing_file_names_its_near_miss(tmp_path, there, asked, meant):
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_bytes(b"x")
    (reason,) = PictureFinder().find(asked, tmp_path).missing
    hint = f"; did you mean {tmp_path / meant}?" if meant else ""
    assert reason == f"image file {tmp_path / asked} is not there{hint}"
