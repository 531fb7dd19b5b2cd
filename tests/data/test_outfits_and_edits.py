"""Readers of outfits and edits: what the files say, by line, with what cannot be used."""

import json

import pytest

from coordi.data.fashioniq import read_fashioniq
from coordi.data.outfits import Member, gather, is_outfit_file, read_members
from coordi.drawn.folder import write_wardrobe
from coordi.drawn.wardrobe import draw_wardrobe
from coordi.errors import CatalogError
from coordi.types import Edit, Origin, Outfit


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_drawn_wardrobes_outfits_come_back(tmp_path):
    catalog = write_wardrobe(tmp_path / "drawn", count=40, size=32)
    drawn = draw_wardrobe(40).outfits
    members = list(read_members(catalog.with_name("outfits.csv")))
    outfits, problems = gather(members, {id for outfit in drawn for id in outfit.items})
    assert [(o.id, o.items) for o in outfits] == [(o.id, o.items) for o in drawn]
    assert problems == []


def test_lines_keep_their_place_and_unknown_items_are_problems(tmp_path):
    path = write(tmp_path / "looks.csv", "Look_ID,Product_ID", "a,1", "b,9", "a,2", "b,9")
    members = list(read_members(path))
    assert members[1] == Member("b", "9", Origin(str(path), 3))
    outfits, problems = gather(members, {"1", "2"})
    assert outfits == [Outfit("a", ("1", "2")), Outfit("b", ())]
    assert [(p.origin.line, p.id) for p in problems] == [(3, "9"), (5, "9")]


def test_a_table_without_outfits_is_none(tmp_path):
    path = write(tmp_path / "items.csv", "id,title", "1,shirt")
    assert not is_outfit_file(path)
    with pytest.raises(CatalogError, match="outfit_id and item_id"):
        list(read_members(path))


def test_edits_by_category_and_side(tmp_path):
    for folder in ("captions", "image_splits"):
        (tmp_path / folder).mkdir()
    entries = [
        {"candidate": "a", "target": "b", "captions": ["is red", "has no sleeves"]},
        {"candidate": "a", "captions": ["is longer"]},
        {"candidate": 7, "captions": []},
    ]
    (tmp_path / "captions/cap.dress.val.json").write_text(json.dumps(entries))
    (tmp_path / "image_splits/split.dress.val.json").write_text('["a", "b", "b"]')
    read = read_fashioniq(tmp_path)
    first, secret = read.edits["dress", "val"]
    assert first == Edit("a", ("is red", "has no sleeves"), "b")
    assert first.text == "is red and has no sleeves"
    assert secret.target == ""
    assert [problem.origin.line for problem in read.problems] == [3]
    assert read.galleries["dress", "val"] == {"a", "b"}
    assert read.repeated["dress", "val"] == 1
    assert read.counts == {"val triplets": 2, "dress val triplets": 2, "dress val gallery": 2}
