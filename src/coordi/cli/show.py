"""`coordi show`: everything that a store knows of an item."""

from typing import TYPE_CHECKING, Annotated

import typer

from coordi.cli.options import (
    DebugOption,
    JsonOption,
    PicturesOption,
    StoreOption,
    open_engine,
)
from coordi.cli.output import WITH_PROBLEMS, reporting

if TYPE_CHECKING:
    from coordi.engine.view import View
    from coordi.types import Item


def show(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of items.")],
    pictures: PicturesOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show items of the store: their words, fields and picture.

    Exit code 3: some of the ids are not there; the others are shown.
    """
    with reporting(as_json, debug) as out:
        from coordi.cli.display import picture_protocol, show_item, show_picture
        from coordi.cli.shapes import item_json

        with open_engine(store) as engine:
            items, missing = _found(engine.view(), list(dict.fromkeys(ids)))
            out.json({"items": [item_json(item) for item in items], "missing": missing})
            protocol = None if as_json else picture_protocol(pictures)
            for place, item in enumerate(items):
                if place:
                    out.text("")
                if protocol:
                    show_picture(engine, item, protocol)
                show_item(out, item)
            for id in missing:
                out.note(f"there is no item {id!r} in the store")
            if missing:
                raise typer.Exit(WITH_PROBLEMS)


def _found(view: "View", ids: list[str]) -> "tuple[list[Item], list[str]]":
    """The items that are there, and the ids that are not."""
    from coordi.errors import NotFoundError

    items: list[Item] = []
    missing: list[str] = []
    for id in ids:
        try:
            items += view.get([id])
        except NotFoundError:
            missing.append(id)
    if not items:
        view.get(ids)  # nothing to show is an error, and this is it
    return items, missing
