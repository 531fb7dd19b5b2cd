"""Every reader on a tiny tree in the published layout, with broken lines and missing files."""

import gzip
import json
import struct

import numpy as np
import pytest
from PIL import Image

from coordi.data.benchmarks import READERS
from coordi.data.collection import checked
from coordi.data.images import decode_image, read_bytes
from coordi.errors import CatalogError, NotFoundError


def draw(path, size=(100, 200)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "red").save(path)


def write_list(path, names, rows, count=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = [str(len(rows) if count is None else count), "  ".join(names), *map("   ".join, rows)]
    path.write_text("\n".join(text) + "\n")


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def ids(collection, rows):
    return [collection.photos[row].id for row in rows]


def reasons(collection):
    return [f"{problem.origin}: {problem.reason}" for problem in collection.problems]


def no_leak(collection):
    checked(collection)
    taught = {collection.photos[row].item for row in collection.train}
    for trial in (collection.val, collection.test):
        if trial is not None:
            assert not taught & {collection.photos[row].item for row in trial.query}


def test_in_shop(tmp_path):
    rows = []
    for item in range(40):
        side = ("train", "gallery")[item >= 30]
        for view in ("1_front", "2_side"):
            name = f"img/WOMEN/Dresses/id_{item:08}/{view}.jpg"
            shown = "query" if side == "gallery" and view == "1_front" else side
            rows.append((name, f"id_{item:08}", shown))
            draw(tmp_path / "Img" / name)
    (tmp_path / "Img" / rows[61][0]).unlink()  # the only gallery photo of item 30
    rows += [("img/a.jpg", "id_1"), ("img/b.jpg", "id_1", "dev")]
    write_list(tmp_path / "Eval/list_eval_partition.txt", ["image_name", "item_id", "status"], rows)
    write_list(
        tmp_path / "Anno/list_bbox_inshop.txt",
        ["image_name", "clothes_type", "pose_type", "x_1", "y_1", "x_2", "y_2"],
        [(rows[0][0], "3", "1", "10", "20", "50", "100")],
    )
    found = READERS["deepfashion-in-shop"](tmp_path)
    no_leak(found)
    assert found.reduced
    assert found.counts == {
        "train images": 60, "query images": 10, "gallery images": 10, "images": 80, "items": 40,
    }  # fmt: skip
    assert dict(found.photos[0].attributes) == {"clothes_type": "full", "pose": "front"}
    assert found.photos[0].category == "WOMEN/Dresses"
    assert found.val is not None
    assert len(found.train) + len(found.val.query) == 60
    assert rows[61][0] in ids(found, found.test.gallery)  # stays, and can only be missed
    assert [p.origin.line for p in found.missing.values()] == [64]
    text = "\n".join(reasons(found))
    assert "list_eval_partition.txt:83: 2 values where a row has 3" in text
    assert "list_eval_partition.txt:84: evaluation status 'dev'" in text
    assert "announces 82 rows and holds 81" in text


def test_consumer_to_shop(tmp_path):
    rows = []
    for item, side in enumerate(["train", "train", "val", "test", "test"]):
        folder = f"img/DRESSES/Skirt/id_{item:08}"
        for consumer in ("comsumer_01", "comsumer_02"):
            rows += [
                (f"{folder}/{consumer}.jpg", f"{folder}/shop_0{n}.jpg", f"id_{item:08}", side)
                for n in (1, 2)
            ]
    for name in {name for row in rows for name in row[:2]}:
        draw(tmp_path / name)
    (tmp_path / rows[-1][0]).unlink()
    rows.append((rows[0][0], rows[-1][1], "id_00000004", "test"))
    write_list(tmp_path / "Eval/list_eval_partition.txt", ["a", "b", "c", "d"], rows)
    boxes = [
        (rows[0][0], "1", "2", "10", "20", "50", "300"),
        (rows[0][1], "1", "1", "200", "20", "300", "100"),
        (rows[1][1], "1", "1", "x", "20", "300", "100"),
    ]
    write_list(tmp_path / "Anno/list_bbox_consumer2shop.txt", list("abcdefg"), boxes)
    found = READERS["deepfashion-consumer-to-shop"](tmp_path)
    no_leak(found)
    assert len(ids(found, found.test.gallery)) == len(set(ids(found, found.test.gallery))) == 6
    assert found.counts["test queries"] == 4
    assert found.counts["pairs"] == 20
    assert list(found.missing) == [rows[19][0]]
    assert len(found.val.query) == 2
    assert all(found.photos[row].street for row in found.test.query)
    assert not any(found.photos[row].street for row in found.test.gallery)
    by_id = {photo.id: photo for photo in found.photos}
    assert by_id[rows[0][0]].box == (0.1, 0.1, 0.5, 1.0)
    text = "\n".join(reasons(found))
    assert "list_eval_partition.txt:23: " in text
    assert "stands above as id_00000000" in text
    assert "list_bbox_consumer2shop.txt:4: box [200.0, 20.0, 300.0, 100.0] lies outside" in text
    assert "list_bbox_consumer2shop.txt:5: the box is not four numbers" in text
    (tmp_path / "Anno/list_bbox_consumer2shop.txt").unlink()
    whole = READERS["deepfashion-consumer-to-shop"](tmp_path)
    assert any("taken whole" in reason for reason in reasons(whole))


def garment(style, category=1, box=(10, 20, 50, 100)):
    return {"style": style, "category_id": category, "bounding_box": list(box)}


def test_deepfashion2(tmp_path):
    def photo(side, number, source, pair, *garments):
        items = {f"item{n}": g for n, g in enumerate(garments, 1)}
        name = tmp_path / side / "annos" / f"{number:06}.json"
        write_json(name, {"source": source, "pair_id": pair, **items})
        draw(tmp_path / side / "image" / f"{number:06}.jpg")

    for pair in range(30):
        photo("train", 2 * pair + 1, "user", pair, garment(1), garment(0))
        photo("train", 2 * pair + 2, "shop", pair, garment(1), garment(0))
    photo("validation", 1, "user", 1, garment(1), garment(2), garment(0))
    photo("validation", 2, "shop", 1, garment(1), garment(0))
    photo("validation", 3, "shop", 1, garment(2, category=14), garment(1, box=(900, 0, 950, 9)))
    photo("validation", 4, "user", 2, garment(1))
    (tmp_path / "validation/image/000004.jpg").unlink()
    (tmp_path / "validation/annos/000005.json").write_text('{"source": "user",\n "pair_id" 3}')
    (tmp_path / "validation/annos/000006.json").write_text('{"pair_id": 3}')
    found = READERS["deepfashion2"](tmp_path)
    no_leak(found)
    assert ids(found, found.test.query) == [
        "validation/000001/item1", "validation/000001/item2", "validation/000004/item1",
    ]  # fmt: skip
    assert ids(found, found.test.gallery) == [
        "validation/000002/item1", "validation/000002/item2",
        "validation/000003/item2",  # its box lies outside: it is taken whole
    ]  # fmt: skip
    assert list(found.missing) == ["validation/000004/item1"]
    assert found.photos[found.test.gallery[2]].box is None
    items = [found.photos[row].item for row in [*found.test.query, *found.test.gallery]]
    assert items[0] == items[3] == items[5]
    assert len(set(items)) == 4
    assert found.photos[0].box == (0.1, 0.1, 0.5, 0.5)
    assert found.counts["train garments without a pair"] == 60
    assert len(found.train) + len(found.val.query) + len(found.val.gallery) == 60
    text = "\n".join(reasons(found))
    for words in (
        "category_id is 14", "lies outside",
        "000005.json:2: not valid JSON", '000006.json:1: has no "source"',
    ):  # fmt: skip
        assert words in text


def test_street2shop(tmp_path):
    meta, box = tmp_path / "meta/json", {"left": 10, "top": 20, "width": 40, "height": 80}
    other = box | {"left": 50}
    write_json(
        meta / "retrieval_dresses.json",
        [{"photo": 100 + n, "product": n // 2} for n in range(80)] + [{"photo": "x"}],
    )
    write_json(meta / "retrieval_bags.json", [{"photo": 500, "product": 0}])
    train = [{"photo": n, "product": n, "bbox": box} for n in range(1, 31)]
    test = [
        {"photo": 31, "product": 31, "bbox": box},
        {"photo": 31, "product": 32, "bbox": box},
        {"photo": 31, "product": 33, "bbox": other},
        {"photo": 32, "product": 1, "bbox": box},
        {"photo": 33, "product": 34, "bbox": {"left": 1}},
        {"photo": 34, "product": 35, "bbox": box},
        {"photo": 35, "product": 99, "bbox": box},
    ]
    write_json(meta / "train_pairs_dresses.json", train)
    write_json(meta / "test_pairs_dresses.json", test)
    for number in [*range(1, 36), *range(100, 180), 500]:
        draw(tmp_path / "images" / f"{number:09}.jpg")
    (tmp_path / "images" / "000000034.jpg").unlink()
    (tmp_path / "photos.txt").write_text("000000034,http://a.example/34.jpg\n")
    found = READERS["street2shop"](tmp_path)
    no_leak(found)
    assert (found.test.within, found.counts["pairs"]) == ("category", 36)
    assert len(found.test.query) == 5  # (31, box), (31, other), (32, box), (34, box), (35, box)
    assert ["http://a.example/34.jpg" in p.reason for p in found.missing.values()] == [True]
    assert len(found.test.gallery) == 81
    first = found.photos[found.test.query[0]]
    answers = [p.id for p in found.photos if p.item == first.item and not p.street]
    assert answers == [f"shop/dresses/{n}/{n // 2 - 50}" for n in (162, 163, 164, 165)]
    assert first.box == (0.1, 0.1, 0.5, 0.5)
    assert not any(found.photos[row].item == "dresses/1" for row in found.train)
    assert found.counts["train street boxes left out, asked about in test"] == 1
    text = "\n".join(reasons(found))
    for words in ("entry 81 has no photo", "bbox is not left"):
        assert words in text
    (meta / "test_pairs_dresses.json").write_text('[\n{"photo": 1,,}]')
    with pytest.raises(CatalogError, match=r"test_pairs_dresses\.json:2"):
        READERS["street2shop"](tmp_path)


def write_idx(path, array):
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))


def test_fashion_mnist(tmp_path):
    rng = np.random.default_rng(0)
    images = {side: rng.integers(0, 256, (n, 28, 28)).astype(np.uint8)
              for side, n in (("train", 200), ("t10k", 30))}  # fmt: skip
    for side, pixels in images.items():
        write_idx(tmp_path / f"{side}-images-idx3-ubyte.gz", pixels)
        labels = np.arange(len(pixels), dtype=np.uint8) % 10
        write_idx(tmp_path / f"{side}-labels-idx1-ubyte.gz", labels)
    found = READERS["fashion-mnist"](tmp_path)
    no_leak(found)
    assert found.counts == {"train images": 200, "test images": 30}
    assert found.reduced
    assert (found.test.match, len(found.test.query)) == ("category", 30)
    photo = found.photos[found.test.query[9]]
    assert photo.category == "ankle boot"
    np.testing.assert_array_equal(decode_image(read_bytes(photo.image))[:, :, 0], images["t10k"][9])
    labels = tmp_path / "t10k-labels-idx1-ubyte.gz"
    labels.write_bytes(labels.read_bytes()[:-12])
    with pytest.raises(CatalogError, match="cannot be unpacked"):
        READERS["fashion-mnist"](tmp_path)
    write_idx(labels, np.zeros((3, 3), np.uint8))
    with pytest.raises(CatalogError, match="not an idx-ubyte file of 1 axes"):
        READERS["fashion-mnist"](tmp_path)


@pytest.mark.parametrize("name", READERS)
def test_an_empty_folder_says_what_should_be_there(name, tmp_path):
    with pytest.raises(NotFoundError, match="give the folder"):
        READERS[name](tmp_path)


@pytest.mark.parametrize("text", ["", "img/a.jpg id train\n", "1\na b c\n", "1\na b c\nx y\n"])
def test_a_list_that_is_none_is_refused_with_its_line(text, tmp_path):
    (tmp_path / "img").mkdir()
    (tmp_path / "list_eval_partition.txt").write_text(text)
    with pytest.raises(CatalogError, match=r"list_eval_partition\.txt:[13]: "):
        READERS["deepfashion-in-shop"](tmp_path)
