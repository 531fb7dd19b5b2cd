import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from coordi.errors import RecipeError, UnknownNameError
from coordi.models.retrieval.single_tower import SingleTowerSettings
from coordi.models.systems import SYSTEMS
from coordi.training.material import captions, cells, masks, photos
from coordi.training.packaged import list_recipes, read_yaml
from coordi.training.recipes import load_recipe

MINI = Path(__file__).parents[2] / "benchmarks" / "coordi-mini.yaml"
"""The recipe of coordi-mini, which learns on data that only we have."""


def test_the_package_recipe_loads_and_takes_overrides() -> None:
    recipe = load_recipe("dual", ["batch=64", "stages.0.steps=7", "init=x.tflite"])
    assert isinstance(recipe, captions.Recipe)
    assert (recipe.batch, recipe.stages[0].steps, recipe.init) == (64, 7, "x.tflite")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("bach=3", "unknown field bach .did you mean 'batch'"),
        ("stages.0.step=3", "did you mean 'steps'"),
        ("stages.9.steps=3", "no field 'stages.9.steps'"),
        ("stages.x.steps=3", "no field"),
        ("batch", "is not field=value"),
        ("batch=[", "is not YAML"),
        ("batch=1", "batch: Input should be greater than or equal to 2"),
        ("batch=many", "batch: Input should be a valid integer"),
        ("seed=-1", "seed: Input should be greater than or equal to 0"),
        ("sources.0.group=x", "group is not for kind: drawn"),
        ("batch=" + "[" * 3000, "nested too deeply"),
        ("matryoshka_dims=[64, 128]", "must be dim"),
        ("matryoshka_dims=[256, 64, 256]", "must rise"),
        ("sources=[]", "sources"),
    ],
)
def test_bad_fields_are_named(override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("dual", [override])


def test_unknown_recipes() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'dual'"):
        load_recipe("duel")
    with pytest.raises(RecipeError, match=r"no recipe file missing\.yaml"):
        load_recipe("missing.yaml")


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        yaml.safe_dump(
            {
                "sources": [{"name": "shop", "path": "shop.csv"}],
                "stages": [{"steps": 1, "size": 32, "lr": 0.1, "backbone_lr": 0}],
            }
        )
    )
    recipe = load_recipe(str(own))
    assert isinstance(recipe, captions.Recipe)
    assert recipe.sources[0].group == "{id}"
    own.write_text("system: single-towel\n")
    with pytest.raises(UnknownNameError, match="Did you mean 'single-tower'"):
        load_recipe(str(own))
    for text, message in (("- 1\n", "holds no fields"), ("batch: [\n", "is not YAML")):
        own.write_text(text)
        with pytest.raises(RecipeError, match=message):
            load_recipe(str(own))


@pytest.mark.parametrize("info", list_recipes(), ids=lambda info: info.name)
def test_every_packaged_recipe_is_complete(info: Any) -> None:
    recipe = load_recipe(info.name)
    assert recipe.system == info.trains
    assert all((info.task, info.paper, info.differs))
    if isinstance(recipe, photos.Recipe):
        assert recipe.model == SYSTEMS[info.trains].Settings.model_validate(
            recipe.model.model_dump()
        )


def test_every_system_has_a_recipe() -> None:
    assert SYSTEMS.keys() == {info.trains for info in list_recipes()}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stepps=3", "unknown field stepps .did you mean 'steps'"),
        ("model.hiden=[3]", "unknown field model.hiden .did you mean 'hidden'"),
        ("model.dim=0", "model.dim: Input should be greater"),
        ("collection={kind: drawn, kount: 3}", "collection.fields.kount .did you mean 'count'"),
        ("grad_cache_chunk=4", "for features: end-to-end only"),
        ("features=frozen", "features: Input should be 'cached' or 'end-to-end'"),
        ("precision=16", "precision: Input should be"),
        ("image_size=64", "image_size is for features: end-to-end only"),
        ("augment=false", "augment is for features: end-to-end only"),
        ("batch=126", "batch 126 is not a multiple of the 4 photos that are drawn together"),
        ("sampler={kind: m-per-class, m: 0}", "m is 0: Input should be greater than or equal to 1"),
        ("sampler=[m-per-class]", "give a name, or"),
        ("model.loss=3", "give a name, or"),
        ("model.miner_settings.margin=0.1", "miner_settings need a miner"),
        ("seed=4294967296", "seed: Input should be less than"),
    ],
)
def test_bad_fields_of_a_retrieval_recipe_are_named(override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("single-tower", [override])


@pytest.mark.parametrize("recipe", ["single-tower", "head"])
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.loss=tripplet"], "unknown loss 'tripplet'. Did you mean 'triplet'"),
        (["model.miner=hardd"], "unknown miner 'hardd'. Did you mean 'hard'"),
        (["sampler=m-per-clas"], "unknown sampler 'm-per-clas'. Did you mean 'm-per-class'"),
        (["sampler_settings.n=4"], "unknown setting of sampler m-per-class 'n'"),
        (
            ["model.loss=triplet", "model.loss_settings={temperature: 1}"],
            "unknown setting of loss triplet 'temperature'.* Known: margin",
        ),
        (
            ["model.miner=hard", "model.miner_settings={cutoff: 1}"],
            "unknown setting of miner hard 'cutoff'.* Known: margin",
        ),
    ],
)
def test_names_are_checked_when_the_recipe_is_read(
    recipe: str, overrides: list[str], message: str
) -> None:
    with pytest.raises(UnknownNameError, match=message):
        load_recipe(recipe, overrides)


def test_another_loss_does_not_get_the_settings_of_the_default_one(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("{system: head, name: x, collection: drawn-street, model: {loss: triplet}}")
    assert load_recipe(str(own)).model.model_dump()["loss"] == {"kind": "triplet", "margin": 0.2}


def test_settings_that_stood_beside_a_name_before_are_read_into_it(tmp_path: Path) -> None:
    fields = {
        "system": "single-tower", "name": "x", "collection": "drawn-street",
        "sampler": "m-per-class", "sampler_settings": {"m": 2},
        "model": {
            "loss": "triplet", "loss_settings": {"margin": 0.3},
            "miner": "hard", "miner_settings": {},
        },
    }  # fmt: skip
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(fields))
    recipe = load_recipe(str(own))
    assert isinstance(recipe, photos.Recipe)
    assert recipe.sampler.model_dump() == {"kind": "m-per-class", "m": 2}
    assert isinstance(recipe.model, SingleTowerSettings)
    assert recipe.model.loss.model_dump() == {"kind": "triplet", "margin": 0.3}
    assert recipe.model.miner.model_dump() == {"kind": "hard", "margin": 0.2}
    own.write_text(yaml.safe_dump({**fields, "model": {"miner": "", "miner_settings": {}}}))
    assert load_recipe(str(own)).model.miner is None
    again = load_recipe(str(own)).to_yaml()
    own.write_text(again)
    assert load_recipe(str(own)).to_yaml() == again


@pytest.mark.parametrize("info", list_recipes(), ids=lambda info: info.name)
def test_a_packaged_recipe_needs_no_data_of_ours(info: Any) -> None:
    recipe = load_recipe(info.name)
    assert recipe.data == "."
    if isinstance(recipe, photos.Recipe):
        assert (recipe.collection, recipe.encoder) == ("drawn-street", "coordi-mini")
    elif isinstance(recipe, masks.Recipe | cells.Recipe):
        assert not recipe.imagenet
        assert {source.kind for source in recipe.sources} == {"drawn"}
    else:
        assert isinstance(recipe, captions.Recipe)
        assert (recipe.init, {source.kind for source in recipe.sources}) == (None, {"drawn"})


def test_the_recipe_of_coordi_mini_is_still_one() -> None:
    recipe = load_recipe(str(MINI))
    assert isinstance(recipe, cells.Recipe)
    assert (recipe.name, len(recipe.sources)) == ("coordi-mini", 8)


def test_recipes_from_before_the_system_was_called_so(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    text = load_recipe("head").to_yaml()
    own.write_text(text.replace("system: head", "recipe: head"))
    assert load_recipe(str(own)).to_yaml() == text
    assert load_recipe("head", ["recipe=single-tower", "model={}"]).system == "single-tower"


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda b: b.decode("latin-1")))
def test_any_text_is_a_value_or_an_error_that_was_meant(text: str) -> None:
    with contextlib.suppress(RecipeError):
        read_yaml(text, "x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("{a: " * 5_000, "nested too deeply"),
        ("a: " + "x" * 1_000_001, "a recipe has 1,000,000 at most"),
        ("a: &a [1]\nb: [*a, *a]", "refers to a part of itself"),
        ("a: !!python/object/apply:os.system [x]", "is not YAML"),
        ("a: 2020-99-99", "is not YAML"),
    ],
)
def test_yaml_that_means_harm_is_refused(tmp_path: Path, text: str, message: str) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(text)
    with pytest.raises(RecipeError, match=message):
        load_recipe(str(own))


def test_a_wrong_name_is_told_before_torch_is_imported() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['coordi', 'train', 'nope']\n"
        "from coordi.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    print(end.code, 'torch' in sys.modules, 'lightning' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "1 False False\n"
    assert "unknown recipe 'nope'" in done.stderr


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(RecipeError, match="must be smaller than batch"):
        load_recipe("single-tower", ["features=end-to-end", "batch=8", "grad_cache_chunk=8"])
    with pytest.raises(RecipeError, match="keeps its features frozen"):
        load_recipe("wtbi", ["features=end-to-end"])
    with pytest.raises(UnknownNameError, match="Did you mean 'mango-street'"):
        load_recipe("single-tower", ["collection=mango-streets"])


def test_overrides_reach_fields_that_the_file_leaves_out() -> None:
    recipe = load_recipe("single-tower", ["model.miner.margin=0.1", "model.miner.kind=hard"])
    assert isinstance(recipe.model, SingleTowerSettings)
    assert recipe.model.miner.model_dump() == {"kind": "hard", "margin": 0.1}
    older = load_recipe("single-tower", ["model.miner_settings.margin=0.1", "model.miner=hard"])
    assert older.model == recipe.model
