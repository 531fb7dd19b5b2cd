"""`coordi train`: run a recipe and leave an artefact that `ingest` and `search` take at once."""

import os
from pathlib import Path
from typing import Annotated

import typer

from coordi.cli.options import DebugOption, JsonOption
from coordi.cli.output import reporting


def train(
    recipe: Annotated[
        str, typer.Argument(help="A name of `coordi recipes`, or a YAML file of your own.")
    ],
    fields: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FIELD=VALUE",
            help="Fields of the recipe to change, such as batch=64 or stages.0.steps=100.",
            show_default=False,
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
            show_default=False,
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
        from coordi.training.fit import run

        folder = run(
            recipe,
            fields or (),
            output=output or Path("runs") / Path(recipe).stem,
            say=out.text,
            quiet=as_json,
            devices=devices,
        )
        if os.environ.get("LOCAL_RANK", "0") != "0":
            return  # one of several processes: the first one reports
        out.json({"artifact": str(folder)})
        out.text(f"{folder} is ready: coordi ingest CATALOG --encoder {folder}")
