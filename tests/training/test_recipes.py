from pathlib import Path
from typing import Any

import pytest
import yaml

from coordi.errors import RecipeError, UnknownNameError
from coordi.models.retrieval import SYSTEMS
from coordi.models.retrieval.single_tower import SingleTowerSettings
from coordi.training.dual_recipe import DualRecipe
from coordi.training.packaged import list_recipes
from coordi.training.recipes import load_recipe
from coordi.training.retrieval_recipe import RetrievalRecipe
from coordi.training.systems import STEPS


def test_the_package_recipe_loads_and_takes_overrides() -> None:
    recipe = load_recipe("dual", ["batch=64", "stages.0.steps=7", "init=null"])
    assert isinstance(recipe, DualRecipe)
    assert (recipe.batch, recipe.stages[0].steps, recipe.init) == (64, 7, None)


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
    assert isinstance(recipe, DualRecipe)
    assert recipe.sources[0].group == "{id}"
    own.write_text("recipe: single-towel\n")
    with pytest.raises(UnknownNameError, match="Did you mean 'single-tower'"):
        load_recipe(str(own))
    for text, message in (("- 1\n", "holds no fields"), ("batch: [\n", "is not YAML")):
        own.write_text(text)
        with pytest.raises(RecipeError, match=message):
            load_recipe(str(own))


@pytest.mark.parametrize("info", list_recipes(), ids=lambda info: info.name)
def test_every_packaged_recipe_is_complete(info: Any) -> None:
    recipe = load_recipe(info.name)
    assert recipe.recipe == info.trains
    assert all((info.task, info.paper, info.differs))
    if isinstance(recipe, RetrievalRecipe):
        assert info.trains in STEPS
        assert recipe.model == SYSTEMS[info.trains].Settings.model_validate(
            recipe.model.model_dump()
        )


def test_every_system_has_a_step_and_a_recipe() -> None:
    assert SYSTEMS.keys() == STEPS.keys() == {info.trains for info in list_recipes()} - {"dual"}


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
    ],
)
def test_bad_fields_of_a_retrieval_recipe_are_named(override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("single-tower", [override])


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(RecipeError, match="must be smaller than batch"):
        load_recipe("single-tower", ["features=end-to-end", "batch=8", "grad_cache_chunk=8"])
    with pytest.raises(RecipeError, match="keeps its features frozen"):
        load_recipe("wtbi", ["features=end-to-end"])
    with pytest.raises(UnknownNameError, match="Did you mean 'mango-street'"):
        load_recipe("single-tower", ["collection=mango-streets"])


def test_overrides_reach_fields_that_the_file_leaves_out() -> None:
    recipe = load_recipe("single-tower", ["model.miner_settings.margin=0.1", "model.miner=hard"])
    assert isinstance(recipe, RetrievalRecipe)
    assert isinstance(recipe.model, SingleTowerSettings)
    assert recipe.model.miner_settings == {"margin": 0.1}
