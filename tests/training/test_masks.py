"""Marked pictures: how they are read, laid out and drawn into batches; a finder that learns."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from coordi.errors import RecipeError, UnknownNameError
from coordi.models.finder.classes import CLASSES, NUMBER, numbers
from coordi.models.finder.opening import open_finder
from coordi.training.masked import (
    ANYTHING,
    CONCEPTS,
    MaskSource,
    Sets,
    class_shares,
    kinds_of,
    load_masks,
)
from coordi.training.material import masks
from coordi.training.placing import fitted, laid, over, relit, thrown
from coordi.training.recipes import load_recipe
from coordi.training.run import run

ROOT = Path(__file__).parents[2]
SMALL = ["batch=3", "stages.0.steps=2", "stages.0.canvas=[64, 64]", "validate_every=0"]


def silent(_: str) -> None:
    pass


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """Forty photos, half of them with a mask: a coat (2) above, ground (0) below, a riddle (3)."""
    rows = ["id,photo,mask,labels"]
    for number in range(40):
        name = f"{number:03}"
        picture = np.full((48, 32, 3), number, np.uint8)
        Pillow.fromarray(picture).save(tmp_path / f"{name}.png")
        mask = np.zeros((48, 32), np.uint8)
        mask[:24], mask[40:, :8] = 2, 3
        Pillow.fromarray(mask).save(tmp_path / f"{name}-mask.png")
        rows.append(f"{name},{name}.png,{f'{name}-mask.png' if number % 2 else ''},coat;belt")
    (tmp_path / "photos.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "labels.txt").write_text("null\nskin\ncoat\nriddle\n")
    return tmp_path


LABELS = {"null": ("background",), "coat": ("coat", "cape"), "belt": ("belt",)}


def source_of(kind: str) -> MaskSource:
    fields = {
        "name": "street", "kind": kind, "path": "photos.csv", "labels": LABELS,
        "map": {"id": "id", "image": "photo", "mask": "mask", "tags": "labels"},
    }  # fmt: skip
    return MaskSource.model_validate(fields | ({"names": "labels.txt"} if kind == "masks" else {}))


def test_masks_say_what_their_labels_can_be(street: Path) -> None:
    sets = Sets()
    sides = {
        side: load_masks(source_of("masks"), street, side, sets, street, silent).examples
        for side in ("train", "val")
    }
    ids = {side: {example.id for example in found} for side, found in sides.items()}
    assert not ids["train"] & ids["val"]
    assert all(int(id) % 2 for id in ids["train"])
    example = sides["train"][0]
    picture, marks = example.read()
    assert picture.shape == (48, 32, 3)
    allowed = sets.table()[example.palette[marks]]
    assert set(np.flatnonzero(allowed[0, 0])) == {NUMBER["coat"], NUMBER["cape"]}
    assert set(np.flatnonzero(allowed[30, 20])) == {0}
    assert set(np.flatnonzero(allowed[45, 2])) == ANYTHING
    shares = class_shares(sides["train"], sets.table())
    assert shares[0] == 1  # all that is known for certain


def test_tags_say_what_no_pixel_is(street: Path) -> None:
    sets = Sets()
    found = load_masks(source_of("tags"), street, "train", sets, street, silent)
    assert all(int(example.id) % 2 == 0 for example in found.examples)
    example = found.examples[0]
    allowed = sets.table()[example.palette[example.read().marks]].reshape(-1, len(CLASSES))
    expected = numbers("background", "skin", "hair", "coat", "cape", "belt")
    assert set(np.flatnonzero(allowed.all(0))) == set(np.flatnonzero(allowed.any(0))) == expected


def test_a_source_that_yields_nothing_is_refused(street: Path) -> None:
    (street / "photos.csv").write_text("id,photo,mask,labels\n")
    with pytest.raises(RecipeError, match=r"'street' .* holds no usable picture to train on"):
        load_masks(source_of("masks"), street, "train", Sets(), street, silent)


def test_labels_that_no_class_has_are_refused(street: Path) -> None:
    source = source_of("masks").model_copy(update={"labels": {"coat": ("frock",)}})
    with pytest.raises(UnknownNameError, match="'frock'"):
        load_masks(source, street, "train", Sets(), street, silent)


def test_every_concept_means_classes() -> None:
    for kinds in CONCEPTS.values():
        assert numbers(*kinds)
    assert kinds_of("Tshirts") == ("t-shirt",)
    assert kinds_of("Candle") == ()


def test_what_is_laid_out_keeps_its_marks() -> None:
    rng = np.random.default_rng(0)
    picture = np.zeros((60, 40, 3), np.uint8)
    picture[10:30, 5:25] = 250
    marks = (picture[..., 0] > 0).astype(np.uint8)
    whole = laid(picture, marks, fitted(40, 60, (96, 64)), (96, 64))
    assert whole[0].shape == (96, 64, 3)
    for _ in range(20):
        pixels, named = laid(picture, marks, thrown(40, 60, (96, 64), rng), (96, 64), beyond=9)
        inside = named == 1
        assert inside.any()
        assert pixels[inside].mean() > 200
        assert pixels[named == 0].mean() < 30
        around = pixels[named == 9].reshape(-1)
        assert (around == 127).sum() >= 0.8 * around.size
    lit = relit(picture, rng)
    assert lit.dtype == np.uint8
    assert lit[20, 15].mean() > lit[50, 35].mean()
    below = np.zeros((2, 2, 3), np.uint8), np.array([[1, 1], [1, 1]])
    above = np.full((2, 2, 3), 5, np.uint8), np.array([[2, 2], [2, 2]])
    pixels, named = over(below, above, np.array([[True, False], [False, False]]))
    assert (pixels[0, 0, 0], pixels[1, 1, 0], named.tolist()) == (5, 0, [[2, 1], [1, 1]])


def test_overlaps_are_what_sets_say() -> None:
    rng = np.random.default_rng(1)
    truth, seen = rng.integers(0, 3, 200), rng.integers(0, 3, 200)
    both = np.zeros((4, 4), np.int64)
    np.add.at(both, (truth, seen), 1)
    for number, value in enumerate(masks.overlaps(both)):
        a, b = set(np.flatnonzero(truth == number)), set(np.flatnonzero(seen == number))
        assert value == pytest.approx(len(a & b) / len(a | b) if a | b else 0)


def test_batches_are_functions_of_their_number(tmp_path: Path) -> None:
    recipe = load_recipe("finder", SMALL)
    found = masks.gather(recipe, tmp_path, silent)
    one, same, other = found.batch(3, 0), found.batch(3, 0), found.batch(4, 0)
    assert torch.equal(one.inputs, same.inputs)
    assert torch.equal(one.marks, same.marks)
    assert not torch.equal(one.inputs, other.inputs)
    assert one.inputs.shape == (3, 3, 64, 64)
    assert one.marks.shape == (3, 32, 32)
    assert one.allowed.any(1).all()
    assert one.inputs.abs().max() <= 1


def test_a_finder_of_the_drawn_wardrobe_is_trained_and_serves(tmp_path: Path) -> None:
    options = [*SMALL, "validate_every=1", "checkpoint_every=1", f"cache={tmp_path / 'cache'}"]
    said: list[str] = []
    artifact = run("finder", options, output=tmp_path / "run", say=said.append, quiet=True)
    assert "mean IoU of 12 classes on val" in said[-1]
    finder = open_finder(artifact, threads=1)
    assert finder.classes == CLASSES
    finder.find(np.zeros((80, 60, 3), np.uint8))
    assert "pictures of wardrobe" in (artifact / "README.md").read_text()


def test_the_recipe_of_coordi_finder_is_one() -> None:
    recipe = load_recipe(str(ROOT / "benchmarks" / "coordi-finder.yaml"))
    assert isinstance(recipe, masks.Recipe)
    for source in recipe.sources:
        for names in source.labels.values():
            assert numbers(*names)
