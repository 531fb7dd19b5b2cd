import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file
from tokenizers import Tokenizer
from transformers import MobileNetV2Config, MobileNetV2Model

from coordi.data.splits import split_of
from coordi.drawn import draw_garment, draw_wardrobe, write_wardrobe
from coordi.errors import RecipeError
from coordi.geometry import similarities, top_k
from coordi.models.artifact import load_backbone
from coordi.models.batches import VocabularySize
from coordi.models.encoders.mini import fold_batch_norm
from coordi.models.opening import open_encoder, open_system
from coordi.models.retrieval.dual import Dual, DualSettings
from coordi.training.examples import Source, load_source
from coordi.training.material.captions import Recipe, _draw, batch_counts, gather, tokenize
from coordi.training.module import Module
from coordi.training.net import Net
from coordi.training.recipes import load_recipe
from coordi.training.run import run
from coordi.training.trainer import steps_done

RECIPE = {
    "name": "tiny",
    "sources": [{"name": "wardrobe", "kind": "drawn", "count": 40, "size": 48}],
    "stages": [{"steps": 5, "size": 32, "lr": 1e-3, "backbone_lr": 1e-3}],
    "dim": 32,
    "matryoshka_dims": [16, 32],
    "vocabulary": 300,
    "batch": 8,
    "image_size": 32,
    "precision": "32-true",
    "checkpoint_every": 2,
}
CODE = """
import sys
from pathlib import Path
from coordi.training.run import run
run(sys.argv[1], output=Path(sys.argv[2]), quiet=True)
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(RECIPE))
    return str(path)


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Several threads add in an order of their own, so that the last bit is left to chance."""
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # for child processes
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_a_run_killed_and_moved_resumes_to_the_very_same_weights(
    recipe: str, tmp_path: Path
) -> None:
    whole = run(recipe, output=tmp_path / "whole", quiet=True)
    command = [sys.executable, "-c", CODE, recipe, str(tmp_path / "killed")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    checkpoint = tmp_path / "killed" / "checkpoints" / "last.ckpt"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "artifact").exists()
    assert 0 < torch.load(checkpoint, weights_only=True)["global_step"] < 5
    moved = (tmp_path / "killed").rename(tmp_path / "moved")
    resumed = run(recipe, output=moved, quiet=True)
    assert [path.name for path in (moved / "checkpoints").iterdir()] == ["last.ckpt"]
    assert steps_done(moved) == steps_done(tmp_path / "whole")
    left, right = (load_file(f / "model.safetensors") for f in (whole, resumed))
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)


def test_training_lifts_titles_above_chance_and_the_untrained_network(
    recipe: str, tmp_path: Path
) -> None:
    short = ["stages.0.steps=1", "stages.0.lr=0.0000001", "stages.0.backbone_lr=0"]
    untrained = _titles_found(run(recipe, short, output=tmp_path / "a", quiet=True))
    more = ["stages.0.steps=140", "stages.0.lr=0.003", "batch=24"]
    trained = _titles_found(run(recipe, more, output=tmp_path / "b", quiet=True))
    assert trained > max(untrained, FOUND_BY_CHANCE) + 0.05


GARMENTS = [g for g in draw_wardrobe(count=40).garments if split_of(g.id) == "train"]
FOUND_BY_CHANCE = 5 / len(GARMENTS)


def _titles_found(folder: Path) -> float:
    """Share of the garments trained on that are among the five nearest to their titles.

    A network from random weights learns no more than its own garments in a few seconds.
    """
    encoder = open_encoder(str(folder))
    pictures = encoder.encode_images([draw_garment(g, size=48) for g in GARMENTS])
    titles = encoder.encode_texts([g.title.lower() for g in GARMENTS])
    ranked = top_k(similarities(titles, pictures), 5)
    return float((ranked == np.arange(len(GARMENTS))[:, None]).any(axis=1).mean())


def test_another_recipe_in_the_same_folder_is_refused(recipe: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    text = load_recipe(recipe, ["batch=3"]).to_yaml()
    (tmp_path / "out" / "recipe.yaml").write_text(text)
    (tmp_path / "out" / "artifact").mkdir()
    with pytest.raises(RecipeError, match="holds a run of another recipe"):
        run(recipe, output=tmp_path / "out", quiet=True)


def test_an_artifact_loads_back_into_torch(recipe: str, tmp_path: Path) -> None:
    folder = run(recipe, ["stages.0.steps=1"], output=tmp_path / "out", quiet=True)
    (system, config), encoder = open_system(folder), open_encoder(str(folder))
    assert isinstance(system, Dual)
    picture = draw_garment(draw_wardrobe(count=1).garments[0], size=32)
    pixels = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        rows = system.embed(load_backbone(folder)(pixels), torch.zeros(1))
        words = system.embed_text(
            *tokenize(Tokenizer.from_file(str(folder / "tokenizer.json")), ["red dress"])
        )
    np.testing.assert_allclose(encoder.encode_images([picture]), rows.numpy(), atol=1e-3)
    np.testing.assert_allclose(encoder.encode_texts(["red dress"]), words.numpy(), atol=1e-3)
    assert (config.family, config.system) == ("retrieval", "dual")
    assert config.answers == ("embed", "embed_text")


def test_folding_batch_norm_changes_nothing() -> None:
    torch.manual_seed(0)
    plain = MobileNetV2Model(MobileNetV2Config(depth_multiplier=0.35)).eval()
    for module in plain.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.normal_(module.weight, 1, 0.1)
    pixels = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        before = plain(pixels).pooler_output
        after = fold_batch_norm(plain)(pixels).pooler_output
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in plain.modules())
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-4)


def test_padding_does_not_change_a_text() -> None:
    torch.manual_seed(0)
    model = Dual(1280, VocabularySize(50), DualSettings(dim=16, matryoshka_dims=(16,))).eval()
    ids, mask = torch.tensor([[4, 5, 6]]), torch.ones(1, 3, dtype=torch.long)
    padded = torch.tensor([[4, 5, 6, 0, 0]]), torch.tensor([[1, 1, 1, 0, 0]])
    with torch.no_grad():
        torch.testing.assert_close(model.embed_text(ids, mask), model.embed_text(*padded))


def test_batch_counts_follow_the_shares() -> None:
    sources = [Source(name=n, kind="drawn", share=s) for n, s in (("a", 4), ("b", 1), ("c", 0.1))]
    assert batch_counts(100, sources, {}) == [78, 20, 2]
    assert batch_counts(99, sources, {"a": 1, "c": 1}) == [33, 33, 33]
    assert batch_counts(6, sources, {}) == [2, 2, 2]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("stages.0.shares={nowhere: 1}", "'nowhere', which is no source"),
        ("stages.0.shares={wardrobe: 0}", "greater than 0"),
        ("stages.0.weights={colour: 1}", "colour"),
    ],
)
def test_a_stage_names_what_there_is(recipe: str, override: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load_recipe(recipe, [override])


def test_a_stage_weighs_as_it_says(recipe: str) -> None:
    loaded = load_recipe(recipe, ["item_weight=2", "stages.0.weights={item: 0.5}"])
    assert isinstance(loaded, Recipe)
    assert loaded.weight("item", loaded.stages[0]) == 0.5
    other = load_recipe(recipe, ["item_weight=2"])
    assert isinstance(other, Recipe)
    assert other.weight("item", other.stages[0]) == 2


def test_a_source_in_pairs_shows_every_item_twice(recipe: str) -> None:
    loaded = load_recipe(recipe, ["sources.0.pairs=true", "batch=9"])
    assert isinstance(loaded, Recipe)
    items = gather(loaded, Path(), print).batch(0, 0).alike[4].tolist()
    assert sorted(Counter(items).values()) == [1, 2, 2, 2, 2]
    assert -1 not in items
    unpaired = load_recipe(recipe)
    assert isinstance(unpaired, Recipe)
    assert set(gather(unpaired, Path(), print).batch(0, 0).alike[4].tolist()) == {-1}


def test_views_stand_behind_the_pictures_of_their_items(tmp_path: Path) -> None:
    write_wardrobe(tmp_path, count=30)
    collection = tmp_path / "worn.yaml"
    collection.write_text("path: catalog.csv\nitem: '{id}'\npseudo_street: {views: 2, size: 96}\n")
    source = Source(name="shop", path="catalog.csv", pairs=True, views=str(collection), size=48)
    examples = load_source(source, tmp_path, "train", tmp_path / "cache")
    assert 0 < examples.own < len(examples.examples) == len(examples.pictures)
    for row, views in enumerate(examples.views):
        assert {examples.examples[view].item for view in views} <= {examples.examples[row].item}
        assert all(view >= examples.own for view in views)
    shown = [view for views in examples.views for view in views]
    assert sorted(shown) == list(range(examples.own, len(examples.examples)))
    rows = _draw(np.random.default_rng(0), examples, 8)
    assert all(
        second in examples.views[first] for first, second in zip(rows[:4], rows[4:], strict=True)
    )
    assert not load_source(source, tmp_path, "train").views


@pytest.mark.parametrize(("fields", "learning"), [("backbone_lr=0", 0), ("frozen_blocks=3", 14)])
def test_a_stage_freezes_what_it_says(recipe: str, fields: str, learning: int) -> None:
    loaded = load_recipe(recipe, [f"stages.0.{fields}"])
    material = gather(loaded, Path(), print)
    backbone = material.backbone()
    net = Net(loaded.system_type(material.feature_dim, material.sizes, loaded.model), backbone)
    Module(loaded, net, material, 0)._enter(0)
    blocks = [any(p.requires_grad for p in block.parameters()) for block in backbone.blocks()]
    assert (len(blocks), sum(blocks)) == (17, learning)
    assert not any(blocks[: len(blocks) - learning])
