"""Run a recipe into a folder: recipe.yaml, logs, checkpoints, and the artefact that serves."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from lightning.pytorch.utilities import rank_zero_only

from coordi.artifacts import write_atomically
from coordi.errors import CoordiError, RecipeError
from coordi.training.dual_recipe import DualRecipe
from coordi.training.processes import is_first
from coordi.training.recipe import Recipe
from coordi.training.recipes import load_recipe
from coordi.training.trainer import last_checkpoint
from coordi.types import Say

_SHOWN = 3
"""Fields that are named where two recipes differ."""


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
    recipe resumes there, calling with another raises `RecipeError`, as does a second process at
    the same time. Nothing is written there before the recipe, its data and its model are known to
    be good. `say` gets lines of text; `quiet` leaves out the progress bar. Ctrl-C and SIGTERM are
    raised once the step at hand has a checkpoint. With several `devices` each has a process that
    draws batches of its own; the command line that started this one is run again for each of them.
    """
    settings = load_recipe(recipe, overrides)
    with _alone(output):
        _refuse_another(output, settings)
        if isinstance(settings, DualRecipe):
            from coordi.training.dual_run import train_dual

            if devices > 1:
                raise RecipeError("the dual recipe trains on one device; leave out --devices")
            return train_dual(settings, output, say, claim=_claim, quiet=quiet)
        from coordi.training.retrieval_run import train_retrieval

        say = rank_zero_only(say)
        return train_retrieval(settings, output, say, claim=_claim, quiet=quiet, devices=devices)


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Keep other processes out of the run's folder, by a lock that a killed process frees.

    It lies beside the folder, which is not there before something is known to be worth keeping.
    The processes of further devices are let in by the one that started them.
    """
    if not is_first():
        yield
        return
    folder = output.expanduser().absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0):
            yield
    except Timeout as error:
        raise RecipeError(
            f"another process is training in {output}; wait until it is done, or choose another "
            "--output"
        ) from error


def _refuse_another(output: Path, recipe: Recipe) -> None:
    """`RecipeError` where `output` holds what another recipe has learned."""
    kept = output / "recipe.yaml"
    learned = last_checkpoint(output) is not None or (output / "artifact").exists()
    if not kept.exists() or not learned:
        return
    try:
        before = _plain(load_recipe(str(kept)))
    except CoordiError as error:
        raise RecipeError(
            f"{output} holds a run whose recipe cannot be read ({error}); choose another --output"
        ) from error
    if (now := _plain(recipe)) != before:
        raise RecipeError(
            f"{output} holds a run of another recipe ({_difference(before, now)}); choose another "
            f"--output, or delete {output} to begin anew there"
        )


def _plain(recipe: Recipe) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(recipe.model_dump_json())
    return values


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first fields in which two recipes differ, for people."""
    fields = [field for field in {**before, **now} if before.get(field) != now.get(field)]
    shown = [f"{f}: {before.get(f)} there, {now.get(f)} here" for f in fields[:_SHOWN]]
    return "; ".join(shown) + (f"; {len(fields) - _SHOWN} more" if len(fields) > _SHOWN else "")


def _claim(output: Path, recipe: Recipe) -> None:
    """Write the recipe into `output`, whole or not at all."""
    if not is_first():
        return
    output.mkdir(parents=True, exist_ok=True)
    write_atomically(output / "recipe.yaml", recipe.to_yaml())
