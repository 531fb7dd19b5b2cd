"""Steps per second of training, against a plain PyTorch loop and another library's trainer.

    python benchmarks/training.py                     # on cached features, and end to end
    python benchmarks/training.py --only cached --threads 1

Cached features: a perceptron (features → 512 → 128) learns with the multi-similarity loss and
AdamW, on batches of `--batch` random feature rows, four of each label. The same model, loss,
optimiser settings, gradient clipping and learning-rate schedule run

- in coordi, through `coordi.training` whole: Lightning, logs, batches that can be resumed;
- in pytorch-metric-learning's own trainer (`MetricLossOnly`, its M-per-class sampler, no loading
  processes, which is its fastest way here);
- in a plain loop over a `DataLoader`, as a script would have it;
- in a tight loop that indexes one tensor and does nothing besides the step: a bound.

They take turns, `--rounds` times, in one process, and the fastest round of each counts. Seconds
are those of the processor, so that other work on the machine does not count. End to end: the
MobileNetV2 tower of coordi-mini learns along at 96 pixels, in float32 and in bfloat16.
"""

import argparse
import contextlib
import io
import json
import logging
import math
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from pytorch_metric_learning import samplers, trainers
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from coordi.data.collection import Collection, Trial
from coordi.data.samplers import Sampler, make_sampler
from coordi.models.batches import LabelSizes
from coordi.models.encoders.backbone import open_backbone
from coordi.models.retrieval.single_tower import SingleTower, SingleTowerSettings
from coordi.training.material.inputs import Inputs
from coordi.training.material.labels import number_labels
from coordi.training.material.photos import Photos, Recipe
from coordi.training.module import Module
from coordi.training.net import Net
from coordi.training.pixels import Pixels
from coordi.training.trainer import train
from coordi.types import ImageRef, Photo

ITEMS, PHOTOS_EACH, PER_CLASS = 2000, 10, 4
LR, DECAY, CLIP, WARMUP = 1e-3, 0.02, 1.0, 50
WARM_STEPS = 20
"""Steps at the start of each run that are not timed."""


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    result: dict[str, Any] = {
        "machine": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "threads": args.threads,
    }
    if args.only != "end-to-end":
        result["cached"] = compare(
            args,
            {
                "coordi": ours_cached,
                "pytorch-metric-learning": theirs,
                "plain loop": plain,
                "tight loop": tight,
            },
        )
    if args.only != "cached":
        args = argparse.Namespace(**vars(args) | {"steps": args.pixel_steps, "batch": 32})
        result["end to end"] = compare(args, {"bf16-mixed": bfloat16, "32-true": float32})
    print(json.dumps(result, indent=2))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--dim", type=int, default=256, help="columns of the features")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--pixel-steps", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=("cached", "end-to-end"))
    return parser.parse_args()


def compare(
    args: argparse.Namespace, ways: dict[str, Callable[[argparse.Namespace], float]]
) -> dict[str, Any]:
    """Steps per second of each way in its best round, and how the first compares."""
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, way in ways.items():
            speeds[name].append(way(args))
    best = {name: max(found) for name, found in speeds.items()}
    first = next(iter(best))
    return {
        "steps per second": {name: round(value, 1) for name, value in best.items()},
        f"{first} is faster by": {
            name: round(best[first] / value, 3) for name, value in best.items() if name != first
        },
        "all rounds": {name: [round(v, 1) for v in found] for name, found in speeds.items()},
    }


def collection() -> Collection:
    photos = tuple(
        Photo(f"p{n}", ImageRef(data=b"x"), str(n // PHOTOS_EACH))
        for n in range(ITEMS * PHOTOS_EACH)
    )
    nobody = np.empty(0, np.int64)
    return Collection("random", photos, np.arange(len(photos)), Trial(nobody, nobody))


def features(dim: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(ITEMS * PHOTOS_EACH, dim, generator=generator)
    return nn.functional.normalize(rows, dim=1)


def model_of(dim: int) -> SingleTower:
    torch.manual_seed(0)
    return SingleTower(dim, LabelSizes(ITEMS, 0, {}), SingleTowerSettings())


def sampler_of(args: argparse.Namespace, photos: Collection) -> Sampler:
    kind = {"kind": "m-per-class", "m": PER_CLASS}
    return make_sampler(kind, photos, photos.train, batch=args.batch, seed=0)


class Clock(Callback):
    """Seconds from the end of the warm-up to the end of the run."""

    def __init__(self) -> None:
        self.marks: list[float] = []

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step in (WARM_STEPS, trainer.max_steps):
            self.marks.append(time.process_time())

    def speed(self, steps: int) -> float:
        return (steps - WARM_STEPS) / (self.marks[-1] - self.marks[0])


def ours(args: argparse.Namespace, net: Net, inputs: Any, plain: Any, **fields: Any) -> float:
    photos = collection()
    sampler = sampler_of(args, photos)
    recipe = Recipe(
        system="single-tower", name="speed", collection="drawn-street", batch=args.batch,
        steps=args.steps, lr=LR, weight_decay=DECAY, clip=CLIP, warmup=WARMUP, validate_every=0,
        model=SingleTowerSettings(), **fields,
    )  # fmt: skip
    there = Inputs(inputs, plain, np.ones(len(photos.photos), np.bool_), net.backbone, (), {})
    material = Photos(there, photos, "item", number_labels(photos), sampler, None, True)
    module = Module(recipe, net, material, 0)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, silence():
        train(module, recipe, Path(folder), quiet=False, callbacks=[clock])
    return clock.speed(args.steps)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Progress bars run, since they cost time too, but nobody sees them."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        yield


def ours_cached(args: argparse.Namespace) -> float:
    rows = features(args.dim)
    inputs = lambda wanted, _=0: rows[torch.from_numpy(wanted)]  # noqa: E731
    return ours(args, Net(model_of(args.dim), None), inputs, inputs)


def theirs(args: argparse.Namespace) -> float:
    model, labels = model_of(args.dim), torch.arange(ITEMS).repeat_interleave(PHOTOS_EACH)
    embedder = Embedder(model)
    optimizer = torch.optim.AdamW(embedder.parameters(), lr=LR, weight_decay=DECAY)
    marks: list[float] = []

    def hook(trainer: Any) -> None:
        if trainer.iteration + 1 in (WARM_STEPS, args.steps):
            marks.append(time.process_time())

    trainer = trainers.MetricLossOnly(
        {"trunk": embedder}, {"trunk_optimizer": optimizer}, args.batch,
        {"metric_loss": model.objective.loss}, TensorDataset(features(args.dim), labels),
        iterations_per_epoch=args.steps, dataloader_num_workers=0,
        sampler=samplers.MPerClassSampler(labels, PER_CLASS, args.batch, args.steps * args.batch),
        lr_schedulers={"trunk_scheduler_by_iteration": schedule(optimizer, args.steps)},
        gradient_clippers={
            "trunk_grad_clipper": lambda: nn.utils.clip_grad_norm_(embedder.parameters(), CLIP)
        },
        end_of_iteration_hook=hook,
    )  # fmt: skip
    with silence():
        trainer.train(num_epochs=1)
    return (args.steps - WARM_STEPS) / (marks[-1] - marks[0])


class Embedder(nn.Module):
    """The system's layers as one module, as that library wants them."""

    def __init__(self, model: SingleTower) -> None:
        super().__init__()
        self.scale, self.layers = model.scale, model.layers

    def forward(self, rows: Tensor) -> Tensor:
        return nn.functional.normalize(self.layers(rows * self.scale), dim=1)


def schedule(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LambdaLR:
    def rate(step: int) -> float:
        warm = min(1.0, (step + 1) / WARMUP)
        return warm * (0.1 + 0.45 * (1 + math.cos(math.pi * step / steps)))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, rate)


def plain(args: argparse.Namespace) -> float:
    labels = torch.arange(ITEMS).repeat_interleave(PHOTOS_EACH)
    sampler = samplers.MPerClassSampler(labels, PER_CLASS, args.batch, args.steps * args.batch)
    dataset = TensorDataset(features(args.dim), labels)
    return loop(args, DataLoader(dataset, batch_size=args.batch, sampler=sampler))


def tight(args: argparse.Namespace) -> float:
    rows, photos = features(args.dim), collection()
    labels = torch.arange(ITEMS).repeat_interleave(PHOTOS_EACH)
    sampler = sampler_of(args, photos)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for step in range(args.steps):
            drawn = torch.from_numpy(sampler.batch(step))
            yield rows[drawn], labels[drawn]

    return loop(args, batches())


def loop(args: argparse.Namespace, batches: Any) -> float:
    model = model_of(args.dim)
    embedder = Embedder(model)
    optimizer = torch.optim.AdamW(embedder.parameters(), lr=LR, weight_decay=DECAY)
    scheduler, start = schedule(optimizer, args.steps), 0.0
    for step, (rows, labels) in enumerate(batches):
        if step == WARM_STEPS:
            start = time.process_time()
        loss = model.objective(embedder(rows), labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(embedder.parameters(), CLIP)
        optimizer.step()
        scheduler.step()
    return (args.steps - WARM_STEPS) / (time.process_time() - start)


def bfloat16(args: argparse.Namespace) -> float:
    return end_to_end(args, "bf16-mixed")


def float32(args: argparse.Namespace) -> float:
    return end_to_end(args, "32-true")


def end_to_end(args: argparse.Namespace, precision: str, size: int = 96) -> float:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (64, 3, size, size), np.uint8)
    place = np.arange(ITEMS * PHOTOS_EACH) % 64
    pixels = Pixels(pictures, place, np.ones(len(place), bool), augment=True, seed=0)
    backbone = open_backbone("coordi-mini", size)
    net = Net(model_of(backbone.config.dim), backbone)
    return ours(args, net, pixels, pixels.plain, features="end-to-end", precision=precision)


if __name__ == "__main__":
    main()
