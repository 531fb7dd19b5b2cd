"""`coordi show`: everything that a store knows of an item."""

from typing import Annotated

import typer

from coordi.cli.options import (
    DebugOption,
    JsonOption,
    PicturesOption,
    StoreOption,
    open_engine,
)
from coordi.cli.output import reporting


def show(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of items.")],
    pictures: PicturesOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show items of the store: their words, fields and picture."""
    with reporting(as_json, debug) as out:
        from coordi.cli.display import picture_protocol, show_item, show_picture
        from coordi.cli.shapes import item_json

        with open_engine(store) as engine:
            items = engine.get(ids)
            out.json({"items": [item_json(item) for item in items]})
            protocol = None if as_json else picture_protocol(pictures)
            for place, item in enumerate(items):
                if place:
                    out.text("")
                if protocol:
                    show_picture(engine, item, protocol)
                show_item(out, item)
