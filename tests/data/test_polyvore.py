"""Polyvore's two datasets as published: what is read, what is named as unusable, what is found."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from coordi.data.polyvore import (
    PUBLISHED,
    BlankQuestion,
    Garment,
    LabelledOutfit,
    is_polyvore,
    read_polyvore,
)
from coordi.doctor import examine
from coordi.doctor.blanks import order_auc
from coordi.errors import CatalogError
from coordi.types import Outfit


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def outfit(set_id: str, *items: str) -> dict[str, object]:
    members = [{"item_id": item, "index": n} for n, item in enumerate(items, 1)]
    return {"set_id": set_id, "items": members}


@pytest.fixture
def disjoint(tmp_path) -> Path:
    """Polyvore Outfits-D: the split's files, and what both splits share one folder above."""
    folder = tmp_path / "disjoint"
    write(folder / "train.json", [outfit("1", "a", "b"), outfit("2", "c", "d", "e")])
    write(folder / "valid.json", [outfit("3", "f", "g")])
    write(folder / "test.json", [outfit("4", "h", "i"), outfit("5", "j", "k", "l")])
    question = {"question": ["5_1", "5_3"], "answers": ["4_1", "5_2"], "blank_position": 2}
    write(folder / "fill_in_blank_test.json", [question])
    write(folder / "compatibility_test.txt", "1 4_1 4_2\n0 4_1 5_2\n")
    write(tmp_path / "categories.csv", "3,dress,all-body\n17,blouse,tops\n17,sweater,tops \n")
    facts = {
        "a": {"category_id": "17", "semantic_category": "tops", "title": "white blouse"},
        "b": {"category_id": "3", "title": None},
        "c": {"category_id": "999"},
    }
    write(tmp_path / "polyvore_item_metadata.json", facts)
    write(tmp_path / "polyvore_outfit_titles.json", {"1": {"title": "spring"}})
    return folder


@pytest.fixture
def maryland(tmp_path) -> Path:
    """Maryland Polyvore, whose items have no ids of their own."""
    items = [{"index": 1, "name": "silk shirt", "categoryid": 17}, {"index": 3, "name": "skirt"}]
    write(tmp_path / "train_no_dup.json", [{"set_id": "1", "name": "spring", "items": items}])
    write(tmp_path / "test_no_dup.json", [{"set_id": "2", "name": "", "items": items}])
    question = {"question": ["2_3"], "answers": ["2_1", "1_1"], "blank_position": 1}
    write(tmp_path / "fill_in_blank_test.json", [question])
    write(tmp_path / "fashion_compatibility_prediction.txt", "1 2_1 2_3\n0 2_1 1_3\n")
    write(tmp_path / "category_id.txt", "2 Clothing\r\n17 Day Dresses\r\n")
    return tmp_path


def reasons(folder: Path) -> list[tuple[str, int | None, str | None]]:
    problems = read_polyvore(folder).problems
    return [(Path(p.origin.file).name, p.origin.line, p.id) for p in problems]


def test_polyvore_outfits(disjoint):
    read = read_polyvore(disjoint)
    assert read.dataset == "Polyvore Outfits-D"
    assert read.outfits["train"][0] == Outfit("1", ("a", "b"), "spring")
    assert read.items["a"] == Garment("blouse / sweater", "tops", "white blouse")
    assert read.items["b"] == Garment("dress", "all-body", "")
    assert read.items["c"] == Garment("999", "", "")
    assert read.questions == {"test": (BlankQuestion("5", ("j", "l"), ("h", "k"), 1, 2),)}
    assert read.labelled == {
        "test": (LabelledOutfit(("h", "i"), True), LabelledOutfit(("h", "k"), False))
    }
    assert read.counts == {"train outfits": 2, "valid outfits": 1, "test outfits": 2}
    assert read.problems == ()


def test_maryland(maryland):
    read = read_polyvore(maryland)
    assert read.dataset == "Maryland Polyvore"
    assert read.outfits["train"] == (Outfit("1", ("1_1", "1_3"), "spring"),)
    assert read.items["2_1"] == Garment("Day Dresses", "", "silk shirt")
    assert read.questions == {"test": (BlankQuestion("2", ("2_3",), ("2_1", "1_1"), 0, 1),)}
    assert [line.label for line in read.labelled["test"]] == [True, False]
    assert read.problems == ()


def test_cuts_of_maryland_complete_each_other(tmp_path):
    slots = {"1": {"upper": {"index": 1, "name": "shirt"}, "shoe": {"index": 3, "name": "boot"}}}
    write(tmp_path / "mcn_test_no_dup_with_category_3more_name.json", slots)
    places = {"set_id": "1", "items_index": [1, 2], "items_category": [17, 8]}
    write(tmp_path / "ngnn_test_no_dup_new_100.json", [places])
    write(tmp_path / "ngnn_category_id.txt", "17 Blouses\n")
    read = read_polyvore(tmp_path)
    assert {side: outfits[0].items for side, outfits in read.outfits.items()} == {
        "mcn_test": ("1_1", "1_3"),
        "ngnn_test": ("1_1", "1_2"),
    }
    assert read.items["1_1"] == Garment("Blouses", "upper", "shirt")
    assert read.items["1_2"] == Garment("8", "", "")
    assert read.counts == {"test outfits": 1}


def test_which_folders_are_polyvores(disjoint, tmp_path):
    assert is_polyvore(disjoint)
    assert is_polyvore(tmp_path)
    with pytest.raises(CatalogError, match=r"two benchmarks; name .*disjoint"):
        read_polyvore(tmp_path)
    other = write(tmp_path / "other" / "train.json", [])
    assert not is_polyvore(other.parent)
    for name in ("compatibility.txt", "fashion_compatibility.txt"):
        write(tmp_path / "notes" / name, "")
    assert not is_polyvore(tmp_path / "notes")
    with pytest.raises(CatalogError, match="no outfits"):
        read_polyvore(tmp_path / "none")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"set_id": "9"}, "items: Field required"),
        ({"set_id": "9", "items": []}, "items: "),
        ({"set_id": "9", "items": [{"item_id": "a"}]}, "items.index: Field required"),
        ({"items_index": [1], "items_category": [1, 2], "set_id": "9"}, "items: "),
        ("9", "entry: "),
    ],
)
def test_outfits_without_a_part_are_problems(disjoint, entry, words):
    write(disjoint / "valid.json", [entry, outfit("3", "f", "g")])
    read = read_polyvore(disjoint)
    (problem,) = read.problems
    assert (problem.origin.line, problem.reason[: len(words)]) == (1, words)
    assert [o.id for o in read.outfits["valid"]] == ["3"]


def test_a_key_of_two_items_is_a_problem(disjoint):
    write(disjoint / "valid.json", [outfit("4", "x", "i")])
    assert reasons(disjoint) == [("test.json", 1, "4_1")]


def test_unusable_questions_are_problems(disjoint):
    good = {"question": ["5_1"], "answers": ["5_2", "4_1"]}
    entries = [
        good | {"answers": ["5_2", "77_1"]},
        good | {"answers": ["5_2", "5_3"]},
        good | {"answers": ["5_2"]},
        {"question": ["5_1"]},
        good,
    ]
    path = write(disjoint / "fill_in_blank_test.json", entries)
    assert reasons(disjoint) == [
        (path.name, 1, "77_1"), (path.name, 2, None), (path.name, 3, None), (path.name, 4, None),
    ]  # fmt: skip
    assert [q.right for q in read_polyvore(disjoint).questions["test"]] == [0]


def test_unusable_lines_are_problems(disjoint):
    lines = ("1 4_1 4_2", "2 4_1 4_2", "4_1 4_2", "", "0", "0 4_1 9_9", "0 4_1 5_1")
    path = write(disjoint / "compatibility_test.txt", "\n".join(lines))
    assert reasons(disjoint) == [
        (path.name, 2, None), (path.name, 3, None), (path.name, 4, None), (path.name, 5, None),
        (path.name, 6, "9_9"),
    ]  # fmt: skip
    assert len(read_polyvore(disjoint).labelled["test"]) == 2


def test_unusable_facts_are_problems(disjoint):
    write(disjoint.parent / "categories.csv", "3,dress,all-body\n4\n\n")
    write(disjoint / "train_category.json", {"a": "3", "b": 7})
    assert reasons(disjoint) == [("categories.csv", 2, None), ("train_category.json", 2, "b")]


@pytest.mark.parametrize("content", ["[{", '{"a": 1', '"text"', "7"])
def test_a_broken_file_is_named(disjoint, content):
    write(disjoint / "train.json", content)
    with pytest.raises(CatalogError, match=r"train\.json"):
        read_polyvore(disjoint)


def test_sides_of_the_tests_files(disjoint):
    for side in ("train", "valid", "test_hw"):
        write(disjoint / f"compatibility_{side}.txt", "1 1_1 1_2\n")
        write(disjoint / f"fill_in_blank_{side}.json", [])
    write(disjoint / "fashion-compatibility-prediction.txt", "")
    (disjoint / "compatibility_test.txt").unlink()
    read = read_polyvore(disjoint)
    assert sorted(read.labelled) == sorted(read.questions) == ["test", "test_hw", "train", "valid"]


def test_two_files_of_one_side(disjoint):
    write(disjoint / "train_no_dup.json", [])
    with pytest.raises(CatalogError, match=r"train_no_dup\.json and train\.json"):
        read_polyvore(disjoint)


def test_missing_files_leave_nothing_out(disjoint):
    for path in (*disjoint.parent.glob("*.*"), disjoint / "fill_in_blank_test.json"):
        path.unlink()
    read = read_polyvore(disjoint)
    assert (read.questions, read.problems) == ({}, ())
    assert read.items["a"] == Garment()


# the doctor


def findings(folder: Path, monkeypatch, check: str):
    read = read_polyvore(folder)
    monkeypatch.setitem(PUBLISHED, read.dataset, read.counts)
    return [found for found in examine(folder).findings if found.check == check]


def test_a_clean_split_has_no_error(disjoint, monkeypatch):
    read = read_polyvore(disjoint)
    monkeypatch.setitem(PUBLISHED, read.dataset, read.counts)
    audit = examine(disjoint)
    assert [(f.check, f.severity) for f in audit.findings] == [("questions", "warning")]
    assert audit.kind == "outfits"
    assert audit.facts == {"outfits": 5, "items": 12, "questions": 1, "labelled outfits": 2}


def test_a_reduced_copy_is_called_one(disjoint):
    (found,) = [f for f in examine(disjoint).findings if f.check == "published counts"]
    assert (found.severity, found.count) == ("error", 3)
    assert "a reduced Polyvore Outfits-D benchmark" in found.advice


def test_items_on_two_sides(disjoint, monkeypatch):
    shared = [outfit("4", "h", "a"), outfit("5", "b", "a"), outfit("6", "m", "n")]
    write(disjoint / "test.json", shared)
    (disjoint / "fill_in_blank_test.json").unlink()
    (found,) = findings(disjoint, monkeypatch, "shared items")
    assert (found.severity, found.count, found.total) == ("error", 2, 3)
    assert found.figures == {"whole": 1}
    (twice,) = findings(disjoint, monkeypatch, "duplicate outfits")
    assert twice.count == 2


def test_right_choices_that_stand_first(maryland, monkeypatch):
    first, ids = findings(maryland, monkeypatch, "questions")
    assert (first.severity, first.count, first.total) == ("error", 1, 1)
    assert (ids.severity, ids.count) == ("warning", 1)


def test_unusable_entries_by_reason(disjoint, monkeypatch):
    lines = "2 4_1 4_2\n4_1 4_2\n1 9_9 4_1\n1 4_1 4_2"
    write(disjoint / "compatibility_test.txt", lines)
    label, unknown = findings(disjoint, monkeypatch, "unusable entries")
    assert (label.count, unknown.count) == (2, 1)
    assert "1 or 0" in label.title
    assert unknown.exhibits[0].text.endswith("compatibility_test.txt:3 9_9")


def test_labelled_outfits_are_counted_and_may_not_contradict(disjoint, monkeypatch):
    write(disjoint / "compatibility_test.txt", "1 4_1 4_2\n0 4_2 4_1\n0 4_1 5_1\n")
    (found,) = findings(disjoint, monkeypatch, "labelled outfits")
    assert (found.severity, found.count) == ("error", 1)
    (table,) = [f for f in examine(disjoint).figures if f.check == "labelled outfits"]
    assert table.rows == (("test", "1", "2"),)


def test_the_order_of_many_outfits_takes_little_memory():
    outfits = [(0, 1, 2)] * 6000
    tracemalloc.start()
    auc, asked = order_auc(outfits, np.arange(3))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (asked, peak < 16 << 20) == (3000, True)
    assert auc == pytest.approx(11 / 12, abs=0.01)  # one shuffle of six is the order itself
