"""What the commands print: one JSON document on stdout, or text for people."""

import json
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from coordi.cli.signals import INTERRUPTED, stop_name
from coordi.errors import CoordiError

if TYPE_CHECKING:
    from rich.console import Console

OK, FAILURE, USAGE, WITH_PROBLEMS = 0, 1, 2, 3
"""Exit codes: all fine; it failed; wrong use; done, but with problems. A command that is stopped
exits `INTERRUPTED`, of which `coordi.cli.main` makes `TERMINATED` where SIGTERM did it."""

PIPE_WIDTH = 200
"""Columns of a table that goes into a file or a pipe."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command's answer goes, in the form that its flags ask for."""

    as_json: bool = False
    debug: bool = False

    @property
    def console(self) -> "Console":
        """The terminal or pipe behind stdout."""
        from rich.console import Console

        return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)

    def text(self, line: str) -> None:
        """Print a line for people; nothing with --json."""
        if not self.as_json:
            typer.echo(line)

    def table(
        self, headings: Sequence[str], rows: Iterable[Sequence[str]], title: str = ""
    ) -> None:
        """Print a table for people, its cells taken literally; nothing with --json."""
        if self.as_json:
            return
        from rich.table import Column, Table
        from rich.text import Text

        first, *others = headings
        table = Table(Column(first, no_wrap=True), *others, box=None, title=title or None)
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        self.console.print(table)

    def json(self, document: Any) -> None:
        """Print the command's one JSON document; nothing without --json."""
        if self.as_json:
            typer.echo(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False))

    def note(self, message: str) -> None:
        """Tell people something on stderr, where it never mixes with an answer; not with --json."""
        if not self.as_json:
            typer.echo(message, err=True)

    def error(self, kind: str, message: str) -> None:
        """State an error: `{"error": {"type", "message"}}` with --json, one line otherwise."""
        if self.as_json:
            self.json({"error": {"type": kind, "message": message}})
        else:
            typer.secho(f"error: {message}", err=True, fg="red" if sys.stderr.isatty() else None)


@contextmanager
def reporting(as_json: bool, debug: bool) -> Iterator[Output]:
    """Run a command's body: errors become a message and an exit code, a traceback on --debug.

    What a KeyboardInterrupt says of how to go on is added to the line that says who stopped it.
    """
    out = Output(as_json, debug)
    try:
        yield out
    except (typer.Exit, typer.BadParameter, BrokenPipeError):
        raise
    except KeyboardInterrupt as stop:
        out.error("Interrupted", " ".join((f"stopped by {stop_name()}.", *map(str, stop.args))))
        raise typer.Exit(INTERRUPTED) from None
    except Exception as problem:
        if debug:
            traceback.print_exc()
        out.error(type(problem).__name__, _message(problem, debug))
        raise typer.Exit(FAILURE) from None


def printable(text: str) -> str:
    """The text without control characters: a catalogue must not drive the terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def _message(problem: Exception, debug: bool) -> str:
    if isinstance(problem, (CoordiError, OSError)):
        return str(problem)
    hint = "" if debug else " Run the command again with --debug to see where it comes from."
    return f"unexpected {type(problem).__name__}: {problem}.{hint}"
