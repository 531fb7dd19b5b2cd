"""How far a command is: a bar on a terminal, a line now and then elsewhere, nothing with --json."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from coordi.cli.output import Output

PLAIN_SECONDS = 10.0
"""Time between two lines of progress where no bar can be drawn."""


@contextmanager
def progress(
    out: Output,
    fields: Callable[..., dict[str, Any]],
    line: Callable[..., str],
    *,
    before: Sequence[str] = (),
    behind: Sequence[str] = (),
    transient: bool = False,
    **first: Any,
) -> Iterator[Callable[..., None] | None]:
    """Yield what is to be called with each report of the work; None where nothing is shown.

    Of a report, `fields` makes what rich's `Progress.update` takes and `line` the plain line.
    `before` and `behind` are rich's formats of what stands beside the bar, `first` the fields
    that it begins with.
    """
    if out.as_json:
        yield None
        return
    if not sys.stderr.isatty():
        yield _lines(line)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        *map(TextColumn, before),
        BarColumn(),
        MofNCompleteColumn(),
        *map(TextColumn, behind),
    )
    with Progress(*columns, console=Console(stderr=True), transient=transient) as bar:
        task = bar.add_task(total=None, **first)
        yield lambda *report: bar.update(task, **fields(*report))


def _lines(line: Callable[..., str]) -> Callable[..., None]:
    last = time.monotonic()

    def show(*report: Any) -> None:
        nonlocal last
        if time.monotonic() >= last + PLAIN_SECONDS:
            last = time.monotonic()
            typer.echo(line(*report), err=True)

    return show
