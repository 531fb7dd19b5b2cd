import json

import numpy as np
import pytest
from PIL import Image

from coordi.data.collection import group_of
from coordi.data.pairs import look_alikes, paired_collection, read_pairs
from coordi.errors import CatalogError
from coordi.types import ImageRef, Photo, Problem, Sighting


def draw(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    Image.fromarray(np.kron(coarse, np.ones((5, 10, 1), np.uint8))).save(path)  # 80 × 40
    return path


def shop(tmp_path, count):
    return [
        Photo(f"p{n}", ImageRef(path=draw(tmp_path / "shop" / f"{n}.png", n)), f"item-{n // 2}")
        for n in range(count)
    ]


def test_a_pairs_file_with_boxes_and_broken_rows(tmp_path):
    draw(tmp_path / "a.png", 1)
    file = tmp_path / "pairs.csv"
    file.write_text(
        "image,item,left,top,right,bottom,left_px,top_px,right_px,bottom_px\n"
        "a.png,x,,,,,,,,\n"
        "a.png,x,0.1,0.2,0.5,1,,,,\n"
        "a.png,x,,,,,8,10,40,99\n"
        ",x,,,,,,,,\n"
        "a.png,,,,,,,,,\n"
        "gone.png,x,,,,,,,,\n"
        "a.png,x,1,2,50,60,,,,\n"
        "a.png,x,0.5,0,0.2,1,,,,\n"
        "a.png,x,0.5,,0.2,1,,,,\n"
        "a.png,x,0,0,1,1,0,0,9,9\n"
        "a.png,x,,,,,9,9,nan,9\n"
        "a.png,x,,,,,800,10,900,20\n"
        "gone.png,x,,,,,800,10,900,20\n"
    )
    rows = list(read_pairs(file))
    whole = [row for row in rows if isinstance(row, Sighting)]
    assert [row.box for row in whole] == [
        None, (0.1, 0.2, 0.5, 1.0), (0.1, 0.25, 0.5, 1.0),
        None,  # its file is gone: it stays, and can only miss
        None,  # its box lies outside: it is taken whole, and that is told
        None,  # nobody knows whether this one does
    ]  # fmt: skip
    assert [row.image.path.name for row in whole[3:]] == ["gone.png", "a.png", "gone.png"]
    told = {
        5: "no image", 6: "no item", 8: "left_px", 9: "nothing", 10: "four numbers",
        11: "give one", 12: "nothing", 13: "lies outside",
    }  # fmt: skip
    problems = [row for row in rows if isinstance(row, Problem)]
    for row, (line, word) in zip(problems, told.items(), strict=True):
        assert word in row.reason
        assert (row.origin.file, row.origin.line) == (str(file), line)


def test_json_lines_and_wrong_columns(tmp_path):
    draw(tmp_path / "a.png", 1)
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps({"image": "a.png", "item": 7, "left": 0, "top": 0, "right": 1,
                                "bottom": 0.5}) + "\n{broken\n")  # fmt: skip
    good, bad = read_pairs(file)
    assert (good.item, good.box) == ("7", (0, 0, 1, 0.5))
    assert bad.origin.line == 2
    (tmp_path / "wrong.csv").write_text("photo,garment\na.png,x\n")
    with pytest.raises(CatalogError, match="image and item; found photo, garment"):
        list(read_pairs(tmp_path / "wrong.csv"))


def test_columns_may_be_called_otherwise(tmp_path):
    draw(tmp_path / "a.png", 1)
    file = tmp_path / "pairs.csv"
    file.write_text("garment,worn,shop\nx,a.png,s.png\n,a.png,s.png\nx,,s.png\n")
    good, nameless, empty = read_pairs(file, {"image": "worn", "item": "garment"})
    assert (good.item, good.image.path.name) == ("x", "a.png")
    assert ("no garment" in nameless.reason, "no worn" in empty.reason) == (True, True)
    with pytest.raises(CatalogError, match="columns photo and item; found garment, worn, shop"):
        list(read_pairs(file, {"image": "photo"}))


def test_copies_are_found_whatever_their_size_and_flat_pictures_are_not(tmp_path):
    photos = shop(tmp_path, 6)
    copy = tmp_path / "copy.jpg"
    Image.open(photos[2].image.path).resize((160, 80), Image.Resampling.NEAREST).save(
        copy, quality=92
    )
    for name in ("flat-1.png", "flat-2.png"):
        Image.new("RGB", (40, 40), "white").save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"none")
    more = [copy, tmp_path / "flat-1.png", tmp_path / "flat-2.png", tmp_path / "broken.png"]
    photos += [Photo(path.name, ImageRef(path=path), path.name) for path in more]
    assert look_alikes(photos) == [("p2", "copy.jpg")]


def test_nothing_that_is_linked_stands_on_two_sides(tmp_path):
    photos = shop(tmp_path, 120)  # two shop photos of each of 60 items
    streets = [draw(tmp_path / "street" / f"{n}.png", 1000 + n) for n in range(60)]
    sightings = [Sighting(ImageRef(path=path), f"item-{n}") for n, path in enumerate(streets)]
    sightings += [Sighting(ImageRef(path=streets[n]), f"p{2 * n + 9}") for n in range(0, 50, 5)]
    copies = [draw(tmp_path / "copy" / f"{n}.png", 1000 + n) for n in range(0, 60, 7)]
    sightings += [Sighting(ImageRef(path=p), f"item-{n}") for n, p in enumerate(copies)]
    sightings.append(Sighting(ImageRef(path=streets[0]), "nobody"))
    made = paired_collection("mine", photos, sightings, val=0.2, test=0.3)
    assert [problem.id for problem in made.problems] == ["nobody"]
    assert len(made.test.query)
    assert len(made.val.query)
    assert all(made.photos[row].street for row in made.test.query)
    assert {p.id for p in photos} == {made.photos[row].id for row in made.test.gallery}
    sides = [made.train, made.val.query, made.test.query]
    keys = {
        "item": lambda photo: photo.item,
        "picture": lambda photo: photo.image.path.read_bytes(),
        "group": group_of,
    }
    for key in keys.values():
        seen = [{key(made.photos[row]) for row in rows} for rows in sides]
        assert not seen[0] & (seen[1] | seen[2])
        assert not seen[1] & seen[2]
    assert made.counts["near-duplicate pairs"] >= len(copies)
