"""The finder: its loss against a loop, regions of made maps, choosing, and the graph it serves."""

from pathlib import Path

import numpy as np
import pytest
import torch

from coordi.drawn import draw_garment, draw_wardrobe
from coordi.errors import EncoderError, QueryError, UnknownNameError
from coordi.models.artifact import describe, load_system, save_system
from coordi.models.batches import MaskSizes
from coordi.models.finder.choice import NAMES, best, choose, of_kind
from coordi.models.finder.classes import CLASSES, FAMILIES, FAMILY_OF, NUMBER, numbers
from coordi.models.finder.finder import Finder, FinderSettings, partial_entropy
from coordi.models.finder.opening import _size, open_finder
from coordi.models.finder.regions import garments_of
from coordi.types import Garment

SIZES = MaskSizes(CLASSES)


def shares_of(named: np.ndarray, certain: float = 0.9) -> np.ndarray:
    """Shares (C, h, w) that say of each pixel the class of `named`, and a little of all others."""
    shares = np.full((len(CLASSES), *named.shape), (1 - certain) / (len(CLASSES) - 1), np.float32)
    for number in np.unique(named):
        shares[number][named == number] = certain
    return shares


def painted(*parts: tuple[str, slice, slice]) -> np.ndarray:
    named = np.zeros((96, 64), np.int64)
    for name, rows, columns in parts:
        named[rows, columns] = NUMBER[name]
    return named


def test_classes_are_told_by_kind_and_family() -> None:
    assert CLASSES[0] == "background"
    assert len(set(CLASSES)) == len(CLASSES)
    assert set(FAMILY_OF) == {kind for kinds in FAMILIES.values() for kind in kinds}
    assert numbers("bottom") == {NUMBER[kind] for kind in FAMILIES["bottom"]}
    assert numbers("dress") == {NUMBER["dress"]}  # the kind, not the family with the jumpsuits
    with pytest.raises(UnknownNameError, match="'frock'"):
        numbers("frock")


def test_partial_entropy_is_what_a_loop_says() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 4, 3, 2, requires_grad=True)
    allowed = torch.tensor([[True, False, False, False], [False, True, True, False], [True] * 4])
    marks = torch.randint(3, (2, 3, 2))
    loss = partial_entropy(logits, marks, allowed)
    for b, y, x in np.ndindex(2, 3, 2):
        chances = logits[b, :, y, x].softmax(0)
        wanted = -chances[allowed[marks[b, y, x]]].sum().log()
        assert loss[b, y, x].item() == pytest.approx(wanted.item(), abs=1e-5)
    loss.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    unknown = (marks == 2)[:, None].expand_as(logits)  # what can be anything teaches nothing
    assert logits.grad[unknown].abs().max() < 1e-6


def test_a_region_is_one_garment_of_its_commonest_kind() -> None:
    named = painted(
        ("blouse", slice(10, 40), slice(20, 44)), ("shirt", slice(10, 18), slice(20, 44))
    )
    (found,) = garments_of(shares_of(named), CLASSES)
    assert (found.kind, found.family) == ("blouse", "top")
    assert found.box == pytest.approx((20 / 64, 10 / 96, 44 / 64, 40 / 96))
    assert found.mask.sum() == 30 * 24
    assert 0.9 < found.score <= 1


def test_two_shoes_are_a_pair_and_two_bags_are_two() -> None:
    named = painted(
        ("boots", slice(84, 94), slice(22, 28)), ("boots", slice(86, 96), slice(32, 38)),
        ("bag", slice(30, 45), slice(0, 10)), ("bag", slice(30, 45), slice(54, 64)),
    )  # fmt: skip
    found = garments_of(shares_of(named), CLASSES)
    assert sorted(one.kind for one in found) == ["bag", "bag", "boots"]


def test_specks_doubts_and_bare_ground_are_no_garments() -> None:
    assert garments_of(shares_of(painted()), CLASSES) == ()
    speck = painted(("coat", slice(5, 7), slice(5, 7)))
    assert garments_of(shares_of(speck), CLASSES) == ()
    doubt = painted(("coat", slice(5, 50), slice(5, 50)))
    assert garments_of(shares_of(doubt, certain=0.1), CLASSES) == ()
    assert len(garments_of(shares_of(doubt), CLASSES)) == 1


def garment(kind: str, box: tuple[float, float, float, float], score: float = 0.9) -> Garment:
    mask = np.zeros((100, 100), bool)
    left, top, right, bottom = (round(100 * edge) for edge in box)
    mask[top:bottom, left:right] = True
    return Garment(kind, FAMILY_OF[kind], box, score, mask)


def test_choosing() -> None:
    coat = garment("coat", (0.3, 0.2, 0.7, 0.7))
    tee, bag = garment("t-shirt", (0.45, 0.2, 0.55, 0.5)), garment("bag", (0, 0.4, 0.3, 0.7))
    found = [bag, tee, coat]
    assert best(found) is coat
    assert best([]) is None
    assert choose(found, "best") is coat
    assert choose(found, "top") is tee
    assert choose(found, "t-shirt") is tee
    assert choose(found, "whole") is None
    assert choose(found, "hat") is None
    assert of_kind([tee, garment("t-shirt", (0, 0, 0.9, 0.9))], "top")[1] is tee
    with pytest.raises(QueryError, match="'frock'; choose one of: best, whole, top"):
        choose(found, "frock")
    assert len(set(NAMES)) == len(NAMES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    system = Finder(3, SIZES, FinderSettings(width=16))
    place = tmp_path_factory.mktemp("finder")
    save_system(place, system, describe("finder", system, SIZES, 3, title="mine"))
    return place


def test_the_graph_says_what_the_network_says(folder: Path) -> None:
    system, config = load_system(folder)
    assert isinstance(system, Finder)
    assert (config.family, config.dim) == ("finder", None)
    served = open_finder(folder, threads=1)
    assert (served.name, served.classes) == ("mine", CLASSES)
    for height, width in ((64, 96), (32, 32), (160, 64)):
        pixels = torch.rand(1, 3, height, width) * 2 - 1
        with torch.no_grad():
            wanted = system.classes_of(pixels)[0].numpy()
        got = served.run(pixels.numpy())
        assert got.shape == (len(CLASSES), height // 2, width // 2)
        np.testing.assert_allclose(got, wanted, atol=2e-3)
        np.testing.assert_allclose(got.sum(0), 1, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (500, 3), (333, 239), (64, 64), (2, 4000)])
def test_pictures_of_every_shape_are_looked_at(folder: Path, shape: tuple[int, int]) -> None:
    served = open_finder(folder, threads=1)
    picture = np.random.default_rng(0).integers(0, 255, (*shape, 3), np.uint8)
    shares = served.shares(picture)
    width, height = _size(shape[1], shape[0], served.area)
    assert shares.shape[1:] == (height // 2, width // 2)
    for one in served.find(picture):
        left, top, right, bottom = one.box
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
        assert one.mask.shape == shares.shape[1:]


def test_other_folders_are_no_finders(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(EncoderError, match="holds no garment finder"):
        open_finder(tmp_path)
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(EncoderError, match="holds no garment finder"):
        open_finder(tmp_path)
    (tmp_path / "parsing_model.onnx").write_bytes(b"no graph")
    with pytest.raises(EncoderError, match="cannot be opened by ONNX Runtime"):
        open_finder(tmp_path)


def test_the_packaged_finder_sees_a_drawn_garment_and_is_no_reranker() -> None:
    from coordi.models.finder.opening import finder_folder
    from coordi.models.opening import is_reranker

    assert not is_reranker(str(finder_folder()))
    shirt = next(g for g in draw_wardrobe(count=40).garments if g.kind == "shirt")
    found = open_finder().find(draw_garment(shirt, size=300))
    assert best(found) is not None
    left, top, right, bottom = best(found).box
    assert left < 0.4 < 0.6 < right
    assert top < 0.4 < 0.6 < bottom
