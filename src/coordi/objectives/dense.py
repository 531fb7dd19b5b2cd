"""InfoNCE and lifted structure over a B × B matrix.

pytorch-metric-learning computes both over positive pairs × negative pairs: with 256 rows, four
of each label, that is 768 × 64,512 numbers, and with 4,096 rows it fits no machine. The values
here are the library's (the tests compare them) in memory that grows with B², and for InfoNCE
with B alone beyond a few thousand rows.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from coordi.errors import InputError
from coordi.objectives.distances import safe_sqrt, squared_distances, zero_with_graph

Indices = tuple[Tensor, ...]
"""What a miner returns: (anchors, positives, negatives), or (anchors, positives, anchors,
negatives) where positive and negative pairs are picked apart."""

Masks = Callable[[slice], tuple[Tensor, Tensor]]
"""Rows of the batch → which of their pairs (rows, R) are positive, and which negative."""

BLOCK_PAIRS = 1 << 20
"""Pairs of one block of anchors; a batch of more is taken block by block, each computed anew in
the backward pass. 4 MiB a buffer in float32."""


class InfoNCELoss(nn.Module):
    """NT-Xent (Sohn 2016; van den Oord et al. 2018; Chen et al. 2020) with labels.

    Mean over positive pairs (a, p) of −log[ e^{s_ap/τ} / (e^{s_ap/τ} + Σ_n e^{s_an/τ}) ], n over
    the rows with another label: other positives of the anchor are not in the denominator.
    """

    def __init__(self, temperature: float = 0.07) -> None:
        """`temperature` τ > 0."""
        super().__init__()
        self.temperature = temperature

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        indices_tuple: Indices | None = None,
        ref_emb: Tensor | None = None,
        ref_labels: Tensor | None = None,
    ) -> Tensor:
        """Loss of rows (B, d) with labels (B,), against (R, d) with (R,) where they are given."""
        others = embeddings if ref_emb is None else ref_emb
        masks = pair_masks(labels, indices_tuple, ref_labels, len(others))
        left, right = functional.normalize(embeddings), functional.normalize(others)
        size = max(1, BLOCK_PAIRS // len(right))
        total, count = zero_with_graph(embeddings), 0
        for start in range(0, len(left), size):
            rows = slice(start, start + size)
            found = int(masks(rows)[0].sum())
            if found and size < len(left):
                block = checkpoint(self._block, left[rows], right, masks, rows, use_reentrant=False)
                total = total + block
            elif found:
                total = total + self._block(left, right, masks, rows)
            count += found
        return total / max(1, count)

    def _block(self, left: Tensor, right: Tensor, masks: Masks, rows: slice) -> Tensor:
        """Sum over the positive pairs whose anchor is in `left`."""
        positive, negative = masks(rows)
        logits = left @ right.T / self.temperature
        against = logits.masked_fill(~negative, torch.finfo(logits.dtype).min)
        # −log [e^s / (e^s + e^z)] = softplus(z − s) with z = log Σ_n e^{s_n}.
        anchor, other = torch.where(positive)
        return functional.softplus(against.logsumexp(1)[anchor] - logits[anchor, other]).sum()


class LiftedStructureLoss(nn.Module):
    """Lifted structured embedding (Oh Song et al. 2016, equation 4).

    Mean over positive pairs of ½·max(0, d_ap + log Σ e^{m − d_an} + e^{m − d_pn})², d Euclidean
    between unit rows; the sum is over the negatives of both ends of the pair.
    """

    def __init__(self, margin: float = 1.0) -> None:
        """`margin` m in distance, which is 0 to 2 between unit rows."""
        super().__init__()
        self.margin = margin

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        indices_tuple: Indices | None = None,
        ref_emb: Tensor | None = None,
        ref_labels: Tensor | None = None,
    ) -> Tensor:
        """Loss of rows (B, d) with labels (B,); a second set of rows has no meaning here."""
        if ref_emb is not None or ref_labels is not None:
            raise InputError("lifted-structure compares a batch with itself: leave ref_emb out")
        masks = pair_masks(labels, indices_tuple, None, len(labels))
        positive, negative = masks(slice(None))
        if not positive.any() or not negative.any():
            return zero_with_graph(embeddings)
        rows = functional.normalize(embeddings)
        distances = safe_sqrt(squared_distances(rows, rows))
        least = torch.finfo(distances.dtype).min
        pressure = (self.margin - distances).masked_fill(~negative, least).logsumexp(1)  # (B,)
        anchor, other = torch.where(positive)
        both = torch.logaddexp(pressure[anchor], pressure[other])
        return functional.relu(both + distances[anchor, other]).square().mean() / 2


def pair_masks(
    labels: Tensor, indices: Indices | None, ref_labels: Tensor | None, others: int
) -> Masks:
    """Which pairs with `others` rows are positive and which negative: all, or a miner's."""
    if indices is not None:
        positive, negative = _mined(len(labels), others, indices)
        return lambda rows: (positive[rows], negative[rows])

    def by_label(rows: slice) -> tuple[Tensor, Tensor]:
        same = labels[rows, None] == (labels if ref_labels is None else ref_labels)[None, :]
        if ref_labels is not None:
            return same, ~same
        positions = torch.arange(len(labels), device=labels.device)
        return same & (positions[rows, None] != positions[None, :]), ~same

    return by_label


def _mined(rows: int, others: int, indices: Indices) -> tuple[Tensor, Tensor]:
    """The pairs of a miner as two masks (rows, others)."""
    anchor, positive, anchor_of_negative, negative = (
        indices if len(indices) == 4 else (indices[0], indices[1], indices[0], indices[2])
    )
    masks = torch.zeros(2, rows, others, dtype=torch.bool, device=anchor.device)
    masks[0, anchor, positive] = True
    masks[1, anchor_of_negative, negative] = True
    return masks[0], masks[1]
