"""Cells on disk, batches of them, and the system that learns from them."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tokenizers import Tokenizer

from coordi.data.splits import split_of
from coordi.drawn import draw_garment, draw_wardrobe
from coordi.errors import RecipeError
from coordi.geometry import similarities, top_k
from coordi.models.encoders.cells import CHANNELS, Cells
from coordi.models.opening import open_encoder, open_system
from coordi.models.retrieval.parts import NOTIONS, PartsSystem, Proxies
from coordi.training.cells import pick, render_cells
from coordi.training.examples import ExampleSet, load_source
from coordi.training.material.captions import tokenize
from coordi.training.material.cells import CellMaterial, Recipe, Source, gather, notion_keys
from coordi.training.recipes import load_recipe
from coordi.training.run import run

RECIPE = {
    "system": "parts",
    "name": "tiny",
    "imagenet": False,
    "sources": [{"name": "wardrobe", "kind": "drawn", "count": 40, "size": 64, "pairs": True}],
    "stages": [{"steps": 4, "lr": 1e-3, "backbone_lr": 1e-3}],
    "model": {"dim": 64, "matryoshka_dims": [32, 64]},
    "vocabulary": 300,
    "batch": 16,
    "image_size": [64, 96],
    "precision": "32-true",
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(RECIPE))
    return str(path)


@pytest.fixture(scope="module")
def drawn() -> ExampleSet:
    return load_source(Source(name="wardrobe", kind="drawn", count=12, size=64), Path(), "train")


def rendered(drawn: ExampleSet, cache: Path, **changes: object) -> tuple[np.ndarray, ...]:
    torch.manual_seed(0)
    how = {"count": 2, "area": (0.5, 1.0), "seed": 0, "say": lambda _: None, **changes}
    return render_cells(drawn, Cells(), (64, 64), cache=cache, **how)  # type: ignore[arg-type]


def test_renditions_are_what_cells_see_and_are_made_once(drawn: ExampleSet, tmp_path: Path) -> None:
    torch.manual_seed(0)
    cells = Cells()
    plain, changed = rendered(drawn, tmp_path)
    pixels = torch.from_numpy(drawn.pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    seen = cells(pixels)
    off = (torch.from_numpy(np.array(plain[:, :CHANNELS])).float() - seen).norm() / seen.norm()
    assert off < 0.02  # bfloat16 and float16
    assert (plain[:, CHANNELS] == -1).all()  # nobody says what is garment
    assert not np.array_equal(plain, changed)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()}
    again = rendered(drawn, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()} == before
    np.testing.assert_array_equal(changed, again[1])


def test_other_pictures_seeds_and_crops_are_rendered_anew(
    drawn: ExampleSet, tmp_path: Path
) -> None:
    base = rendered(drawn, tmp_path)
    for changes in ({"seed": 1}, {"area": (0.3, 0.4)}):
        other = rendered(drawn, tmp_path, **changes)
        np.testing.assert_array_equal(base[0], other[0])
        assert not np.array_equal(base[1], other[1])
    assert len(list((tmp_path / "cells").iterdir())) == 4


def test_a_killed_rendition_leaves_nothing_that_counts(
    drawn: ExampleSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import coordi.training.cells as module

    monkeypatch.setattr(module, "_seen", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        rendered(drawn, tmp_path)
    assert list((tmp_path / "cells").iterdir()) == []


def test_pick_takes_each_row_of_its_rendition() -> None:
    renditions = [np.arange(24, dtype=np.float16).reshape(6, 4, 1, 1) + 100 * n for n in range(3)]
    rows, which = np.array([5, 0, 3, 3, 1]), np.array([2, 0, 1, 2, 0])
    slow = np.stack([renditions[w][r] for r, w in zip(rows, which, strict=True)])
    np.testing.assert_array_equal(pick(renditions, rows, which), slow)


def material(recipe: str, tmp_path: Path, *overrides: str) -> CellMaterial:
    loaded = load_recipe(recipe, overrides)
    assert isinstance(loaded, Recipe)
    return gather(loaded, tmp_path / "cache", lambda _: None)


def test_batches_are_functions_of_seed_and_number(recipe: str, tmp_path: Path) -> None:
    found = material(recipe, tmp_path)
    one, two, other = found.batch(3, 0), found.batch(3, 0), found.batch(4, 0)
    for left, right in zip(one, two, strict=True):
        torch.testing.assert_close(left, right)
    assert not torch.equal(one.inputs, other.inputs)
    assert one.inputs.shape == (16, CHANNELS, 4, 6)
    assert one.alike.shape == (len(NOTIONS), 16)


def test_pairs_are_two_renditions_of_one_item(recipe: str, tmp_path: Path) -> None:
    batch = material(recipe, tmp_path).batch(0, 0)
    items = batch.alike[NOTIONS.index("item")]
    assert torch.equal(items[:8], items[8:])
    same = [torch.equal(batch.inputs[i], batch.inputs[8 + i]) for i in range(8)]
    mirrored = [torch.equal(batch.inputs[i], batch.inputs[8 + i].flip(-1)) for i in range(8)]
    assert not any(same)
    assert not any(mirrored)


def test_labels_of_two_sources_do_not_exclude_each_other(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    second = {"name": "other", "kind": "drawn", "count": 40, "size": 64, "seed": 5}
    path.write_text(yaml.safe_dump({**RECIPE, "sources": [*RECIPE["sources"], second]}))  # type: ignore[misc]
    found = material(str(path), tmp_path)
    for kept in found.sets:
        groups = {
            found.sizes.classes["label"][found.numbers[1][notion_keys(e)[1]]]
            for e in kept.examples.examples
        }
        assert len(groups) == 1
    assert set(found.sizes.classes["label"]) == {0, 1}
    assert set(found.sizes.classes["category"]) == {0}


def test_proxies_against_the_slow_formula() -> None:
    torch.manual_seed(0)
    proxies = Proxies((0, 0, 1, 1, 1), 8, 0.1)
    rows = torch.nn.functional.normalize(torch.randn(4, 8), dim=1)
    labels = torch.tensor([1, -1, 4, 2])
    unit = torch.nn.functional.normalize(proxies.rows, dim=1)
    slow = []
    for row, label in zip(rows, labels.tolist(), strict=True):
        if label < 0:
            continue
        rivals = (0, 1) if label < 2 else (2, 3, 4)
        scores = torch.stack([row @ unit[k] / 0.1 for k in rivals])
        slow.append(-(row @ unit[label] / 0.1 - scores.logsumexp(0)))
    torch.testing.assert_close(proxies(rows, labels), torch.stack(slow).mean())


def test_an_artifact_serves_what_was_trained(recipe: str, tmp_path: Path) -> None:
    folder = run(recipe, ["stages.0.steps=2"], output=tmp_path / "out", quiet=True)
    (system, config), encoder = open_system(folder), open_encoder(str(folder))
    assert isinstance(system, PartsSystem)
    picture = draw_garment(draw_wardrobe(count=1).garments[0], size=128)
    image = encoder.prepare(picture)
    assert image.shape == (3, 64, 96)
    pixels = torch.from_numpy(image)[None].float() / 127.5 - 1
    with torch.no_grad():
        rows = system.embed(system.image.cells(pixels), torch.zeros(1))
        words = system.embed_text(
            *tokenize(Tokenizer.from_file(str(folder / "tokenizer.json")), ["rotes kleid"])
        )
    np.testing.assert_allclose(encoder.encode_images([picture]), rows.numpy(), atol=2e-3)
    np.testing.assert_allclose(encoder.encode_texts(["rotes kleid"]), words.numpy(), atol=2e-3)
    assert (config.system, config.dim, config.answers) == ("parts", 64, ("embed", "embed_text"))
    assert open_encoder(str(folder), dim=32).dim == 32


def test_training_lifts_titles_above_chance_and_the_untrained(recipe: str, tmp_path: Path) -> None:
    short = ["stages.0.steps=1", "stages.0.lr=0.0000001", "stages.0.backbone_lr=0"]
    untrained = _titles_found(run(recipe, short, output=tmp_path / "a", quiet=True))
    more = ["stages.0.steps=120", "stages.0.lr=0.003", "foreign=0"]
    trained = _titles_found(run(recipe, more, output=tmp_path / "b", quiet=True))
    assert trained > max(untrained, FOUND_BY_CHANCE) + 0.1


GARMENTS = [g for g in draw_wardrobe(count=40).garments if split_of(g.id) == "train"]
FOUND_BY_CHANCE = 5 / len(GARMENTS)


def _titles_found(folder: Path) -> float:
    """Share of the garments trained on that are among the five nearest to their titles."""
    encoder = open_encoder(str(folder))
    pictures = encoder.encode_images([draw_garment(g, size=96) for g in GARMENTS])
    titles = encoder.encode_texts([g.title.lower() for g in GARMENTS])
    ranked = top_k(similarities(titles, pictures), 5)
    return float((ranked == np.arange(len(GARMENTS))[:, None]).any(axis=1).mean())


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("image_size=[100, 64]", "multiples of 32"),
        ("stages.0.shares={nope: 2}", "'nope', which is no source"),
        ("stages.0.weights={nope: 2}", "stages.0.weights.nope"),
        ("model.dim=100", "model.dim"),
    ],
)
def test_bad_recipes_say_what_is_wrong(recipe: str, override: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load_recipe(recipe, [override])
