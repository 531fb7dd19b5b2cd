"""`coordi encoders`: what can embed pictures and words, and which one a store is searched with."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coordi.cli.options import DebugOption, JsonOption, StoreOption, open_engine
from coordi.cli.output import reporting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coordi.store import EncoderColumn


def encoders_app() -> typer.Typer:
    """`coordi encoders` lists, `coordi encoders use` chooses."""
    app = typer.Typer(name="encoders")
    app.callback(invoke_without_command=True)(encoders)
    app.command()(use)
    return app


def encoders(
    context: typer.Context, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """List the encoders that --encoder knows by name; `use` chooses a store's own."""
    if context.invoked_subcommand is not None:
        return
    with reporting(as_json, debug) as out:
        from coordi.models.encoders import list_encoders

        known = [dataclasses.asdict(entry) for entry in list_encoders()]
        out.json({"encoders": known})
        out.table(("name", "takes", "dim", "licence", "offline", "note"), map(_cells, known))
        out.text(
            "--encoder also takes any CLIP, SigLIP, vision or BERT repository of the Hugging Face "
            "hub, and a folder with such a model."
        )


def use(
    name: Annotated[
        str, typer.Argument(help="Name or fingerprint of an encoder that the store has vectors of.")
    ],
    store: StoreOption = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also where some items have no vector of it yet.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Search a store with this encoder from now on.

    Fill its column first: coordi ingest CATALOG --encoder NAME. Items without a vector of the
    encoder are not found, so an incomplete column is refused unless --anyway.
    """
    with reporting(as_json, debug) as out:
        from coordi.errors import StoreError

        with open_engine(store) as engine:
            chosen = _chosen(engine.store.encoders(), name)
            figures = engine.stats()
            there = figures.vectors[chosen.fingerprint]
            if there < figures.items and not anyway:
                raise StoreError(
                    f"only {there:,} of {figures.items:,} items have a vector of {chosen.name}. "
                    f"Give the others one: coordi ingest CATALOG --encoder {chosen.name}; or say "
                    "--anyway: the others will not be found"
                )
            engine.store.use_encoder(chosen.fingerprint)
        out.json({"encoder": chosen.name, "fingerprint": chosen.fingerprint, "vectors": there,
                  "items": figures.items})  # fmt: skip
        out.text(f"searched with {chosen.name} from now on: {there:,} of {figures.items:,} items")


def _chosen(known: "Sequence[EncoderColumn]", name: str) -> "EncoderColumn":
    """The newest encoder of that name, or the one of that fingerprint."""
    from coordi.engine.engine import lasting
    from coordi.errors import UnknownNameError

    for entry in reversed(known):
        if name in (entry.name, entry.fingerprint) or lasting(name) == entry.name:
            return entry
    raise UnknownNameError("encoder of this store", name, [entry.name for entry in known])


def _cells(entry: "Mapping[str, Any]") -> tuple[str, ...]:
    takes = {"dual": "pictures, words", "image": "pictures", "text": "words"}[entry["kind"]]
    here = "yes" if entry["offline"] else ""
    return entry["name"], takes, str(entry["dim"]), entry["license"], here, entry["note"]
