"""Is a store what was written into it? Everything in it is read."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from coordi.artifacts import checksum
from coordi.errors import NotFoundError, StoreDamagedError, StoreError
from coordi.store import columns as cols
from coordi.store import creation, derived, seal, table
from coordi.store.checks import Checks
from coordi.store.seal import FileSum, Seal

HARMLESS = "nothing is lost: it is made again"
LOST = "its items are lost: `--repair` takes them out, the next ingest brings them back"
OLD = "of an earlier commit, which nobody reads any more"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as it was written."""

    file: str
    """Relative to the store's folder."""
    reason: str
    consequence: str


@dataclass(slots=True)
class Verification:
    """What a look at everything in a store found."""

    token: str = ""
    items: int = 0
    files: int = 0
    """Files that were read and compared with their checksums."""
    bytes: int = 0
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is worth knowing and is no damage, such as what a killed writer left."""

    @property
    def sound(self) -> bool:
        """Whether everything is as it was written."""
        return not self.faults

    def fault(self, file: str, reason: str, consequence: str) -> None:
        """Note one."""
        self.faults.append(Fault(file, reason, consequence))


def verify(folder: Path) -> Verification:
    """Read every file of the store in `folder` and compare it with what was written.

    Raises `NotFoundError` where no store is. Reading needs no lock: a writer may go on.
    """
    path = folder / creation.TABLE
    if not (folder / creation.SETTINGS).exists() and not path.exists():
        raise NotFoundError(f"there is no store at {folder}")
    found = Verification()
    store = _settings(folder, found)
    seals = _seals(path, store, found)
    sums: dict[tuple[str, FileSum], str] = {}
    for number, one in enumerate(reversed(seals)):
        _files(path, one, found, sums, newest=number == 0)
    if seals:
        found.token = seals[-1].token
        _table(path, seals[-1], found)
    _derived(folder, seals[-1].store if seals else store, found)
    return found


def _settings(folder: Path, found: Verification) -> str:
    try:
        settings = creation.read_settings(folder)
    except StoreError as error:
        found.fault(creation.SETTINGS, str(error), HARMLESS)
        return ""
    if settings["format"] != creation.FORMAT:
        found.fault(creation.SETTINGS, "of an earlier version of coordi", "opening it mends that")
    elif extra := set(settings) - {"format", "store"}:
        found.fault(creation.SETTINGS, f"holds {', '.join(sorted(extra))}", HARMLESS)
    return str(settings["store"])


def _seals(path: Path, store: str, found: Verification) -> list[Seal]:
    """The seals that can be read, oldest first."""
    place = f"{creation.TABLE}/{seal.FOLDER}"
    note = seal.noted(path)  # before the seals, which a writer adds to
    numbers = seal.numbers(path) if (path / seal.FOLDER).is_dir() else []
    if not numbers:
        found.fault(place, "there is no seal", "the store cannot be opened")
    if note is None:
        found.fault(f"{place}/{seal.HEAD}", "damaged", HARMLESS)
    elif numbers and note > numbers[-1]:
        found.fault(place, f"the seal of commit {note} is missing", "the store cannot be opened")
    seals: list[Seal] = []
    for number in numbers:
        name = f"{creation.TABLE}/{seal.place(path, number).relative_to(path)}"
        last = number == numbers[-1]
        try:
            one = seal.load(path, number)
        except (StoreDamagedError, FileNotFoundError) as error:
            found.fault(name, str(error), "the store cannot be opened" if last else OLD)
            continue
        if (store and one.store != store) or one.number != number:
            found.fault(name, "of another store or another commit", "the store cannot be opened")
            continue
        if seals and one.parent != seals[-1].token:
            found.fault(
                name, "does not follow from the commit before it", "two histories are mixed"
            )
        seals.append(one)
    if seals and seals[-1].number != numbers[-1]:
        return []
    found.files += len(seals)
    return seals


def _files(
    path: Path,
    one: Seal,
    found: Verification,
    sums: dict[tuple[str, FileSum], str],
    *,
    newest: bool,
) -> None:
    """Compare a commit's files with their checksums, those that no newer one has."""
    for names, needed in ((one.files, True), (one.aside, False)):
        for name, want in names.items():
            if (name, want) in sums:
                continue
            why = sums[name, want] = difference(path / name, want)
            found.files += 1
            found.bytes += want.size
            if why:
                lost = LOST if name.startswith(("data/", "_deletions/")) else "it cannot be opened"
                consequence = (lost if newest else OLD) if needed else HARMLESS
                found.fault(f"{creation.TABLE}/{name}", why, consequence)


def difference(file: Path, want: FileSum) -> str:
    """What a file is not as it should be; "" where it is."""
    try:
        size = file.stat().st_size
        if size != want.size:
            return f"{size:,} bytes instead of {want.size:,}"
        return "" if checksum(file) == want.checksum else "its bytes are not what was written"
    except OSError as error:
        return error.strerror or str(error)


def _table(path: Path, head: Seal, found: Verification) -> None:
    """Open the newest commit, read all of it, and look at what else lies in the table's folder."""
    try:
        dataset = table.open_version(path, head.version)
        if set(table.files_of(dataset)) != set(head.files):
            found.fault(creation.TABLE, "has other files than its seal says", "do not trust it")
        found.items = sum(_read(dataset, head, found))
        unsealed = dataset.latest_version - head.version
    except StoreError as error:
        if found.sound:
            found.fault(creation.TABLE, str(error), "the store cannot be read")
        return
    if unsealed:
        found.notes.append(
            "a writer was stopped before its last commit counted; the next undoes it"
        )
    _hint(path, dataset.latest_version, found)
    left = sum(1 for _ in _left_over(path))
    if left:
        found.notes.append(f"{left:,} files belong to no commit: of stopped writers, or forgotten")


def _read(dataset: Any, head: Seal, found: Verification) -> Iterator[int]:
    """Read every cell; yields the rows of each batch."""
    ids: set[str] = set()
    dims = {cols.vector_column(e.fingerprint): e.dim for e in head.encoders}
    further = {cols.further_column(e.fingerprint): e.dim for e in head.encoders}
    with table.translated("cannot read the store's table", StoreDamagedError):
        for batch in dataset.to_batches():
            new = batch.column("id").to_pylist()
            if len(ids | set(new)) < len(ids) + len(new):
                found.fault(creation.TABLE, "an id stands twice", "one of the two is not found")
            ids.update(new)
            for name in dims.keys() & set(batch.schema.names):
                _vectors(batch.column(name), dims[name], name, found)
            for name in further.keys() & set(batch.schema.names):
                _further(batch.column(name), further[name], name, found)
            yield batch.num_rows


def _vectors(column: Any, dim: int, name: str, found: Verification) -> None:
    rows, _ = cols.vector_rows(column, dim)
    if not np.isfinite(rows).all():
        found.fault(creation.TABLE, f"{name} holds values that are not finite", LOST)


def _further(column: Any, dim: int, name: str, found: Verification) -> None:
    lengths = column.value_lengths().drop_null().to_numpy()
    if (lengths % dim).any() or not np.isfinite(column.flatten().to_numpy()).all():
        found.fault(creation.TABLE, f"{name} holds what are no vectors of {dim}", LOST)


def _hint(path: Path, latest: int, found: Verification) -> None:
    """Lance's own note of its newest version, which may be late after a kill or a full disk."""
    try:
        text = (path / "_versions" / "latest_version_hint.json").read_text("utf-8")
        right = int(json.loads(text)["version"]) <= latest
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError):
        right = False
    if not right:
        found.notes.append("Lance's note of its newest version is wrong: nothing goes by it")


def _left_over(path: Path) -> Iterator[Path]:
    """Files in the table's folder that belong to no commit."""
    known = {"_versions/latest_version_hint.json", f"{seal.FOLDER}/{seal.HEAD}"}
    for number in seal.numbers(path):
        known.add(str(seal.place(path, number).relative_to(path)))
        try:
            one = seal.load(path, number)
        except (StoreDamagedError, FileNotFoundError):
            continue
        known |= {*one.files, *one.aside}
    for place, _, names in os.walk(path):
        for name in names:
            file = Path(place) / name
            if str(file.relative_to(path)) not in known:
                yield file


def _derived(folder: Path, store: str, found: Verification) -> None:
    place = folder / creation.DERIVED
    for name, why in derived.faults(place, store).items():
        found.fault(f"{creation.DERIVED}/{name}", why, HARMLESS)
    if not Checks(folder / creation.TABLE, place / derived.MARKS).legible():
        found.fault(f"{creation.DERIVED}/{derived.MARKS}", "damaged", HARMLESS)
