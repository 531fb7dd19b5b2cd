"""`coordi delete`: items out of a store."""

from typing import Annotated

import typer

from coordi.cli.options import DebugOption, JsonOption, StoreOption, open_engine
from coordi.cli.output import WITH_PROBLEMS, reporting


def delete(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of items.")],
    store: StoreOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Remove items from the store; the pictures on disk stay.

    Exit code 3: some of the ids were not there.
    """
    with reporting(as_json, debug) as out:
        wanted = list(dict.fromkeys(ids))
        with open_engine(store) as engine:
            deleted = engine.delete(wanted)
        missing = len(wanted) - deleted
        out.json({"deleted": deleted, "missing": missing})
        out.text(f"{deleted:,} deleted" + (f", {missing:,} not there" if missing else ""))
        if missing:
            raise typer.Exit(WITH_PROBLEMS)
