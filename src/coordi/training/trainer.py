"""The Lightning trainer of every recipe: logs, checkpoints, and going on after a kill."""

import csv
import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from coordi.training.recipe import Recipe

LOG_EVERY = 10
"""Steps between rows of the logs."""


def last_checkpoint(output: Path) -> Path | None:
    """The checkpoint from which a run in `output` goes on, or None."""
    path = output / "checkpoints" / "last.ckpt"
    return path if path.exists() else None


def steps_done(output: Path) -> int:
    """Optimiser steps behind the last checkpoint; 0 where there is none."""
    path = last_checkpoint(output)
    if path is None:
        return 0
    return int(torch.load(path, weights_only=False, mmap=True)["global_step"])


def train(
    module: lightning.LightningModule,
    batches: Iterable[Any] | None,
    recipe: Recipe,
    output: Path,
    *,
    steps: int,
    quiet: bool,
    callbacks: Sequence[Callback] = (),
    devices: int = 1,
    clip: float | None = None,
) -> None:
    """Train to `steps` optimiser steps, going on from the last checkpoint in `output`.

    `batches` start where that checkpoint ended; None takes the module's own. Ctrl-C writes a
    checkpoint and then raises KeyboardInterrupt.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    last = last_checkpoint(output)
    trainer = lightning.Trainer(
        max_steps=steps,
        accelerator="auto",
        devices=devices,
        # Parts of a system may rest in some stage of a curriculum.
        strategy="ddp_find_unused_parameters_true" if devices > 1 else "auto",
        precision=recipe.precision,
        logger=_loggers(output, steps_done(output)),
        callbacks=[*callbacks, *_callbacks(recipe, output, quiet)],
        enable_progress_bar=not quiet,
        log_every_n_steps=LOG_EVERY,
        enable_model_summary=False,
        gradient_clip_val=clip,
        use_distributed_sampler=False,
    )
    with _quiet_lightning():
        trainer.fit(
            module,
            batches,
            ckpt_path=None if last is None else str(last),
            weights_only=None if last is None else False,
        )
    if trainer.interrupted:
        raise KeyboardInterrupt


def _callbacks(recipe: Recipe, output: Path, quiet: bool) -> list[Callback]:
    bars: list[Callback] = [] if quiet else [_Bar(refresh_rate=LOG_EVERY)]
    return [
        *bars,
        FlushLogs(),
        ModelCheckpoint(
            output / "checkpoints",
            every_n_train_steps=recipe.checkpoint_every,
            save_last=True,
            save_top_k=0,
            save_on_exception=True,
            # In a folder that was moved, the default writes last-v1 and goes on from the old last.
            enable_version_counter=False,
        ),
    ]


class _Bar(TQDMProgressBar):
    """Steps and losses, without a number of the run."""

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
        "Checkpoint directory .* exists and is not empty",  # a resumed run
        "The dirpath has changed from",  # a resumed run whose folder was moved
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
