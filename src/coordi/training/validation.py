"""R@1 on the val trial while training runs, the best weights, and when to stop.

Only `Collection.val` is looked at; the test trial, whose numbers are reported, never is.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray
from torch import Tensor, nn

from coordi.data.collection import Collection, PhotoRows, Trial, group_of, key_of
from coordi.geometry import top_k
from coordi.types import RERANK_DEPTH

Scorer = Callable[[PhotoRows, PhotoRows], NDArray[np.float32]]
"""Rows of q queries and of n gallery photos → scores (q, n), higher is nearer."""

PairScorer = Callable[[int, PhotoRows], NDArray[np.float32]]
"""Row of a query and rows of k gallery photos → scores (k,) by which they are ordered anew."""

_CHUNK = 512
"""Queries that are ranked at once."""


class _Keys(NamedTuple):
    """What decides a trial, as numbers per photo of the collection; each (N,)."""

    match: NDArray[np.int64]  # -1 where unknown
    apart: NDArray[np.int64]
    category: NDArray[np.int64]


class RecallAtOne:
    """Share of a trial's queries whose nearest gallery photo answers them."""

    def __init__(
        self, collection: Collection, trial: Trial, readable: NDArray[np.bool_] | None = None
    ) -> None:
        """`readable` (N,) says which photos can be read: the others are misses, and never found."""
        self.trial = trial
        self.readable = np.ones(len(collection.photos), bool) if readable is None else readable
        photos = collection.photos
        self.keys = _Keys(
            _numbers([key_of(photo, trial.match) for photo in photos]),
            _numbers([p.id if trial.apart == "photo" else group_of(p) for p in photos]),
            _numbers([photo.category for photo in photos]),
        )

    def __call__(self, scorer: Scorer, reorder: PairScorer | None = None) -> float:
        """R@1 of all queries; one without any candidate is a miss.

        `reorder` has the last word on the nearest `RERANK_DEPTH` candidates.
        """
        if len(self.trial.query) == 0:
            return 0.0
        hits = [self._hits(queries, scorer, reorder) for queries in self._chunks()]
        return float(np.concatenate(hits).mean())

    def answerable(self) -> NDArray[np.bool_]:
        """Which queries have an answer among the photos that they are compared with, (q,)."""
        gallery = self.keys.match[self.trial.gallery][None, :]
        found = [
            ((self.keys.match[queries][:, None] == gallery) & ~self._barred(queries)).any(1)
            & (self.keys.match[queries] >= 0)
            for queries in self._chunks()
        ]
        return np.concatenate([np.empty(0, bool), *found])

    def _chunks(self) -> list[PhotoRows]:
        starts = range(0, len(self.trial.query), _CHUNK)
        return [self.trial.query[start : start + _CHUNK] for start in starts]

    def _barred(self, queries: PhotoRows) -> NDArray[np.bool_]:
        """Which gallery photos a query never meets, (q, n)."""
        gallery, keys = self.trial.gallery, self.keys
        barred: NDArray[np.bool_] = keys.apart[queries][:, None] == keys.apart[gallery][None, :]
        if self.trial.within == "category":
            barred |= keys.category[queries][:, None] != keys.category[gallery][None, :]
        return barred

    def _hits(
        self, queries: PhotoRows, scorer: Scorer, reorder: PairScorer | None
    ) -> NDArray[np.bool_]:
        gallery, match = self.trial.gallery, self.keys.match
        scores = scorer(queries, gallery)  # (q, n)
        scores[self._barred(queries)] = -np.inf
        scores[~self.readable[queries]] = -np.inf
        scores[:, ~self.readable[gallery]] = -np.inf
        first = top_k(scores, 1)[:, 0]
        if reorder is not None:
            first = self._reordered(queries, scores, reorder)
        found = scores[np.arange(len(queries)), first] > -np.inf
        wanted = match[queries]
        answers: NDArray[np.bool_] = found & (wanted >= 0) & (match[gallery[first]] == wanted)
        return answers

    def _reordered(
        self, queries: PhotoRows, scores: NDArray[np.float32], reorder: PairScorer
    ) -> NDArray[np.int64]:
        """Places in the gallery that come first when the nearest candidates are ordered anew."""
        first = []
        for query, nearest in enumerate(top_k(scores, RERANK_DEPTH)):
            met = nearest[scores[query, nearest] > -np.inf]
            anew = reorder(int(queries[query]), self.trial.gallery[met]) if len(met) else None
            first.append(nearest[0] if anew is None else met[int(np.argmax(anew))])
        return np.array(first, np.int64)


def _numbers(names: list[str]) -> NDArray[np.int64]:
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([known[name] if name else -1 for name in names], np.int64)


class Validation(Callback):
    """Looks every `every` steps, keeps the best weights, stops after `patience` vain looks.

    The look before the first step counts too: where training only does harm, the untrained
    weights are the best. All of its state is in the checkpoint.
    """

    def __init__(self, every: int, patience: int, say: Callable[[str], None]) -> None:
        self.every, self.patience, self.say = every, patience, say
        self.history: list[tuple[int, float]] = []
        self.best_weights: dict[str, Tensor] = {}

    @property
    def best(self) -> tuple[int, float]:
        """Step and R@1 of the best look, the earliest of several."""
        return max(self.history, key=lambda look: (look[1], -look[0]))

    @property
    def exhausted(self) -> bool:
        """Whether the last `patience` looks brought nothing better."""
        later = sum(step > self.best[0] for step, _ in self.history)
        return self.patience > 0 and later >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"history": self.history, "best_weights": self.best_weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.history, self.best_weights = state_dict["history"], state_dict["best_weights"]

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Measure the untrained system; stop where a checkpoint was already exhausted."""
        if not self.history:
            self._look(trainer, pl_module)
        elif self.exhausted:
            self._say_stop(trainer.global_step)
        trainer.should_stop = trainer.should_stop or self.exhausted

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: Any,
        outputs: Any,  # noqa: ARG002
        batch: Any,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Measure, at most once a step."""
        step = trainer.global_step
        due = step % self.every == 0 or step == trainer.max_steps
        if due and step > self.history[-1][0]:
            self._look(trainer, pl_module)
            trainer.should_stop = trainer.should_stop or self.exhausted

    def _look(self, trainer: lightning.Trainer, module: Any) -> None:
        step, value = trainer.global_step, module.recall_at_1()
        self.history.append((step, value))
        for logger in trainer.loggers:
            logger.log_metrics({"val_recall_at_1": value}, step)
        if self.best[0] == step:
            self.best_weights = {
                name: tensor.detach().cpu().clone()
                for name, tensor in module.net.state_dict().items()
            }
        if self.exhausted and step < trainer.max_steps:
            self._say_stop(step)

    def _say_stop(self, step: int) -> None:
        self.say(
            f"stopped at step {step}: no better R@1 on val in {self.patience} looks than "
            f"{self.best[1]:.3f} at step {self.best[0]}"
        )


def restore(module: nn.Module, validation: Validation) -> None:
    """Put the best weights back, where any were kept."""
    if validation.best_weights:
        with torch.no_grad():
            module.load_state_dict(validation.best_weights)
