"""Measure encoders and re-rankers on a collection's trial, controls beside them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from coordi.data.collection import Collection
from coordi.evaluation.benchmark import reports_of
from coordi.evaluation.report import Report
from coordi.evaluation.retrieval import Retrieval
from coordi.types import Say


def evaluate(
    collection: Collection,
    models: Sequence[str],
    *,
    cache: Path,
    trial: Literal["test", "val"] = "test",
    controls: bool = True,
    imagenet: str | None = None,
    benchmark: str = "",
    say: Say = lambda _: None,
) -> list[Report]:
    """Measure each model (a name that `open_encoder` takes, or a re-ranker's folder) → reports.

    Controls come last. See `Retrieval` for the rest.
    """
    retrieval = Retrieval(
        collection, cache=cache, trial=trial, imagenet=imagenet, benchmark=benchmark, say=say
    )
    return reports_of(retrieval, models, controls=controls)
