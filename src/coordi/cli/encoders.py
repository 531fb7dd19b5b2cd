"""`coordi encoders`: what can embed pictures and words."""

import dataclasses
from typing import TYPE_CHECKING, Any

from coordi.cli.options import DebugOption, JsonOption
from coordi.cli.output import reporting

if TYPE_CHECKING:
    from collections.abc import Mapping


def encoders(as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """List the encoders that --encoder knows by name."""
    with reporting(as_json, debug) as out:
        from coordi.models.encoders import list_encoders

        known = [dataclasses.asdict(entry) for entry in list_encoders()]
        out.json({"encoders": known})
        out.table(("name", "takes", "dim", "licence", "offline", "note"), map(_cells, known))
        out.text(
            "--encoder also takes any CLIP, SigLIP, vision or BERT repository of the Hugging Face "
            "hub, and a folder with such a model."
        )


def _cells(entry: "Mapping[str, Any]") -> tuple[str, ...]:
    takes = {"dual": "pictures, words", "image": "pictures", "text": "words"}[entry["kind"]]
    here = "yes" if entry["offline"] else ""
    return entry["name"], takes, str(entry["dim"]), entry["license"], here, entry["note"]
