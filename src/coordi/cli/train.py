"""`coordi train`: run a recipe and leave an artefact that `ingest` and `search` take at once."""

from pathlib import Path
from typing import Annotated

import typer

from coordi.cli.options import DebugOption, JsonOption
from coordi.cli.output import FAILURE, reporting
from coordi.errors import CoordiError, require


def train(
    recipe: Annotated[
        str, typer.Argument(help="A name of `coordi recipes`, or a YAML file of your own.")
    ],
    fields: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FIELD=VALUE",
            help="Fields of the recipe to change, such as batch=64 or stages.0.steps=100.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Folder of the run: recipe, logs, checkpoints, and the finished artifact. "
            "The same command on the same folder resumes. Default: runs/RECIPE.",
        ),
    ] = None,
    devices: Annotated[
        int, typer.Option(min=1, help="GPUs (or processes on CPUs) that train side by side.")
    ] = 1,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Train an encoder from a recipe; Ctrl-C keeps a checkpoint and the same command resumes."""
    with reporting(as_json, debug) as out:
        from coordi.training.packaged import recipe_text
        from coordi.training.processes import is_first

        recipe_text(recipe)  # a wrong name is said before anything heavy is imported
        require("train", "torch", "lightning", "pytorch_metric_learning")
        from coordi.training.run import run

        into = output or Path("runs") / Path(recipe).stem
        try:
            folder = run(
                recipe, fields or (), output=into, say=out.text, quiet=as_json, devices=devices
            )
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_how_to_go_on(into)) from None
        except CoordiError:
            if is_first():
                raise
            raise typer.Exit(FAILURE) from None  # every process meets it, the first one says it
        if not is_first():
            return
        out.json({"artifact": str(folder)})
        out.text(f"{folder} is ready: coordi ingest CATALOG --encoder {folder}")


def _how_to_go_on(output: Path) -> str:
    from coordi.training.trainer import steps_done

    if done := steps_done(output):
        return f"Run the same command again to go on from step {done}."
    return "Run the same command again; no step was kept."
