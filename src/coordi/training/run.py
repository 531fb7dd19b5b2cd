"""Run a recipe into a folder: recipe.yaml, logs, checkpoints, and the artefact that serves."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
from filelock import FileLock, Timeout
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_only

from coordi.artifacts import write_atomically
from coordi.errors import CoordiError, RecipeError
from coordi.models.system import System
from coordi.training.collapse import CollapseMonitor
from coordi.training.export import export
from coordi.training.material import KINDS, Material
from coordi.training.module import Module
from coordi.training.net import Net
from coordi.training.processes import is_first
from coordi.training.recipe import Recipe
from coordi.training.recipes import load_recipe
from coordi.training.trainer import LOG_EVERY, last_checkpoint, steps_done, train
from coordi.training.validation import Validation, restore
from coordi.types import Problem, Say

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
        return _train(settings, output, rank_zero_only(say), quiet=quiet, devices=devices)


def _train(recipe: Recipe, output: Path, say: Say, *, quiet: bool, devices: int) -> Path:
    """Gather, train, put the best weights back, and write the artefact."""
    cache = Path(recipe.cache) if recipe.cache else output.absolute().parent / "cache"
    material: Material = KINDS[recipe.system_type.eats].gather(recipe, cache, say)
    lightning.seed_everything(recipe.seed, verbose=False)
    start = steps_done(output)
    backbone = material.backbone()
    net = Net(_build(recipe, material), backbone)
    material.require(net.system)
    module = Module(recipe, net, material, start)
    _claim(output, recipe)
    _write_problems(output / "problems.csv", material.problems)
    if start == 0 and type(net.system).fit_input is not System.fit_input:
        net.system.fit_input(material.first_look(net))  # end to end, this costs a forward pass
    material.acquaint(net)
    validation = None
    if material.measure:
        validation = Validation(recipe.validate_every, recipe.patience, say, material.measure)
    after = f", going on after step {start}" if start else ""
    say(f"{recipe.system}: {material.say()}, {recipe.total_steps} steps of {recipe.batch}{after}")
    callbacks: list[Callback] = [] if validation is None else [validation]
    callbacks.append(CollapseMonitor(recipe.validate_every or 10 * LOG_EVERY, say))
    train(module, recipe, output, quiet=quiet, callbacks=callbacks, devices=devices)
    if validation is not None:
        restore(net, validation)
        _say_end(validation, say)
    if module.global_rank == 0:
        export(net, recipe, material, validation, output / "artifact")
    return output / "artifact"


def _build(recipe: Recipe, material: Material) -> System:
    try:
        return recipe.system_type(material.feature_dim, material.sizes, recipe.model)
    except (RuntimeError, MemoryError) as error:  # what torch says of sizes that no memory holds
        reason = str(error).splitlines()[0]
        raise RecipeError(f"a {recipe.system} of these sizes cannot be built: {reason}") from error


def _say_end(validation: Validation, say: Say) -> None:
    step, best = validation.best
    say(
        f"{validation.measure}: {validation.history[0][1]:.3f} untrained, {best:.3f} at step "
        f"{step}, whose weights are kept"
    )


def _write_problems(path: Path, problems: Sequence[Problem]) -> None:
    """All pictures that could not be used, or no file where there are none."""
    path.unlink(missing_ok=True)
    if not problems:
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("where", "id", "reason"))
        writer.writerows((str(p.origin), p.id or "", p.reason) for p in problems)


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
