from pathlib import Path

import pytest
import yaml

from coordi.errors import RecipeError, UnknownNameError
from coordi.training.recipes import load_recipe


def test_the_package_recipe_loads_and_takes_overrides() -> None:
    recipe = load_recipe("dual", ["batch=64", "stages.0.steps=7", "init=null"])
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
    assert load_recipe(str(own)).sources[0].group == "{id}"
    own.write_text("recipe: csn\n")
    with pytest.raises(UnknownNameError, match="unknown recipe 'csn'"):
        load_recipe(str(own))
    own.write_text("- 1\n")
    with pytest.raises(UnknownNameError):
        load_recipe(str(own))
