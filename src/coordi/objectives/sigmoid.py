"""The sigmoid loss of "Sigmoid Loss for Language Image Pre-Training" (Zhai et al. 2023)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class SigmoidLoss(nn.Module):
    """Every image-text pair of a batch is one yes-or-no question.

    −mean over images of Σ_j log σ(z_ij · (κ s_ij + b)), with κ = exp(`log_scale`), both κ and b
    learnable, κ starting at 10 and b at −10 (section 3.2 of the paper). Unlike the paper, z may
    be 0 where nobody knows whether a text is true of an image: such pairs take no part, and
    an image may have several true texts.
    """

    def __init__(self, scale: float = 10.0, bias: float = -10.0) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.bias = nn.Parameter(torch.tensor(bias))

    def forward(self, images: Tensor, texts: Tensor, truth: Tensor | None = None) -> Tensor:
        """Loss of unit rows (N, D) and (M, D), with `truth` (N, M) in {1, 0, −1}.

        Without `truth`, row i of both belongs together and nothing else does.
        """
        if truth is None:
            truth = 2 * torch.eye(len(images), len(texts), device=images.device) - 1
        truth = truth.to(images.dtype)
        logits = self.log_scale.exp() * images @ texts.T + self.bias  # (N, M)
        terms = functional.logsigmoid(truth * logits) * (truth != 0)
        return -terms.sum() / len(images)
