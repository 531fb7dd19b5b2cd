"""The Lightning trainer of every recipe: logs, checkpoints, and going on after a kill."""

import csv
import logging
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher

from coordi.errors import RecipeError
from coordi.training.recipe import Recipe
from coordi.training.stopping import (
    NotFiniteError,
    Stop,
    require_finite_weights,
    signals_after_the_step,
)

LOG_EVERY = 10
"""Steps between rows of the logs."""

LAST = "last.ckpt"
"""The one checkpoint of a run."""


def last_checkpoint(output: Path) -> Path | None:
    """The checkpoint from which a run in `output` goes on, or None."""
    path = output / "checkpoints" / LAST
    return path if path.exists() else None


def steps_done(output: Path) -> int:
    """Optimiser steps behind the last checkpoint; 0 where there is none.

    `RecipeError` for a file that cannot be gone on from. Nothing in it is ever executed: what is
    more than tensors, numbers and text in plain containers is refused.
    """
    path = last_checkpoint(output)
    if path is None:
        return 0
    try:
        return int(torch.load(path, weights_only=True, mmap=True)["global_step"])
    except Exception as error:  # torch, zip and pickle each have their own
        raise _unusable(path, error) from error


def train(
    module: lightning.LightningModule,
    recipe: Recipe,
    output: Path,
    *,
    quiet: bool,
    callbacks: Sequence[Callback] = (),
    devices: int = 1,
) -> None:
    """Train to the recipe's last step, going on from the last checkpoint in `output`.

    The module's batches start where that checkpoint ended. Ctrl-C or SIGTERM ends the step at
    hand, writes a checkpoint, and then comes through as it would have at once. Raises
    `RecipeError` at the first value that is not finite, and for a checkpoint that does not fit;
    the last checkpoint stays in both cases.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    last, stop = last_checkpoint(output), Stop()
    if last is not None:
        _check(last, module)
    trainer = lightning.Trainer(
        max_steps=recipe.total_steps,
        accelerator="auto",
        devices=devices,
        # Parts of a system may rest in some stage of a curriculum.
        strategy="ddp_find_unused_parameters_true" if devices > 1 else "auto",
        precision=recipe.precision,
        logger=_loggers(output, steps_done(output)),
        callbacks=[
            *callbacks,
            *([] if quiet else [_Bar()]),
            FlushLogs(),
            Checkpoints(output / "checkpoints" / LAST, recipe.checkpoint_every, stop),
        ],
        enable_progress_bar=not quiet,
        log_every_n_steps=LOG_EVERY,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    with _quiet_lightning(), signals_after_the_step(stop), _ending_the_others(trainer):
        try:
            trainer.fit(
                module,
                ckpt_path=None if last is None else str(last),
                weights_only=None if last is None else True,
            )
        except NotFiniteError as error:
            raise RecipeError(
                f"{error}, so nothing can be learned any more. {_advice(output)}"
            ) from error
        if stop.agreed and trainer.global_rank > 0:
            sys.exit(0)  # the process that started this one says how it ended


_STOPPED = {None, 0, 130, 143, -signal.SIGINT, -signal.SIGTERM}
"""Exit codes of processes that still run, are done, or were told to stop."""


def _advice(output: Path) -> str:
    """What to do where a recipe cannot be trained."""
    if not (done := steps_done(output)):
        return "Run it again with a lower lr; of this run nothing was kept"
    return (
        f"The checkpoint of step {done} was good and stays. Run it again with a lower lr, into "
        f"another --output or after deleting {output}"
    )


def _check(path: Path, module: lightning.LightningModule) -> None:
    """`RecipeError` for a checkpoint of other weights, or of weights that are not finite."""
    try:
        kept = torch.load(path, weights_only=True, mmap=True)["state_dict"]
        shapes = {name: tensor.shape for name, tensor in kept.items()}
        finite = all(bool(tensor.isfinite().all()) for tensor in kept.values())
    except Exception as error:  # as in steps_done
        raise _unusable(path, error) from error
    if shapes != {name: tensor.shape for name, tensor in module.state_dict().items()}:
        raise _unusable(path, "its weights are of another shape than the recipe's")
    if not finite:
        raise _unusable(path, "it holds weights that are not finite")


def _unusable(path: Path, why: object) -> RecipeError:
    line = next(iter(str(why).splitlines()), "") or type(why).__name__
    return RecipeError(
        f"cannot go on from {path}: {line}. If the file is not from a run of yours, trust nothing "
        "in its folder; otherwise delete the file, and the same command begins anew"
    )


@contextmanager
def _ending_the_others(trainer: lightning.Trainer) -> Iterator[None]:
    """Where training ends otherwise than by its last step, so do the processes it started."""
    try:
        yield
    except BaseException as end:
        launcher = trainer.strategy.launcher
        if isinstance(launcher, _SubprocessScriptLauncher):
            codes = {process.poll() for process in launcher.procs} - _STOPPED
            launcher.kill(signal.SIGTERM)
            if codes and isinstance(end, (KeyboardInterrupt, SystemExit)):
                raise RecipeError(
                    f"the process of another device ended with exit code {codes.pop()}; what it "
                    "said stands above"
                ) from end
        # Lightning makes exit code 1 of Ctrl-C.
        if isinstance(end, SystemExit) and isinstance(end.__context__, KeyboardInterrupt):
            raise end.__context__ from None
        raise


class Checkpoints(Checkpoint):
    """Writes the last checkpoint every `every` steps, behind the last one, and when asked to stop.

    A checkpoint is written between two steps only, and only of weights that are finite, so that
    whatever is found in a folder can be gone on from.
    """

    def __init__(self, path: Path, every: int, stop: Stop) -> None:
        self.path, self.every, self.stop = path, every, stop
        self.done = 0
        """Steps that were seen."""

    def on_train_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,  # noqa: ARG002
    ) -> None:
        """From here on a signal waits for the step; Lightning's own handlers go."""
        self.done = trainer.global_step
        self.stop.hold()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,  # noqa: ARG002
        batch: Any,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Write where it is due, at most once a step."""
        if trainer.global_step == self.done:
            return  # a part of a step whose gradients are still being gathered
        self.done = trainer.global_step
        asked = trainer.strategy.reduce_boolean_decision(self.stop.signal > 0, all=False)
        last = trainer.should_stop or self.done == trainer.max_steps
        if asked or last or self.done % self.every == 0:
            require_finite_weights(pl_module, self.done)
            self._write(trainer)
        if asked:
            self.stop.agreed = trainer.should_stop = True

    def _write(self, trainer: lightning.Trainer) -> None:
        draft = self.path.with_name(f".{self.path.name}")
        trainer.save_checkpoint(draft)
        if trainer.is_global_zero:
            draft.replace(self.path)


class _Bar(TQDMProgressBar):
    """Steps of all, whatever comes through at once, and losses without a number of the run."""

    def on_train_epoch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Count to the recipe's last step."""
        super().on_train_epoch_start(trainer)
        self.train_progress_bar.total = trainer.max_steps
        self.train_progress_bar.set_description("steps")

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,  # noqa: ARG002
        batch: Any,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Show where the run is."""
        step = trainer.global_step
        if step % LOG_EVERY == 0 or step == trainer.max_steps:
            self.train_progress_bar.n = step
            self.train_progress_bar.set_postfix(self.get_metrics(trainer, pl_module))

    def get_metrics(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> dict[str, Any]:
        """What stands behind the bar."""
        metrics: dict[str, Any] = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return metrics


class FlushLogs(Callback):
    """Logs reach the disk before the checkpoint that follows them, so that no row is lost."""

    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,  # noqa: ARG002
        checkpoint: dict[str, Any],  # noqa: ARG002
    ) -> None:
        """Write what the loggers hold."""
        for logger in trainer.loggers:
            logger.save()


def _loggers(output: Path, start: int) -> list[CSVLogger | TensorBoardLogger]:
    """CSV and TensorBoard under `output`/logs, without what a killed run did after `start`."""
    kept = _rows_until(output / "logs" / "metrics.csv", start)
    table = CSVLogger(output, name="", version="logs", flush_logs_every_n_steps=1)
    if kept:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Experiment logs directory .* exists")
            table.experiment.metrics = kept
        table.save()
    board = TensorBoardLogger(
        output, name="", version="logs", purge_step=start + 1 if start else None
    )
    return [table, board]


def _rows_until(path: Path, step: int) -> list[dict[str, Any]]:
    """Rows of a metrics.csv up to `step`, without its empty cells."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]
    return [row for row in rows if int(row["step"]) <= step]


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Leave out what Lightning warns of and what is meant so here."""
    meant = (
        "The '.*' does not have many workers",  # batches are cheaper than handing them over
        "You're resuming from a checkpoint that ended before",  # batches know their step
        "Be aware that when using `ckpt_path`",  # checkpoints of older versions of coordi
        ".*LeafSpec.* is deprecated",  # Lightning's own call into torch
        r"Found \d+ module\(s\) in eval mode",  # backbones keep their batch normalisation
        "Using ModelCheckpoint with manual optimization",  # weights after the step are meant
        "Experiment logs directory .* exists",  # a resumed run: its rows were taken over
        "lance is not fork-safe",  # loading processes index photos, and touch no store
    )
    with warnings.catch_warnings():
        for message in meant:
            warnings.filterwarnings("ignore", message=message)
        yield
