"""Which photos are counted, and on which side, does not depend on which picture files exist."""

import csv
import json

import numpy as np
import pytest
from PIL import Image as Pillow

from coordi.data.benchmarks import READERS
from coordi.data.collection import group_of
from coordi.data.features import photo_features
from coordi.data.specs import CollectionSpec
from coordi.drawn import draw_garment, draw_wardrobe
from coordi.drawn.collections import load_collection
from coordi.models.encoders.controls import CONTROLS

COUNT = 40


def catalogue(folder):
    """A shop of drawn garments, two to a model, and a pairs file with a street photo of each."""
    rows = [["id", "image", "model", "category"]]
    pairs = [["image", "item", "left_px", "top_px", "right_px", "bottom_px"]]
    for n, garment in enumerate(draw_wardrobe(COUNT, 1).garments):
        name = f"images/{garment.id}.png"
        save(folder / name, draw_garment(garment, 48))
        save(folder / f"street/{n}.png", draw_garment(garment, 64)[::-1])
        rows.append([garment.id, name, f"m{n // 2}", garment.kind])
        pairs.append([f"street/{n}.png", garment.id, 8, 8, 50, 60])
    write(folder / "shop.csv", rows)
    write(folder / "pairs.csv", pairs)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(np.ascontiguousarray(pixels)).save(path)


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def lists(folder, root):
    """The DeepFashion benchmarks' lists, over the shop's pictures."""
    ids = [garment.id for garment in draw_wardrobe(COUNT, 1).garments]
    sides = ["train" if n < 20 else ("query", "gallery")[n % 2] for n in range(COUNT)]
    for n, id_ in enumerate(ids):
        target = folder / f"in/img/A/B/m{n // 2}/{n}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((root / f"images/{id_}.png").read_bytes())
    rows = [f"img/A/B/m{n // 2}/{n}.png m{n // 2} {side}" for n, side in enumerate(sides)]
    (folder / "in/list_eval_partition.txt").write_text("\n".join([f"{COUNT}", "a b c", *rows]))
    pairs = [
        f"img/A/B/m{n // 2}/{n}.png img/A/B/m{n // 2}/{n + 1}.png m{n // 2} "
        + ("train" if n < 20 else "val" if n < 26 else "test")
        for n in range(0, COUNT, 2)
    ]
    (folder / "c2s/Anno").mkdir(parents=True)
    (folder / "c2s/img").symlink_to(folder / "in/img")
    (folder / "c2s/list_eval_partition.txt").write_text(
        "\n".join([f"{len(pairs)}", "a b c d", *pairs])
    )
    boxes = [f"img/A/B/m{n // 2}/{n}.png 1 1 4 4 40 40" for n in range(COUNT)]
    (folder / "c2s/Anno/list_bbox_consumer2shop.txt").write_text(
        "\n".join([f"{COUNT}", "a b c d e f g", *boxes])
    )
    for n in range(COUNT):
        side = "train" if n < 20 else "validation"
        path = folder / f"df2/{side}/image/{n:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((folder / f"in/img/A/B/m{n // 2}/{n}.png").read_bytes())
        garment = {"style": 1, "category_id": 1, "bounding_box": [4, 4, 40, 40]}
        note = folder / f"df2/{side}/annos/{n:06}.json"
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(
            json.dumps({"source": ("user", "shop")[n % 2], "pair_id": n // 2, "item1": garment})
        )
    box = {"left": 4, "top": 4, "width": 40, "height": 40}
    meta, images = folder / "s2s/json", folder / "s2s/images"
    meta.mkdir(parents=True)
    images.mkdir()
    for n in range(COUNT):
        (images / f"{n}.png").write_bytes((folder / f"in/img/A/B/m{n // 2}/{n}.png").read_bytes())
    shop = [{"photo": n, "product": n // 2} for n in range(1, COUNT, 2)]
    asked = [{"photo": n, "product": n // 2, "bbox": box} for n in range(0, COUNT, 2)]
    (meta / "retrieval_tops.json").write_text(json.dumps(shop))
    (meta / "train_pairs_tops.json").write_text(json.dumps(asked[:10]))
    (meta / "test_pairs_tops.json").write_text(json.dumps(asked[10:]))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    catalogue(root)
    lists(root, root)
    return root


def of(root, cache, **fields):
    spec = {"name": "x", "path": "shop.csv", "item": "{model}", "val": 0.2, "test": 0.4} | fields
    return load_collection(CollectionSpec.model_validate(spec), root, cache=cache)


VIEWS = {"views": 1, "asked": 2, "size": 64}
SOURCES = {
    "catalogue": of,
    "category": lambda root, cache: of(root, cache, match="category", group="{model}"),
    "pairs": lambda root, cache: of(root, cache, kind="pairs", pairs="pairs.csv"),
    "views": lambda root, cache: of(root, cache, pseudo_street=VIEWS),
    "deepfashion-in-shop": lambda root, _: READERS["deepfashion-in-shop"](root / "in"),
    "deepfashion-consumer-to-shop": lambda root, _: READERS["deepfashion-consumer-to-shop"](
        root / "c2s"
    ),
    "deepfashion2": lambda root, _: READERS["deepfashion2"](root / "df2"),
    "street2shop": lambda root, _: READERS["street2shop"](root / "s2s"),
}


def outline(made):
    """All that a number rests on but the pixels."""
    trials = [t and (t.query.tolist(), t.gallery.tolist()) for t in (made.test, made.val)]
    photos = [(p.id, p.item, p.category, group_of(p)) for p in made.photos]
    return photos, made.train.tolist(), trials, dict(made.counts), made.reduced


@pytest.mark.parametrize("source", SOURCES)
def test_split_and_counts_do_not_depend_on_which_files_exist(data, tmp_path, source):
    import shutil

    read = SOURCES[source]
    whole = read(data, tmp_path / "cache")
    assert not whole.missing
    assert not whole.problems
    outlines, lost = [], []
    for harm in ("gone", "empty", "cut"):
        root = tmp_path / harm
        shutil.copytree(data, root, symlinks=False)
        for n, file in enumerate(sorted(root.rglob("*.png")) + sorted(root.rglob("*.jpg"))):
            if n % 3 == 0:
                file.unlink() if harm == "gone" else file.write_bytes(
                    file.read_bytes()[:40] if harm == "cut" else b""
                )
        made = read(root, tmp_path / "cache")
        outlines.append(outline(made))
        _, problems = photo_features(made.photos, CONTROLS["random"](None), tmp_path / "cache")
        lost.append({problem.id.replace(str(root), "") for problem in problems})
        assert set(made.missing) <= {problem.id for problem in problems}
    strip = json.dumps(outline(whole)).replace(str(data), "")
    assert lost[0]
    assert lost[0] == lost[1] == lost[2]  # one case, by whoever reads the pictures
    for harm, found in zip(("gone", "empty", "cut"), outlines, strict=True):
        text = json.dumps(found).replace(str(tmp_path / harm), "")
        if source == "pairs":  # near-duplicates join groups, as far as they can be looked at
            assert json.loads(text)[3]["test queries"] <= json.loads(strip)[3]["street photos"]
            assert [p[0] for p in json.loads(text)[0]] == [p[0] for p in json.loads(strip)[0]]
            assert text == json.dumps(outlines[0]).replace(str(tmp_path / "gone"), "")
        else:
            assert text == strip


def test_a_row_with_the_id_of_a_row_whose_picture_is_gone_is_left_out_all_the_same(tmp_path):
    catalogue(tmp_path)
    lines = (tmp_path / "shop.csv").read_text().splitlines()
    first = lines[1].split(",")
    lines.append(",".join([first[0], lines[5].split(",")[1], *first[2:]]))
    (tmp_path / "shop.csv").write_text("\n".join(lines))
    before = of(tmp_path, tmp_path / "cache")
    (tmp_path / first[1]).unlink()
    after = of(tmp_path, tmp_path / "cache")
    assert outline(before) == outline(after)
    assert [p.id for p in before.problems] == [p.id for p in after.problems] == [first[0]]
    assert list(after.missing) == [first[0]]
