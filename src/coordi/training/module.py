"""One optimiser step of any system; everything random in it is a function of seed and step."""

from collections.abc import Iterator, Sequence
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from coordi.objectives.grad_cache import cached_backward, outside_autocast
from coordi.training.material import Material
from coordi.training.net import Net
from coordi.training.recipe import Recipe
from coordi.training.stopping import require_finite
from coordi.training.trainer import LOG_EVERY


class Batches(IterableDataset[list[Any]]):
    """This device's batches: number n is the same whenever, and in whichever process, it is made.

    They come in stretches: lists of what is learned from before anybody looks at the weights. Of
    `world` devices, device `rank` takes batches rank, rank + world, …; of several loading processes
    each takes its turn, so that their number changes nothing.
    """

    def __init__(
        self,
        material: Material,
        recipe: Recipe,
        start: int = 0,
        *,
        rank: int = 0,
        world: int = 1,
        looks: Sequence[int] = (1,),
    ) -> None:
        """`start` steps are done already; somebody looks after all multiples of `looks`."""
        super().__init__()
        self.material, self.rank, self.world, self.looks = material, rank, world, looks
        self.accumulate, self.start = recipe.accumulate, start * recipe.accumulate
        self.count = recipe.total_steps * recipe.accumulate

    def __iter__(self) -> Iterator[list[Any]]:
        worker = get_worker_info()
        if worker is not None:
            for number in range(self.start + worker.id, self.count, worker.num_workers):
                yield [self.batch(number)]
            return
        number = self.start
        while number < self.count:
            end = min(self.count, number + self._until_a_look(number))
            yield [self.batch(n) for n in range(number, end)]
            number = end

    def _until_a_look(self, number: int) -> int:
        """Batches from `number` on until the next step after which somebody looks."""
        if self.looks == (1,):
            return 1
        step = number // self.accumulate
        return min(look - step % look for look in self.looks) * self.accumulate

    def batch(self, number: int) -> Any:
        """The batch that this device sees as its `number`-th."""
        return self.material.batch(number * self.world + self.rank, number // self.accumulate)


class Module(lightning.LightningModule):
    """Binds a net, its material and its recipe to Lightning."""

    def __init__(self, recipe: Recipe, net: Net, material: Material, start: int) -> None:
        """`start` is the number of optimiser steps that are already done."""
        super().__init__()
        self.automatic_optimization = False
        self.recipe, self.net, self.material = recipe, net, material
        self.start, self.gathered = start, 0
        self.steps = recipe.total_steps
        self.parts: dict[str, Tensor] = {}
        self.stage, self.since = recipe.stage_at(start)
        """The stage that the weights are set for, and its first step."""
        self.learning = [(f"net.{name}", weight) for name, weight in net.named_parameters()]
        """Walked through once: a step of a small head takes a few milliseconds."""
        self.rates: list[str] = []
        """Which rate of a stage each parameter group follows."""

    def train_dataloader(self) -> DataLoader[Any]:
        """This device's batches from `start` on."""
        rank, world = self.trainer.global_rank, self.trainer.world_size
        batches = Batches(
            self.material, self.recipe, self.start, rank=rank, world=world, looks=self._looks()
        )
        return DataLoader(
            batches, batch_size=None, num_workers=self.recipe.workers, collate_fn=_as_it_is
        )

    def _looks(self) -> tuple[int, ...]:
        """After multiples of which steps something happens beside learning.

        On cached features a step is so short that what Lightning does around it would cost a
        tenth of it: steps go through in stretches. With a backbone each goes through on its own.
        """
        if self.net.backbone is not None or self.trainer.world_size > 1:
            return (1,)
        every = self.recipe.validate_every or 10 * LOG_EVERY
        return (LOG_EVERY, every, self.recipe.checkpoint_every)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; vectors and scalars (biases, temperatures) decay only where the recipe says so."""
        backbone = self.net.backbone
        trunk = [p for block in self.net.system.inherited() for p in block.parameters()]
        theirs = {id(p) for p in trunk}
        own = [p for p in self.net.system.parameters() if id(p) not in theirs]
        if backbone is not None:
            trunk += backbone.parameters()
        groups = [
            ({"params": params, "weight_decay": self.recipe.weight_decay * decays}, rate)
            for weights, rate in ((own, "lr"), (trunk, "backbone_lr"))
            for params, decays in (
                ([p for p in weights if p.ndim > 1], True),
                ([p for p in weights if p.ndim <= 1], self.recipe.decay_vectors),
            )
            if params
        ]
        self.rates = [rate for _, rate in groups]
        # Of a small head the optimiser is a third of the step; below a backbone it is nothing, and
        # the plain one made coordi-mini, to the last bit.
        fused = self.net.backbone is None
        return torch.optim.AdamW([group for group, _ in groups], lr=0.0, fused=fused)

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """Nothing to do where the batch is there already, which Lightning takes long to see."""
        if device.type == "cpu":
            return batch
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def training_step(self, stretch: Sequence[Any], _: int) -> None:
        """Learn from some batches, one after the other."""
        for batch in stretch:
            self._learn(batch)

    def _learn(self, batch: Any) -> None:
        """Gradients of one batch, and an optimiser step once enough batches are gathered."""
        at_step = self.trainer.global_step
        if at_step in {self.start, self.since + self.stage.steps}:
            self._enter(at_step)
        self._seed(at_step * self.recipe.accumulate + self.gathered)
        self._backward(batch, at_step / self.steps)
        self.gathered = (self.gathered + 1) % self.recipe.accumulate
        if self.gathered == 0:
            self._update(at_step)

    def _enter(self, step: int) -> None:
        """Freeze what the step's stage freezes; a resumed run finds its stage by the step."""
        self.stage, self.since = self.recipe.stage_at(step)
        backbone = self.net.backbone
        blocks = self.net.system.inherited() if backbone is None else backbone.blocks()
        for number, block in enumerate(blocks):
            trains = self.stage.backbone_lr > 0 and number >= self.stage.frozen_blocks
            block.requires_grad_(trains)

    def _seed(self, number: int) -> None:
        drawn = number * self.trainer.world_size + self.trainer.global_rank
        seed = self.recipe.seed * 1_000_003 + drawn
        # torch.manual_seed also queues a call, with a traceback, for every absent accelerator.
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)
        np.random.seed(seed % 2**32)  # some miners draw from it

    def _backward(self, batch: Any, progress: float) -> None:
        system = self.net.system
        mixed = system.mixed and self.recipe.precision == "bf16-mixed"

        def loss_of(features: Tensor) -> Tensor:
            # In float32: a temperature of 0.05 makes whole logits of bfloat16's last digits.
            with torch.autocast(features.device.type, dtype=torch.bfloat16, enabled=mixed):
                parts = system.losses(features.float(), batch, progress)
            self.parts = {name: part.detach() for name, part in parts.items()}
            return torch.stack(list(parts.values())).sum() / self.recipe.accumulate

        if not self.recipe.grad_cache_chunk:
            loss = loss_of(self.net.features(batch.inputs))
            with outside_autocast(loss):
                if self.trainer.world_size > 1:
                    self.manual_backward(loss)
                else:  # nobody listens to what Lightning does around it, which takes time
                    loss.backward()  # type: ignore[no-untyped-call]
            return
        cached_backward(self.net.features, batch.inputs, loss_of, self.recipe.grad_cache_chunk)
        if self.trainer.world_size > 1 and self.gathered + 1 == self.recipe.accumulate:
            self._average_gradients()

    def _average_gradients(self) -> None:
        """What DDP does on its own for a backward pass that it sees."""
        for parameter in self.net.parameters():
            if parameter.grad is not None:
                parameter.grad = self.trainer.strategy.reduce(parameter.grad, reduce_op="mean")

    def _update(self, at_step: int) -> None:
        optimizer: Any = self.optimizers()
        share = self.stage.rate(at_step - self.since)
        for group, rate in zip(optimizer.param_groups, self.rates, strict=True):
            group["lr"] = getattr(self.stage, rate) * share
        norm = require_finite(self.learning, self.parts, at_step + 1, self.trainer)
        if self.recipe.clip:
            weights = [parameter for _, parameter in self.learning]
            nn.utils.clip_grads_with_norm_(weights, self.recipe.clip, norm)
        self._step(optimizer)
        optimizer.zero_grad()
        if (at_step + 1) % LOG_EVERY == 0:
            self._log(at_step + 1)

    def _step(self, optimizer: Any) -> None:
        if self.trainer.world_size > 1:
            optimizer.step()
            return
        # What Lightning does around a step, but for counting it, is for strategies that we lack,
        # and takes a twentieth of a small head's step.
        optimizer._on_before_step()
        optimizer.optimizer.step()
        optimizer._on_after_step()

    def _log(self, step: int) -> None:
        values = {name: float(part) for name, part in self.parts.items()}
        values["loss"] = sum(values.values())
        self.log("loss", values["loss"], prog_bar=True, logger=False)
        for logger in self.loggers:
            logger.log_metrics(values, step)


def _as_it_is(stretch: list[Any]) -> list[Any]:
    """Batches are tensors already, and stay in the list that they come in."""
    return stretch
