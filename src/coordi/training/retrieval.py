"""The module that binds a retrieval system, its step and its photos to Lightning."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from coordi.data.collection import PhotoRows
from coordi.models.batches import PhotoBatch
from coordi.models.encoders.backbone import Backbone
from coordi.models.system import EmbeddingSystem, RerankingSystem, System
from coordi.objectives.grad_cache import cached_backward
from coordi.ranking.metrics import recall_at_1
from coordi.training.batches import PhotoBatches
from coordi.training.material import Material
from coordi.training.retrieval_recipe import RetrievalRecipe
from coordi.training.stopping import require_finite, require_finite_weights
from coordi.training.trainer import LOG_EVERY
from coordi.types import Vectors

_CHUNK = 256
"""Photos that pass the backbone at once when nothing is learned."""

_PROBE = 512
"""Photos on which the collapse monitor looks."""


class Net(nn.Module):
    """All that learns, and all that is kept: the system, and the backbone where there is one."""

    def __init__(self, system: System, backbone: Backbone | None) -> None:
        super().__init__()
        self.system = system
        self.backbone = backbone

    def features(self, inputs: Tensor) -> Tensor:
        """Inputs of a batch → features (B, D)."""
        return inputs if self.backbone is None else self.backbone(inputs)


class RetrievalModule(lightning.LightningModule):
    """One optimiser step of any system; everything random in it is a function of seed and step."""

    def __init__(self, recipe: RetrievalRecipe, net: Net, material: Material, start: int) -> None:
        """`start` is the number of optimiser steps that are already done."""
        super().__init__()
        self.automatic_optimization = False
        self.recipe, self.net, self.material = recipe, net, material
        self.start, self.gathered = start, 0
        self.parts: dict[str, Tensor] = {}

    def train_dataloader(self) -> DataLoader[PhotoBatch]:
        """This device's batches from `start` on."""
        material, recipe = self.material, self.recipe
        batches = PhotoBatches(
            material.inputs,
            material.labels,
            material.sampler,
            recipe.steps * recipe.accumulate,
            start=self.start * recipe.accumulate,
            rank=self.trainer.global_rank,
            world=self.trainer.world_size,
        )
        return DataLoader(batches, batch_size=None, num_workers=recipe.workers)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; vectors and scalars (biases, temperatures) are not decayed."""
        recipe = self.recipe
        groups = [(self.net.system, recipe.lr), (self.net.backbone, recipe.backbone_lr)]
        split = [
            {"params": params, "peak": peak, "weight_decay": decay}
            for module, peak in groups
            if module is not None
            for params, decay in (
                ([p for p in module.parameters() if p.ndim > 1], recipe.weight_decay),
                ([p for p in module.parameters() if p.ndim <= 1], 0.0),
            )
            if params
        ]
        return torch.optim.AdamW(split, lr=recipe.lr, fused=True)

    def transfer_batch_to_device(
        self, batch: PhotoBatch, device: torch.device, dataloader_idx: int
    ) -> PhotoBatch:
        """Nothing to do where the batch is there already, which Lightning takes long to see."""
        if device.type == "cpu":
            return batch
        moved: PhotoBatch = super().transfer_batch_to_device(batch, device, dataloader_idx)
        return moved

    def training_step(self, batch: PhotoBatch, _: int) -> None:
        """Gradients of one batch, and an optimiser step once enough batches are gathered."""
        at_step = self.trainer.global_step
        self._seed(at_step * self.recipe.accumulate + self.gathered)
        self._backward(batch, at_step / self.recipe.steps)
        self.gathered = (self.gathered + 1) % self.recipe.accumulate
        if self.gathered == 0:
            self._update(at_step)

    def _seed(self, number: int) -> None:
        drawn = number * self.trainer.world_size + self.trainer.global_rank
        seed = self.recipe.seed * 1_000_003 + drawn
        # torch.manual_seed also queues a call, with a traceback, for every absent accelerator.
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)
        np.random.seed(seed % 2**32)  # some miners draw from it

    def _backward(self, batch: PhotoBatch, progress: float) -> None:
        def loss_of(features: Tensor) -> Tensor:
            # In float32: a temperature of 0.05 makes whole logits of bfloat16's last digits.
            with torch.autocast(features.device.type, enabled=False):
                parts = self.net.system.losses(features.float(), batch, progress)
                self.parts = {name: part.detach() for name, part in parts.items()}
                return torch.stack(list(parts.values())).sum() / self.recipe.accumulate

        if not self.recipe.grad_cache_chunk:
            self.manual_backward(loss_of(self.net.features(batch.inputs)))
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
        rate = self._rate(at_step)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        norm = require_finite(self, at_step + 1, self.parts)
        if self.recipe.clip:
            nn.utils.clip_grads_with_norm_(self.net.parameters(), self.recipe.clip, norm)
        optimizer.step()
        optimizer.zero_grad()
        if (at_step + 1) % LOG_EVERY == 0:
            self._log(at_step + 1)

    def _rate(self, at_step: int) -> float:
        """Share of the peak learning rate."""
        warm = min(1.0, (at_step + 1) / max(1, self.recipe.warmup))
        done = at_step / self.recipe.steps
        return warm * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done)))

    def _log(self, step: int) -> None:
        values = {name: float(part) for name, part in self.parts.items()}
        values["loss"] = sum(values.values())
        self.log("loss", values["loss"], prog_bar=True, logger=False)
        for logger in self.loggers:
            logger.log_metrics(values, step)

    @torch.no_grad()
    def features_of(self, rows: PhotoRows) -> Tensor:
        """Features (n, D) of photos as they are, on the CPU."""
        parts = [
            self.net.features(self.material.plain(rows[start : start + _CHUNK]).to(self.device))
            for start in range(0, len(rows), _CHUNK)
        ]
        return torch.cat(parts).float().cpu()

    @torch.no_grad()
    def vectors_of(self, rows: PhotoRows) -> Tensor:
        """Embeddings (n, dim) of photos as they are, on the CPU."""
        system = self.net.system
        assert isinstance(system, EmbeddingSystem)
        street = self.material.labels.street[torch.from_numpy(rows)]
        with _evaluating(self.net):
            features = self.features_of(rows).to(self.device)
            return system.embed(features, street.to(self.device)).float().cpu()

    def probe(self) -> Tensor:
        """Embeddings of a fixed set of training photos."""
        require_finite_weights(self.net, self.trainer.global_step)
        train = self.material.collection.train
        return self.vectors_of(train[:: max(1, len(train) // _PROBE)][:_PROBE])

    def recall_at_1(self) -> float:
        """R@1 on the val trial as the weights stand."""
        require_finite_weights(self.net, self.trainer.global_step)
        collection, readable = self.material.collection, self.material.readable
        assert collection.val is not None
        rows = np.unique(np.concatenate([collection.val.query, collection.val.gallery]))
        rows = rows[readable[rows]]
        reranks = isinstance(self.net.system, RerankingSystem)
        made = self.features_of(rows) if reranks else self.vectors_of(rows)
        table = np.zeros((len(collection.photos), made.shape[1]), np.float32)
        table[rows] = made.numpy()
        return recall_at_1(collection, collection.val, table, self.score_pairs if reranks else None)

    @torch.no_grad()
    def score_pairs(self, query: Vectors, items: Vectors) -> Any:
        """Logits (k,) of one query's features (D,) with those of items (k, D)."""
        system = self.net.system
        assert isinstance(system, RerankingSystem)
        with _evaluating(self.net):
            others = torch.from_numpy(np.ascontiguousarray(items)).to(self.device)
            same = torch.from_numpy(query).to(self.device).expand_as(others)
            return system.score(same, others).float().cpu().numpy()


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """A module in evaluation mode for the length of a block."""
    before = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(before)
