"""Recipes: YAML files whose every field is checked before anything runs."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, cast, get_args

from pydantic import BaseModel, Field, ValidationError, create_model

from coordi.errors import InputError, RecipeError, UnknownNameError
from coordi.models.systems import SYSTEMS
from coordi.training.material import KINDS
from coordi.training.packaged import read_yaml, recipe_text
from coordi.training.recipe import Recipe


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe of the package by name, or of a YAML file, with `field=value` overrides.

    A dotted field reaches inside ("stages.0.steps=10"); values are read as YAML. Raises
    `RecipeError` that names the field, and the nearest known one where it does not exist.
    """
    values = read_yaml(recipe_text(name), f"recipe {name}")
    for override in overrides:
        _override(values, override)
    return _validate(values, name)


def _override(values: Any, override: str) -> None:
    field, equals, value = override.partition("=")
    if not equals:
        raise RecipeError(f"{override!r} is not field=value")
    given = read_yaml(value, f"the value of {override!r}")
    *path, last = field.split(".")
    try:
        for step in path:
            values = values.setdefault(step, {}) if isinstance(values, dict) else values[int(step)]
        values[int(last) if isinstance(values, list) else last] = given
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise RecipeError(f"the recipe has no field {field!r}") from error


def _validate(values: Any, name: str) -> Recipe:
    if not isinstance(values, dict):
        raise RecipeError(f"recipe {name} holds no fields; see docs/training.md for an example")
    if "recipe" in values:  # what `system` was called before 0.2
        values["system"] = values.pop("recipe")
    system = values.setdefault("system", "dual")  # of a file that names none, as before 0.2
    model = recipe_type(str(system))
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [_explain(problem, model) for problem in error.errors()]
        raise RecipeError(f"recipe {name}: " + "; ".join(lines)) from error
    except UnknownNameError:
        raise
    except InputError as error:
        raise RecipeError(f"recipe {name}: {error}") from error


def recipe_type(system: str) -> type[Recipe]:
    """The recipe of what a system learns from, whose `model` are that system's settings.

    `UnknownNameError` for a system that is not there.
    """
    if system not in SYSTEMS:
        raise UnknownNameError("system", system, SYSTEMS)
    kind, made = SYSTEMS[system], cast(Any, create_model)  # its overloads know no such field
    recipe: type[Recipe] = KINDS[kind.eats].Recipe
    default = Field(default_factory=kind.Settings)
    whole: type[Recipe] = made(recipe.__name__, __base__=recipe, model=(kind.Settings, default))
    return whole


def _explain(problem: Any, model: type[BaseModel]) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"{where or 'recipe'}: {problem['msg']}"
    near = get_close_matches(str(problem["loc"][-1]), set(_field_names(model)), n=1)
    return f"unknown field {where}" + (f" (did you mean {near[0]!r}?)" if near else "")


def _field_names(kind: Any) -> Iterator[str]:
    """The fields of a model and of every model inside it."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            yield name
            yield from _field_names(field.annotation)
    for inner in get_args(kind):
        yield from _field_names(inner)
