"""All that learns and is kept: a system, and the backbone below it where one learns along."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from coordi.models.encoders.backbone import Backbone
from coordi.models.system import System

_CHUNK = 256
"""Pictures that pass the backbone at once when nothing is learned."""


class Net(nn.Module):
    """A system on the features of a frozen encoder, or of a backbone."""

    def __init__(self, system: System, backbone: Backbone | None) -> None:
        super().__init__()
        self.backbone = backbone
        self.system = system

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def features(self, inputs: Tensor) -> Tensor:
        """Inputs of a batch → features (P, D)."""
        return inputs if self.backbone is None else self.backbone(inputs)

    @torch.no_grad()
    def features_of(self, count: int, inputs: Callable[[slice], Tensor]) -> Tensor:
        """Features (count, D) of pictures that `inputs` gives part by part, on the CPU."""
        parts = [slice(at, min(at + _CHUNK, count)) for at in range(0, count, _CHUNK)]
        rows = [self.features(inputs(part).to(self.device)) for part in parts]
        return torch.cat(rows).float().cpu()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Evaluation mode for the length of a block."""
        before = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(before)
