"""Opening a trained re-ranker: a system that reorders the top of another encoder's ranking."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coordi.artifacts import fetch, fingerprint
from coordi.errors import EncoderError, NotFoundError
from coordi.models.opening import open_system
from coordi.types import Vectors

if TYPE_CHECKING:
    from coordi.models.system import RerankingSystem


@dataclass(frozen=True, slots=True)
class TrainedReranker:
    """A `Reranker` (coordi.types) over a system that was trained here."""

    name: str
    fingerprint: str
    encoder: str
    """The encoder whose vectors it compares."""
    reads: str
    """That encoder's fingerprint."""
    dim: int
    """Columns of those vectors."""
    system: "RerankingSystem"

    def score(self, query: NDArray[np.float32], items: Vectors) -> NDArray[np.float32]:
        """A query (dim,) against items (K, dim) → log-odds (K,) that each is what it shows."""
        import torch

        with torch.inference_mode():
            rows = torch.from_numpy(np.ascontiguousarray(items))
            asked = torch.from_numpy(np.ascontiguousarray(query)).expand(len(rows), -1)
            logits: NDArray[np.float32] = self.system.score_pairs(asked, rows).float().numpy()
        return logits


def open_reranker(name: str | Path) -> TrainedReranker:
    """Open a re-ranker: the artefact's folder, or "org/name" on the hub.

    Raises `EncoderError` for an artefact that has vectors of its own and so is an encoder, and
    `NotFoundError` for a folder that is not there. The encoder it belongs to is not opened.
    """
    folder = _folder(str(name))
    system, config = open_system(folder)
    if "score_pairs" not in config.answers or config.encoder is None:
        raise EncoderError(
            f"{name} ({config.system}) is an encoder, not a re-ranker: ingest and search with "
            f"--encoder {name}"
        )
    base = config.encoder
    return TrainedReranker(
        config.name,
        fingerprint(folder),
        str(folder / base.inside) if base.inside else base.name,
        base.fingerprint,
        config.feature_dim,
        system,  # type: ignore[arg-type]
    )


def _folder(name: str) -> Path:
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") != 1:
        raise NotFoundError(f"there is no folder {name}; give the artefact of a trained re-ranker")
    return fetch(name)
