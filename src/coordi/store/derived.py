"""Index files on disk: made from the table, checked when opened, thrown away when in doubt."""

import json
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordi.artifacts import checksum
from coordi.store.ivf import Ivf, assemble
from coordi.store.lock import write_atomically
from coordi.types import Vectors

_FORMAT = 1
_FILES = ("index.faiss", "calibration.npz", "seqs.npy", "vectors.npy")


@dataclass(frozen=True, slots=True)
class Saved:
    """What a derived folder holds: an index and the rows it covers."""

    ivf: Ivf
    seqs: NDArray[np.int64]  # (n,)
    vectors: Vectors  # (n, dim), mapped from disk


def save(folder: Path, name: str, store: str, saved: Saved) -> None:
    """Write a new folder of files, then point `name` to it in one step and drop older ones.

    A disk that is full or read-only is no error: the files only save time.
    """
    target = folder / f"{name}.{uuid.uuid4().hex[:8]}"
    try:
        target.mkdir(parents=True)
        _write(target, saved)
        meta = {
            "format": _FORMAT, "store": store, "folder": target.name,
            "trained": saved.ivf.trained, "checksums": _checksums(target),
        }  # fmt: skip
        write_atomically(folder / f"{name}.json", json.dumps(meta, indent=1))
    except OSError:
        shutil.rmtree(target, ignore_errors=True)
        return
    for old in folder.glob(f"{name}.*"):
        if old.is_dir() and old != target:
            shutil.rmtree(old, ignore_errors=True)


def _write(target: Path, saved: Saved) -> None:
    import faiss

    faiss.write_index(saved.ivf.index, str(target / "index.faiss"))
    tables = {"neighbors": saved.ivf.neighbors, "ranks": saved.ivf.ranks}
    np.savez(target / "calibration.npz", orders=saved.ivf.orders, **tables)  # type: ignore[arg-type]
    np.save(target / "seqs.npy", saved.seqs)
    np.save(target / "vectors.npy", saved.vectors)


def load(folder: Path, name: str, store: str, dim: int) -> Saved | None:
    """Open what `save` wrote; None where it is absent, damaged, or of another store."""
    try:
        meta = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        target = folder / meta["folder"]
        if meta["format"] != _FORMAT or meta["store"] != store:
            return None
        if _checksums(target) != meta["checksums"]:
            return None
        return _read(target, meta, dim)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        return None


def _read(target: Path, meta: Mapping[str, Any], dim: int) -> Saved | None:
    import faiss

    seqs = np.load(target / "seqs.npy")
    vectors = np.load(target / "vectors.npy", mmap_mode="r")
    index = faiss.read_index(str(target / "index.faiss"))
    if vectors.shape != (len(seqs), dim) or index.ntotal != len(seqs) or index.d != dim:
        return None
    with np.load(target / "calibration.npz") as tables:
        calibration = tables["neighbors"], tables["ranks"], tables["orders"]
    ivf = assemble(index, len(seqs), int(meta["trained"]), *calibration)
    return Saved(ivf, seqs, vectors)


def _checksums(target: Path) -> dict[str, str]:
    return {name: checksum(target / name) for name in _FILES}
