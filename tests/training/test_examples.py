"""Sources of a recipe: collections with masks, other pictures of the same rows, patterns."""

import csv
import random
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image as Pillow

from coordi.data.splits import split_of
from coordi.drawn import write_wardrobe
from coordi.errors import RecipeError
from coordi.training.augment import augment_to
from coordi.training.examples import Example, Source, load_source, some_pictures, squared
from coordi.training.sentences import Caption, truth_matrix, write_caption
from coordi.words.vocabulary import LANGUAGES


def write_pairs(folder: Path, count: int = 24) -> str:
    """People in red prints before green, their garment numbered 5, their skin 13; shop photos."""
    rows, rng = [], np.random.default_rng(0)
    for number in range(count):
        person = np.full((32, 24, 3), (0, 160, 0), np.uint8)
        parse = np.zeros((32, 24), np.uint8)
        shop = np.full((32, 24, 3), 255, np.uint8)
        shop[4:28, 4:20] = rng.choice([0, 200], (6, 4, 1)).repeat(4, 0).repeat(4, 1) * (1, 0, 0)
        person[8:24, 6:18], parse[8:24, 6:18] = shop[8:24, 6:18], 5
        person[2:8, 9:15], parse[2:8, 9:15] = (220, 180, 150), 13
        for name, picture in (("worn", person), ("shop", shop), ("parse", parse)):
            Pillow.fromarray(picture).save(folder / f"{name}{number}.png")
        rows.append([f"g{number}", *(f"{n}{number}.png" for n in ("worn", "shop", "parse"))])
    with (folder / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["item", "worn", "shop", "parse"], *rows])
    spec = {
        "kind": "pairs", "path": "pairs.csv", "map": {"id": "item", "image": "shop"},
        "pairs": "pairs.csv", "pairs_map": {"image": "worn", "mask": "parse"},
    }  # fmt: skip
    (folder / "people.yaml").write_text(yaml.safe_dump(spec))
    return str(folder / "people.yaml")


def test_a_collection_gives_pairs_and_what_is_garment(tmp_path: Path) -> None:
    source = Source(
        name="people", kind="collection", path=write_pairs(tmp_path), garment=(5,), size=32
    )
    found = load_source(source, tmp_path, "train", tmp_path / "cache")
    assert 0 < found.own < 24
    assert len(found.examples) == 2 * found.own
    assert found.garments is not None
    for row, views in enumerate(found.views):
        assert [found.examples[view].item for view in views] == [found.examples[row].item]
        assert found.examples[row].clean
        assert not found.examples[views[0]].clean
        inside = found.garments[views[0]] > 128
        green = found.pictures[views[0]][..., 1] > 80
        assert (inside & green).mean() < 0.03
        assert inside.mean() == pytest.approx(16 * 12 / (32 * 24), abs=0.05)
        assert (found.garments[row] > 128).mean() == pytest.approx(24 * 16 / (32 * 24), abs=0.05)
    assert found.pictures.shape == (len(found.examples), 32, 32, 3)


def test_a_collection_is_for_learning_alone(tmp_path: Path) -> None:
    source = Source(name="people", kind="collection", path=write_pairs(tmp_path), size=32)
    with pytest.raises(RecipeError, match="measured by its trials"):
        load_source(source, tmp_path, "val", tmp_path / "cache")
    assert load_source(source, tmp_path, "train", tmp_path / "cache").garments is None


def test_other_pictures_of_the_same_rows_share_items_and_sides(tmp_path: Path) -> None:
    write_wardrobe(tmp_path, count=30)
    small = Source(name="shop", path="catalog.csv", size=32, pairs=True)
    base = load_source(small, tmp_path, "train")
    chosen = [e.id for e in base.examples][::2]
    (tmp_path / "large").mkdir()
    for name in [*chosen, "of-nothing"]:
        Pillow.new("RGB", (64, 64), (10, 20, 30)).save(tmp_path / "large" / f"{name}.png")
    large = Source(
        name="large", same_as="shop", path="catalog.csv", pictures="large/{id}.png", size=64,
        pairs=True,
    )  # fmt: skip
    found = load_source(large, tmp_path, "train")
    assert [e.id for e in found.examples] == chosen
    by_id = {e.id: e for e in base.examples}
    assert all(e == by_id[e.id] for e in found.examples)
    assert (found.pictures[0] == (10, 20, 30)).all()


def test_patterns_are_called_by_their_words(tmp_path: Path) -> None:
    with (tmp_path / "dresses.csv").open("w", newline="") as file:
        rows = [[f"d{n}", f"d{n}.png", ("Squares", "other", "ikat")[n % 3]] for n in range(30)]
        csv.writer(file).writerows([["id", "image", "pattern"], *rows])
    for name, *_ in rows:
        Pillow.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    source = Source(
        name="dresses", path="dresses.csv", map={"id": "id", "image": "image"}, size=32,
        category="dress", pattern="pattern", patterns={"squares": "check", "other": ""},
    )  # fmt: skip
    found = load_source(source, tmp_path, "train").examples
    assert {e.category for e in found} == {"dress"}
    assert {e.pattern for e in found} == {"check", "", "ikat"}
    assert all(e.pattern == ("check", "", "ikat")[int(e.id[1:]) % 3] for e in found)


def test_some_pictures_come_from_all_over_and_pass_what_cannot_be_read(tmp_path: Path) -> None:
    write_wardrobe(tmp_path, count=40)
    source = Source(name="shop", path="catalog.csv", size=32)
    whole = load_source(source, tmp_path, "train")
    broken = tmp_path / "images" / f"{whole.examples[0].id}.png"
    found = next(tmp_path.rglob(f"{whole.examples[0].id}.*"), broken)
    found.write_bytes(b"nothing")
    some = some_pictures(source, tmp_path, "train", None, 10)
    assert 8 <= len(some) <= 14
    kept = [tuple(picture.ravel()) for picture in whole.pictures]
    assert all(tuple(picture.ravel()) in kept for picture in some)


def test_a_fourth_channel_is_squeezed_as_the_others() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 30, 4), np.uint8)
    out = squared(picture, 16)
    np.testing.assert_array_equal(out[..., :3], squared(picture[..., :3], 16))
    np.testing.assert_array_equal(out[..., 3], squared(picture[..., [3, 3, 3]], 16)[..., 0])


def test_what_else_there_is_moves_with_the_picture() -> None:
    torch.manual_seed(0)
    picture = torch.zeros(16, 4, 64, 64)
    picture[:, :, 16:48, 16:48] = 0.8
    out = augment_to(picture, 96, 64, area=(0.6, 1.0))
    assert out.shape == (16, 4, 96, 64)
    inside = out[:, 3] > 0.4
    lit = out[:, 0] > 0.0
    assert (inside == lit).float().mean() > 0.98
    assert (out[:, 3] >= 0).all()


def test_captions_in_other_languages_say_what_is_known() -> None:
    example = Example("i", "s", "g", "dress", "red", pattern="floral")
    captions = [write_caption(example, random.Random(n), foreign=1.0) for n in range(300)]
    assert not any(c.specific for c in captions)
    assert {c.category for c in captions} == {"dress", None}
    assert {c.color for c in captions} == {"red", None}
    assert {c.pattern for c in captions} == {"floral", None}
    texts = {c.text for c in captions if c.category and not c.color and not c.pattern}
    texts |= {c.text for c in captions}
    for word in ("kleid", "vestido", "robe", "ワンピース", "원피스", "连衣裙", "abito"):
        assert any(word in text for text in texts), word
    assert len(LANGUAGES) == 9
    english = [write_caption(example, random.Random(n)) for n in range(100)]
    assert not any("kleid" in c.text for c in english)
    nothing = Example("i", "s", "g", None, None)
    assert write_caption(nothing, random.Random(0), foreign=1.0).specific


def test_truth_of_patterns() -> None:
    shown = [
        Example("a", "s", "a", "dress", None, pattern="floral"),
        Example("b", "s", "b", "dress", None, pattern="check"),
        Example("c", "s", "c", "dress", "red"),
    ]
    said = [
        Caption("floral dress", "dress", pattern="floral"),
        Caption("check", pattern="check"),
        Caption("red dress", "dress", "red"),
    ]
    assert truth_matrix(shown, said).tolist() == [[1, -1, 0], [-1, 1, 0], [0, 0, 1]]


def slow_truth(examples: list[Example], captions: list[Caption]) -> list[list[int]]:
    """Pair by pair, as the docstring says."""
    from coordi.data.vocabulary import CATEGORIES, COLORS, relation

    def one(i: int, j: int) -> int:
        e, c, other = examples[i], captions[j], examples[j]
        if i == j or (e.item and e.item == other.item):
            return 1
        if c.specific:
            return 0 if (e.group, e.color) == (other.group, other.color) else -1
        pattern = 1 if c.pattern in (None, e.pattern) else (-1 if e.pattern else 0)
        known = relation(c.category, e.category, CATEGORIES)
        return min(known, relation(c.color, e.color, COLORS), pattern)

    return [[one(i, j) for j in range(len(captions))] for i in range(len(examples))]


def test_truth_against_the_slow_loop() -> None:
    rng = random.Random(0)
    examples = [
        Example(
            str(n), "s", rng.choice("gh"), rng.choice([None, "dress", "heels", "shoes"]),
            rng.choice([None, "navy", "blue", "red"]), title=rng.choice(["", "a title"]),
            item=rng.choice(["", "x", "y"]), pattern=rng.choice(["", "floral", "check"]),
        )
        for n in range(40)
    ]  # fmt: skip
    captions = [write_caption(e, rng, foreign=0.3) for e in examples]
    assert truth_matrix(examples, captions).tolist() == slow_truth(examples, captions)


def test_sides_are_by_the_group_whatever_the_source_is_called(tmp_path: Path) -> None:
    write_wardrobe(tmp_path, count=30)
    found = load_source(Source(name="shop", path="catalog.csv", size=32), tmp_path, "val")
    assert all(split_of(e.group.removeprefix("shop/")) == "val" for e in found.examples)
