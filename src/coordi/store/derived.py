"""Index files on disk: made from the table, checked when opened, thrown away when in doubt.

They carry the commit that they were made at and each row's own: a table that was put back to an
earlier state, or came from elsewhere, does not fit them, and they are made again.
"""

import json
import shutil
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordi.artifacts import checksum, write_atomically
from coordi.store.checks import Mark, mark
from coordi.store.ivf import Ivf, assemble
from coordi.store.rows import Rows, locate
from coordi.types import Vectors

FORMAT = 3
MARKS = "checked.json"
"""Where `coordi.store.checks` keeps its marks, beside the derived files."""

_FILES = ("index.faiss", "calibration.npz", "rows.npz", "vectors.npy")


@dataclass(frozen=True, slots=True)
class Saved:
    """What a derived folder holds: an index and the rows it covers."""

    ivf: Ivf
    seqs: NDArray[np.int64]  # (n,)
    commits: NDArray[np.int64]  # (n,)
    vectors: Vectors  # (n, dim), mapped from disk
    alive: NDArray[np.int64]
    """`seq` and `commit` (2, rows) of every row that was alive then, with a vector or not."""
    mark: tuple[Path, Mark] | None = None
    """The file behind `vectors`, and its mark when it was checked."""

    def untouched(self) -> bool:
        """Whether the file behind `vectors` is as it was when it was checked."""
        try:
            return self.mark is None or mark(self.mark[0]) == self.mark[1]
        except OSError:
            return False

    def fits(self, rows: Rows) -> bool:
        """Whether what these rows have is either here or newer than all that was known.

        Not so for an earlier state of the table, whose rows may have been left out here as dead,
        nor for one that went on otherwise from such a state.
        """
        seqs, commits = self.alive
        upto = int(np.searchsorted(rows.seqs, seqs.max(initial=-1), "right"))
        there = rows.alive[:upto]
        found = locate(seqs, rows.seqs[:upto][there])
        return bool((found >= 0).all() and (commits[found] == rows.commits[:upto][there]).all())


def save(folder: Path, name: str, store: str, token: str, saved: Saved) -> None:
    """Write a new folder of files, then point `name` to it in one step and drop older ones.

    A disk that is full or read-only is no error: the files only save time.
    """
    target = folder / f"{name}.{uuid.uuid4().hex[:8]}"
    try:
        target.mkdir(parents=True)
        _write(target, saved)
        meta = {
            "format": FORMAT, "store": store, "token": token, "folder": target.name,
            "trained": saved.ivf.trained,
            "checksums": {name: checksum(target / name) for name in _FILES},
        }  # fmt: skip
        write_atomically(folder / f"{name}.json", json.dumps(meta, indent=1))
    except (OSError, RuntimeError):  # FAISS says "disk full" by a RuntimeError
        shutil.rmtree(target, ignore_errors=True)
        return
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    for old in folder.glob(f"{name}.*"):
        if old.is_dir() and old != target:
            shutil.rmtree(old, ignore_errors=True)


def _write(target: Path, saved: Saved) -> None:
    import faiss

    faiss.write_index(saved.ivf.index, str(target / "index.faiss"))
    tables = {"neighbors": saved.ivf.neighbors, "ranks": saved.ivf.ranks}
    np.savez(target / "calibration.npz", orders=saved.ivf.orders, **tables)  # type: ignore[arg-type]
    np.savez(target / "rows.npz", seqs=saved.seqs, commits=saved.commits, alive=saved.alive)
    np.save(target / "vectors.npy", saved.vectors)


def load(folder: Path, name: str, store: str, dim: int) -> Saved | None:
    """Open what `save` wrote; None where it is absent, damaged, or of another store."""
    try:
        meta = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        target = folder / meta["folder"]
        if meta["format"] != FORMAT or meta["store"] != store:
            return None
        return None if fault(target, meta) else _read(target, meta, dim)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile):
        return None


def faults(folder: Path, store: str) -> dict[str, str]:
    """What is wrong with derived files: the name of each that cannot be used → why.

    Each of them can be deleted: it is made again when it is needed.
    """
    found: dict[str, str] = {}
    for file in sorted(folder.glob("*.json")):
        if file.name == MARKS:
            continue
        try:
            meta = json.loads(file.read_text(encoding="utf-8"))
            foreign = meta["format"] != FORMAT or meta["store"] != store
            why = "of another store or version" if foreign else fault(folder / meta["folder"], meta)
        except (OSError, ValueError, KeyError, TypeError) as error:
            why = f"damaged: {error}"
        if why:
            found[file.name] = why
    return found


def fault(target: Path, meta: Mapping[str, Any]) -> str:
    """What is not as `save` wrote it; "" where all is."""
    for name, known in meta["checksums"].items():
        if checksum(target / name) != known:
            return f"{name} is not as it was written"
    # An index of words is as many files as Tantivy made; an index of vectors is these.
    whole = bool(meta.get("words")) or set(meta["checksums"]) == set(_FILES)
    return "" if whole else "files are missing in its list"


def _read(target: Path, meta: Mapping[str, Any], dim: int) -> Saved | None:
    import faiss

    with np.load(target / "rows.npz") as tables:
        seqs, commits, alive = tables["seqs"], tables["commits"], tables["alive"]
    vectors = np.load(target / "vectors.npy", mmap_mode="r")
    index = faiss.read_index(str(target / "index.faiss"))
    if vectors.shape != (len(seqs), dim) or index.ntotal != len(seqs) or index.d != dim:
        return None
    with np.load(target / "calibration.npz") as tables:
        calibration = tables["neighbors"], tables["ranks"], tables["orders"]
    ivf = assemble(index, len(seqs), int(meta["trained"]), *calibration)
    place = target / "vectors.npy"
    return Saved(ivf, seqs, commits, vectors, alive, (place, mark(place)))
