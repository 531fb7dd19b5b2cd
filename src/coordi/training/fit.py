"""Run a recipe into a folder: recipe.yaml, logs, checkpoints, and the artefact that serves."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml
from lightning.pytorch.utilities import rank_zero_only

from coordi.errors import RecipeError
from coordi.training.dual_recipe import DualRecipe
from coordi.training.recipe import Recipe
from coordi.training.recipes import load_recipe

Say = Callable[[str], None]


def run(
    recipe: str,
    overrides: Sequence[str] = (),
    *,
    output: Path,
    say: Say = lambda _: None,
    quiet: bool = False,
    devices: int = 1,
) -> Path:
    """Train `recipe` into `output` and return the artefact's folder.

    `output` also keeps recipe.yaml, logs and the last checkpoint; calling again with the same
    recipe resumes there, calling with another raises `RecipeError`. `say` gets lines of text;
    `quiet` leaves out the progress bar. Ctrl-C writes a checkpoint before KeyboardInterrupt.
    With several `devices` each has a process that draws batches of its own; the command line
    that started this one is run again for each of them.
    """
    settings = load_recipe(recipe, overrides)
    _claim(output, settings)
    if isinstance(settings, DualRecipe):
        from coordi.training.dual_run import train_dual

        if devices > 1:
            raise RecipeError("the dual recipe trains on one device; leave out --devices")
        return train_dual(settings, output, say, quiet=quiet)
    from coordi.training.retrieval_run import train_retrieval

    say = rank_zero_only(say)
    return train_retrieval(settings, output, say, quiet=quiet, devices=devices)


def _claim(output: Path, recipe: Recipe) -> None:
    """Write the recipe into `output`, or check that the one there is the same."""
    output.mkdir(parents=True, exist_ok=True)
    kept, text = output / "recipe.yaml", yaml.safe_dump(json.loads(recipe.model_dump_json()))
    if kept.exists() and kept.read_text("utf-8") != text:
        raise RecipeError(
            f"{output} holds a run of another recipe (compare {kept}); choose another --output"
        )
    kept.write_text(text, "utf-8")
