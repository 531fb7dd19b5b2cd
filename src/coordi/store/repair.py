"""Mend a store that `coordi.store.verify` found damaged."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coordi.errors import StoreDamagedError, StoreError
from coordi.store import creation, seal, table
from coordi.store.lock import WriterLock
from coordi.store.seal import FileSum, Seal
from coordi.store.verify import Verification, difference, verify


@dataclass(slots=True)
class Repair:
    """What was done to mend a store."""

    done: list[str] = field(default_factory=list)
    lost: int = 0
    """Items that are no longer there; the next ingest of their catalogue brings them back."""


def repair(folder: Path) -> Repair:
    """Mend what can be mended: under the writer's lock, with what is sound left as it is.

    Raises `StoreError` where nothing sound is left to go on from.
    """
    found = verify(folder)
    if found.sound:
        return Repair()
    with WriterLock(folder).held():
        return _Mender(folder, found).mend()


class _Mender:
    """One repair: from the outside in, so that each step finds what it needs."""

    def __init__(self, folder: Path, found: Verification) -> None:
        self.folder, self.path = folder, folder / creation.TABLE
        self.damaged = {fault.file for fault in found.faults}
        self.report = Repair()

    def mend(self) -> Repair:
        self._derived()
        head = self._head()
        if not (self.folder / creation.SETTINGS).exists() or creation.SETTINGS in self.damaged:
            creation.write_settings(self.folder, head.store)
            self._did(f"{creation.SETTINGS} was written anew")
        self._drop_lost(head)
        self._forget_old()
        self._note_again()
        if seal.noted(self.path) is None:
            newest = seal.load(self.path, seal.numbers(self.path)[-1])
            seal.write(self.path, newest)
            self._did("the note of the newest commit was written anew")
        return self.report

    def _did(self, what: str) -> None:
        self.report.done.append(what)

    def _derived(self) -> None:
        """Derived files go; they are made again when they are needed."""
        for file in sorted(self.damaged):
            if file.startswith(f"{creation.DERIVED}/"):
                (self.folder / file).unlink(missing_ok=True)
                self._did(f"{file} was removed; it is made again")

    def _head(self) -> Seal:
        """The newest commit that can be opened; the table is made to be at it."""
        numbers = seal.numbers(self.path) if (self.path / seal.FOLDER).is_dir() else []
        if (seal.noted(self.path) or 0) > max(numbers, default=0):
            numbers = [*numbers, seal.noted(self.path) or 0]  # its seal is missing
        sound = [one for one in map(self._legible, numbers) if one is not None]
        if numbers and sound and sound[-1].number == numbers[-1] and self._opens(sound[-1]):
            return sound[-1]
        if not numbers or not sound or sound[-1].number != numbers[-1]:
            resealed = self._resealed(sound, numbers)
            if resealed is not None:
                return resealed
        return self._gone_back(sound)

    def _legible(self, number: int) -> Seal | None:
        name = f"{creation.TABLE}/{seal.place(self.path, number).relative_to(self.path)}"
        if name in self.damaged or not (self.folder / name).exists():
            return None
        return seal.load(self.path, number)

    def _opens(self, one: Seal) -> bool:
        """Whether the version's manifest is as it was written."""
        manifests = {n: want for n, want in one.files.items() if n.startswith("_versions/")}
        return self._sound(manifests)

    def _sound(self, files: Mapping[str, FileSum]) -> bool:
        """Whether files of the table are as they were written."""
        return not any(difference(self.path / name, want) for name, want in files.items())

    def _resealed(self, sound: list[Seal], numbers: list[int]) -> Seal | None:
        """A seal for the table as it reads, where only seals are damaged."""
        try:
            dataset = table.open_version(self.path)
            with table.translated("cannot read the store's table", StoreDamagedError):
                for _ in dataset.to_batches():
                    pass
            known = sound[-1] if sound else self._guessed(dataset)
        except StoreError:
            return None
        for number in numbers:
            if number > known.number:
                seal.place(self.path, number).unlink(missing_ok=True)
        number = max([0, *numbers]) + 1
        made = known.next(number=number, **creation.contents(dataset, self.path))
        seal.write(self.path, made)
        self._did("the newest commit was sealed as it reads: its checksums were lost")
        return made

    def _guessed(self, dataset: Any) -> Seal:
        """What a table says of itself, where no seal is left."""
        dims = {
            field.name[2:]: field.type.list_size
            for field in dataset.schema
            if re.fullmatch(r"v_[0-9a-f]{16}", field.name)
        }
        there = set(dataset.schema.names)
        encoders = tuple(
            seal.EncoderColumn(name, name, dim, "", "all" if f"w_{name}" in there else "main")
            for name, dim in dims.items()
        )
        try:
            store = str(creation.read_settings(self.folder)["store"])
        except StoreError:
            raise StoreDamagedError("neither a seal nor store.json is left") from None
        return seal.first(
            store, version=0, files={}, encoders=encoders,
            encoder=encoders[0].fingerprint if encoders else "",
        )  # fmt: skip

    def _gone_back(self, sound: list[Seal]) -> Seal:
        """The newest earlier commit that is whole, made the newest again."""
        for one in reversed(sound):
            if self._sound(one.files):
                return self._back_to(one, sound[-1])
        raise StoreDamagedError(
            "no commit of the store is left that can be opened. Make it anew: move the folder "
            "away and ingest the catalogue"
        )

    def _back_to(self, one: Seal, newest: Seal) -> Seal:
        manifests = [n for n in newest.files if n.startswith("_versions/") and n not in one.files]
        for name in manifests:
            (self.path / name).unlink(missing_ok=True)
        dataset = table.restore(table.open_version(self.path, one.version))
        contents = creation.contents(dataset, self.path)
        made = one.next(number=newest.number + 1, **contents)
        seal.write(self.path, made)
        self._did(f"the store is back at commit {one.number}: what came after it cannot be opened")
        return made

    def _drop_lost(self, head: Seal) -> None:
        """Take out the fragments whose files are damaged."""
        dataset = table.open_version(self.path, head.version)
        if dataset.latest_version != head.version:
            dataset = table.restore(dataset)
        owner = table.files_of(dataset)
        lost = {
            owner[name]
            for name, want in head.files.items()
            if owner.get(name) is not None and difference(self.path / name, want)
        }
        if not lost:
            return
        fragments = [part for part in dataset.get_fragments() if part.fragment_id in lost]
        rows = sum(_alive(part.metadata) for part in fragments)
        dataset = table.drop_fragments(dataset, [part.fragment_id for part in fragments])
        made = head.next(**creation.contents(dataset, self.path))
        seal.write(self.path, made)
        self.report.lost += rows
        self._did(f"{rows:,} items were in damaged files and are gone: ingest the catalogue again")

    def _forget_old(self) -> None:
        """Remove seals of earlier commits up to the last that is damaged, or whose files are."""
        *earlier, newest = seal.numbers(self.path)
        following = seal.load(self.path, newest)
        for number in reversed(earlier):
            one = self._whole(number)
            if one is None or one.token != following.parent:
                for old in (n for n in earlier if n <= number):
                    seal.place(self.path, old).unlink()
                self._did(f"commits up to {number}, earlier ones, were forgotten")
                return
            following = one

    def _whole(self, number: int) -> Seal | None:
        """A commit whose files are all as they were written."""
        try:
            one = seal.load(self.path, number)
        except StoreDamagedError:
            return None
        return one if self._sound({**one.files, **one.aside}) else None

    def _note_again(self) -> None:
        """Seal the newest commit once more, where a file that no reader needs is damaged."""
        head = seal.load(self.path, seal.numbers(self.path)[-1])
        if not self._sound(head.aside):
            dataset = table.open_version(self.path, head.version)
            seal.write(self.path, head.next(**creation.contents(dataset, self.path)))
            self._did("a note of Lance's that nothing needs was damaged, and is sealed as it is")
            self._forget_old()


def _alive(fragment: Any) -> int:
    deleted = fragment.deletion_file.num_deleted_rows if fragment.deletion_file else 0
    return int(fragment.physical_rows - deleted)
