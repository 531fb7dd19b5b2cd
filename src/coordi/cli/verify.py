"""`coordi verify`: is a store what was written into it?"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordi.cli.options import DebugOption, JsonOption, StoreOption, store_folder
from coordi.cli.output import FAILURE, WITH_PROBLEMS, Output, reporting

if TYPE_CHECKING:
    from coordi.store.repair import Repair
    from coordi.store.verify import Verification

RepairOption = Annotated[
    bool,
    typer.Option(
        "--repair",
        help="Mend what can be mended: derived files are removed, damaged items taken out.",
    ),
]


def verify(
    store: StoreOption = None,
    repair: RepairOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Read everything in a store and compare it with the checksums it was written with.

    Exit code 1: something is damaged. With --repair, 3: mended, but items were lost.
    """
    with reporting(as_json, debug) as out:
        from coordi.store.repair import repair as mend
        from coordi.store.verify import verify as look

        folder = store_folder(store).expanduser().absolute()
        mended = mend(folder) if repair else None
        found = look(folder)
        document = {"store": str(folder), "sound": found.sound, **dataclasses.asdict(found)}
        out.json(document | ({"repair": dataclasses.asdict(mended)} if mended else {}))
        _show(out, folder, found, mended)
        if not found.sound:
            raise typer.Exit(FAILURE)
        if mended is not None and mended.lost:
            raise typer.Exit(WITH_PROBLEMS)


def _show(out: Output, folder: Path, found: "Verification", mended: "Repair | None") -> None:
    for line in mended.done if mended else ():
        out.text(f"mended: {line}")
    for fault in found.faults:
        out.text(f"damaged: {fault.file}: {fault.reason} ({fault.consequence})")
    for note in found.notes:
        out.note(f"note: {note}")
    read = f"{found.files:,} files, {found.bytes / 1e6:,.1f} MB"
    if found.sound:
        out.text(f"{folder}: sound. {found.items:,} items at commit {found.token}; {read} read")
    else:
        out.text(f"{folder}: {len(found.faults)} damaged; {read} read. Mend it with --repair")
