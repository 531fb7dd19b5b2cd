"""The command line, put together: one function per command, nothing heavy imported."""

from typing import Annotated

import typer

from coordi.cli.compare import compare
from coordi.cli.delete import delete
from coordi.cli.demo import demo
from coordi.cli.doctor import doctor
from coordi.cli.encoders import encoders_app
from coordi.cli.evaluate import evaluate, results
from coordi.cli.find import find
from coordi.cli.ingest import ingest
from coordi.cli.recipes import recipes
from coordi.cli.search import search
from coordi.cli.serve import serve
from coordi.cli.show import show
from coordi.cli.stats import stats
from coordi.cli.tag import tag
from coordi.cli.train import train
from coordi.cli.usage import read_strictly
from coordi.cli.verify import verify
from coordi.version import __version__

COMMANDS = (
    ingest,
    search,
    find,
    show,
    delete,
    stats,
    tag,
    verify,
    doctor,
    recipes,
    train,
    evaluate,
    compare,
    results,
    serve,
    demo,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"coordi {__version__}")
        raise typer.Exit


def coordi(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Fashion metric learning: put a catalogue in, search it by photo and by words."""


def make_app() -> typer.Typer:
    """The application with all commands."""
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
    app.callback()(coordi)
    for command in COMMANDS:
        app.command()(command)
    app.add_typer(encoders_app())
    return read_strictly(app)
