"""Files that a command will write: what stands in the way is found before the work, not after."""

import os
from pathlib import Path

import typer


def check_writable(file: Path, option: str) -> None:
    """Raise `BadParameter` for `option` where `file` could not be written; nothing is made.

    Folders that are not there yet will be made, so the nearest one that is there decides.
    """
    if file.is_dir():
        raise typer.BadParameter(f"{file} is a folder; name a file", param_hint=option)
    if file.exists() and not os.access(file, os.W_OK):
        raise typer.BadParameter(f"{file} cannot be written", param_hint=option)
    near = next(parent for parent in file.absolute().parents if os.path.lexists(parent))
    if not near.is_dir():
        raise typer.BadParameter(f"{near} is a file, not a folder", param_hint=option)
    if not os.access(near, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"nothing can be written into {near}", param_hint=option)
