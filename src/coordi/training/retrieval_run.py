"""Run a recipe of a retrieval system: gather, train, keep the best weights, write the artefact."""

import csv
from collections.abc import Callable
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from coordi.data.collection import PhotoRows
from coordi.errors import RecipeError
from coordi.models.retrieval import SYSTEMS
from coordi.models.system import EmbeddingSystem, System
from coordi.training.collapse import CollapseMonitor
from coordi.training.material import Material, gather
from coordi.training.retrieval import Net, RetrievalModule
from coordi.training.retrieval_export import export_retrieval
from coordi.training.retrieval_recipe import RetrievalRecipe
from coordi.training.trainer import LOG_EVERY, steps_done, train
from coordi.training.validation import Validation, restore
from coordi.types import Problem, Say

_FIRST_LOOK = 4096
"""Training photos whose features a system may see before the first step."""


def train_retrieval(
    recipe: RetrievalRecipe,
    output: Path,
    say: Say,
    *,
    claim: Callable[[Path, RetrievalRecipe], None],
    quiet: bool,
    devices: int = 1,
) -> Path:
    """Train a retrieval recipe into `output` and return the artefact's folder.

    `claim` makes the folder the recipe's own, once there is something to learn from.
    """
    cache = Path(recipe.cache) if recipe.cache else output.absolute().parent / "cache"
    material = gather(recipe, cache, say)
    lightning.seed_everything(recipe.seed, verbose=False)
    start = steps_done(output)
    net = Net(_build(recipe, material), material.backbone)
    _require_pairs(recipe, material, net.system)
    module = RetrievalModule(recipe, net, material, start)
    claim(output, recipe)
    _write_problems(output / "problems.csv", material.problems)
    if start == 0:
        _first_look(module, material.collection.train)
    validation = _validation(recipe, module, say)
    _say_start(recipe, material, start, say)
    train(
        module,
        None,
        recipe,
        output,
        steps=recipe.steps,
        quiet=quiet,
        callbacks=_callbacks(recipe, module, validation, say),
        devices=devices,
    )
    if validation is not None:
        restore(net, validation)
        _say_end(validation, say)
    if module.global_rank == 0:
        export_retrieval(net, recipe, material, validation, output / "artifact")
    return output / "artifact"


def _build(recipe: RetrievalRecipe, material: Material) -> System:
    try:
        return SYSTEMS[recipe.system](material.feature_dim, material.labels.sizes, recipe.model)
    except (RuntimeError, MemoryError) as error:  # what torch says of sizes that no memory holds
        reason = str(error).splitlines()[0]
        raise RecipeError(f"a {recipe.system} of these sizes cannot be built: {reason}") from error


def _require_pairs(recipe: RetrievalRecipe, material: Material, system: System) -> None:
    """`RecipeError` where no two training photos belong together, or none belong apart.

    Pictures that are changed at random make a pair of one photo, seen twice.
    """
    batch = material.labels.batch(torch.empty(0), material.collection.train)
    conditions = system.conditions if isinstance(system, EmbeddingSystem) else ()
    counts = [
        torch.unique(labels[labels >= 0], return_counts=True)[1] for labels in system.alike(batch)
    ]
    name, what = material.collection.name, ", ".join(conditions) or material.match
    seen_twice = recipe.features == "end-to-end" and recipe.augment
    if not seen_twice and not any((count > 1).any() for count in counts):
        raise RecipeError(
            f"{name}: no two of {len(batch.items)} training photos share their {what}: nothing "
            "belongs together, so there is nothing to learn"
        )
    if not any(len(count) > 1 for count in counts):
        raise RecipeError(
            f"{name}: all {len(batch.items)} training photos share one {what}: nothing belongs "
            "apart, so there is nothing to learn"
        )


def _first_look(module: RetrievalModule, train: PhotoRows) -> None:
    """Show the system features of training photos, where it looks at any."""
    if type(module.net.system).fit_input is System.fit_input:
        return  # end to end, features cost a pass through the backbone
    stride = max(1, len(train) // _FIRST_LOOK)
    module.net.system.fit_input(module.features_of(train[::stride][:_FIRST_LOOK]))


def _validation(recipe: RetrievalRecipe, module: RetrievalModule, say: Say) -> Validation | None:
    if recipe.validate_every == 0:
        return None
    val = module.material.collection.val
    if val is None or len(val.query) == 0:
        say(
            f"collection {module.material.collection.name} has no val trial: the last weights are "
            "kept, and nothing says when to stop"
        )
        return None
    return Validation(recipe.validate_every, recipe.patience, say)


def _callbacks(
    recipe: RetrievalRecipe, module: RetrievalModule, validation: Validation | None, say: Say
) -> list[Callback]:
    found: list[Callback] = [] if validation is None else [validation]
    if isinstance(module.net.system, EmbeddingSystem):
        found.append(CollapseMonitor(recipe.validate_every or 10 * LOG_EVERY, say))
    return found


def _say_start(recipe: RetrievalRecipe, material: Material, start: int, say: Say) -> None:
    sizes, photos = material.labels.sizes, len(material.collection.train)
    after = f", going on after step {start}" if start else ""
    say(
        f"{recipe.system}: {photos} photos of {sizes.items} {material.match} labels, "
        f"{recipe.steps} steps of {recipe.batch}{after}"
    )


def _say_end(validation: Validation, say: Say) -> None:
    step, best = validation.best
    say(
        f"R@1 on val: {validation.history[0][1]:.3f} untrained, {best:.3f} at step {step}, "
        "whose weights are kept"
    )


def _write_problems(path: Path, problems: tuple[Problem, ...]) -> None:
    """All photos that could not be used, or no file where there are none."""
    path.unlink(missing_ok=True)
    if not problems:
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("where", "id", "reason"))
        writer.writerows((str(p.origin), p.id or "", p.reason) for p in problems)
