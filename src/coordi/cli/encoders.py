"""`coordi encoders`: what can embed pictures and words."""

import dataclasses
from typing import TYPE_CHECKING, Any

from coordi.cli.options import DebugOption, JsonOption
from coordi.cli.output import Output, reporting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def encoders(as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """List the encoders that --encoder knows by name."""
    with reporting(as_json, debug) as out:
        from coordi.models.encoders import list_encoders

        known = [dataclasses.asdict(entry) for entry in list_encoders()]
        out.json({"encoders": known})
        _show(out, known)


def _show(out: Output, known: "Sequence[Mapping[str, Any]]") -> None:
    if out.as_json:
        return
    from rich.table import Table

    table = Table("name", "takes", "dim", "licence", "offline", "note", box=None)
    takes = {"dual": "pictures, words", "image": "pictures", "text": "words"}
    for entry in known:
        here = "yes" if entry["offline"] else ""
        cells = (entry["name"], takes[entry["kind"]], str(entry["dim"]), entry["license"])
        table.add_row(*cells, here, entry["note"])
    out.console.print(table)
    out.text(
        "--encoder also takes any CLIP, SigLIP, vision or BERT repository of the Hugging Face "
        "hub, and a folder with such a model."
    )
