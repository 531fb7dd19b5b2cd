"""Making a store, finishing one whose maker was killed, and bringing an old one up to date."""

import json
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from coordi.artifacts import atomic_folder, write_atomically
from coordi.errors import StoreDamagedError, StoreError
from coordi.store import columns as cols
from coordi.store import seal, table
from coordi.store.checks import file_sum
from coordi.store.lock import WriterLock

FORMAT = 2
"""Version of the folder's layout. 1 had no seals, and its encoders stood in store.json."""

SETTINGS, TABLE, DERIVED = "store.json", "items.lance", "derived"


def read_settings(folder: Path) -> dict[str, Any]:
    """Read store.json: {"format", "store"}; `StoreError` where it cannot be used."""
    try:
        settings: dict[str, Any] = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        written, _ = int(settings["format"]), str(settings["store"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreDamagedError(f"cannot read {SETTINGS} ({error}). {seal.VERIFY}") from error
    if written not in (1, FORMAT):
        raise StoreError(
            f"{SETTINGS} has format {written}; this version of coordi reads {FORMAT}. Update coordi"
        )
    return settings


def write_settings(folder: Path, store: str) -> None:
    """Write store.json, which makes the folder a store."""
    text = json.dumps({"format": FORMAT, "store": store}, indent=1)
    write_atomically(folder / SETTINGS, text)


def make(folder: Path) -> None:
    """Make a store in `folder`, or finish one; a kill at any moment leaves what can be finished."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make a store at {folder}: {error.strerror}") from error
    with WriterLock(folder).held(), table.translated(f"cannot make a store at {folder}"):
        for draft in folder.glob(f".{TABLE}-*"):  # of makers that were killed
            shutil.rmtree(draft, ignore_errors=True)
        if (folder / TABLE).exists() and not is_empty(folder):
            _finish(folder)
        else:
            _make(folder)


def discard(folder: Path) -> None:
    """Remove a store into which nothing was ever written, with its folder; others stay."""
    if not (folder / SETTINGS).exists() or any((folder / TABLE / "data").glob("*")):
        return
    with WriterLock(folder).held():
        if not any((folder / TABLE / "data").glob("*")):
            shutil.rmtree(folder, ignore_errors=True)


def is_empty(folder: Path) -> bool:
    """Whether a table was begun in `folder` and nothing was ever written into it."""
    path = folder / TABLE
    return not any((path / seal.FOLDER).glob("*.json")) and not any((path / "data").glob("*"))


def _make(folder: Path) -> None:
    store = uuid.uuid4().hex
    shutil.rmtree(folder / DERIVED, ignore_errors=True)
    with atomic_folder(folder / TABLE) as draft:
        dataset = table.create(draft, cols.base_schema())
        seal.write(draft, seal.first(store, **contents(dataset, draft)))
    write_settings(folder, store)


def _finish(folder: Path) -> None:
    """Write the store.json that is missing."""
    if (folder / SETTINGS).exists():  # another process was faster
        return
    found = seal.numbers(folder / TABLE) if (folder / TABLE / seal.FOLDER).is_dir() else []
    if not found:
        raise StoreDamagedError(
            f"{folder} has a table but no {SETTINGS}: it is half of a store. Put the file back, "
            "or choose another folder"
        )
    write_settings(folder, seal.load(folder / TABLE, found[-1]).store)


def contents(dataset: Any, place: Path) -> dict[str, Any]:
    """What a seal says of a version: its number and its files."""
    files, aside = (
        sums(place, names)
        for names in (table.files_of(dataset), table.aside_of(dataset, dataset.version - 1))
    )
    return {"version": dataset.version, "files": files, "aside": aside}


def sums(place: Path, names: Iterable[str]) -> dict[str, seal.FileSum]:
    """Checksums of files as they are."""
    return {name: file_sum(place / name) for name in names}


def upgrade(folder: Path) -> None:
    """Bring a store of format 1 up to date, which rewrites no items."""
    with WriterLock(folder).held(), table.translated("cannot bring the store up to date"):
        settings = read_settings(folder)
        if settings["format"] == FORMAT:  # another process was faster
            return
        dataset = _with_columns(table.open_version(folder / TABLE))
        encoders = tuple(seal.EncoderColumn(**entry) for entry in settings.get("encoders", ()))
        made = seal.first(
            settings["store"], **contents(dataset, folder / TABLE),
            encoders=tuple(sorted(encoders, key=lambda entry: entry.created)),
            encoder=encoders[-1].fingerprint if encoders else "",
        )  # fmt: skip
        shutil.rmtree(folder / TABLE / seal.FOLDER, ignore_errors=True)  # of a killed upgrade
        seal.write(folder / TABLE, made)
        shutil.rmtree(folder / DERIVED, ignore_errors=True)
        write_settings(folder, settings["store"])


def _with_columns(dataset: Any) -> Any:
    """The store's own columns that an earlier version did not have."""
    lacking = [field for field in cols.base_schema() if field.name not in dataset.schema.names]
    return table.add_columns(dataset, pa.schema(lacking)) if lacking else dataset
