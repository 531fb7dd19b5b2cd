"""The losses and miners of the field by name, over pytorch-metric-learning (Musgrave et al. 2020).

Every loss takes unit rows and labels; defaults are those of the papers, and where a paper's do
not fit unit rows the factory's docstring says what was changed.
"""

import inspect
import math
from typing import Any

import torch
from pytorch_metric_learning import distances, losses, miners
from torch import Tensor, nn

from coordi.errors import InputError
from coordi.kinds import Choice
from coordi.objectives.dense import Indices, InfoNCELoss, LiftedStructureLoss
from coordi.objectives.distances import full_precision


def make_loss(chosen: Any, *, dim: int, classes: int) -> "MetricLoss":
    """The loss that is `chosen` of LOSSES, by name or with settings.

    `dim` columns and `classes` labels size the proxies of some. UnknownNameError for an unknown
    name or setting, InputError for an impossible value.
    """
    chosen = LOSSES.read(chosen)
    proxies = "classes" in inspect.signature(LOSSES.makers[chosen.kind]).parameters
    sizes = {"dim": dim, "classes": classes} if proxies else {}
    return MetricLoss(LOSSES.make(chosen, **sizes), classes if proxies else None)


def make_miner(chosen: Any) -> "Miner":
    """The miner that is `chosen` of MINERS; errors as of `make_loss`."""
    return Miner(MINERS.make(MINERS.read(chosen)))


class MetricLoss(nn.Module):
    """A loss of the table, in full precision whatever autocast is on around it.

    Half precision would not only lose digits: the library casts its proxies, in place, to the
    type of the embeddings.
    """

    def __init__(self, loss: nn.Module, classes: int | None) -> None:
        """`classes`: how many labels the loss has proxies for, None where it has none."""
        super().__init__()
        self.loss = loss
        self.classes = classes

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        indices_tuple: Indices | None = None,
        ref_emb: Tensor | None = None,
        ref_labels: Tensor | None = None,
    ) -> Tensor:
        """Scalar loss of rows (B, d) with labels (B,); 0, with a graph, where no pair is found.

        `indices_tuple` is a miner's answer. Positives and negatives come from `ref_emb` (R, d)
        with `ref_labels` (R,) where these are given (not in n-pair, lifted-structure and the
        losses with proxies). InputError for a label that has no proxy.
        """
        if self.classes is not None and ((labels < 0) | (labels >= self.classes)).any():
            raise InputError(
                f"labels must be 0 to {self.classes - 1}: the loss has no more proxies"
            )
        others = _others(ref_emb, ref_labels)
        with torch.autocast(embeddings.device.type, enabled=False):
            value: Tensor = self.loss(full_precision(embeddings), labels, indices_tuple, *others)
        return value


class Miner(nn.Module):
    """A miner of the table, in full precision and without a graph."""

    def __init__(self, miner: nn.Module) -> None:
        super().__init__()
        self.miner = miner

    @torch.no_grad()
    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        ref_emb: Tensor | None = None,
        ref_labels: Tensor | None = None,
    ) -> Indices:
        """Indices into the batch, (anchors, positives, negatives) or the same in two pairs."""
        others = _others(ref_emb, ref_labels)
        with torch.autocast(embeddings.device.type, enabled=False):
            picked: Indices = self.miner(full_precision(embeddings), labels, *others)
        return picked


def contrastive(*, margin: float = 1.0) -> nn.Module:
    """Contrastive (Hadsell et al. 2006) with plain distances: d⁺, and max(0, margin − d⁻).

    The paper squares both. Each mean is over its terms above zero.
    """
    return _as_module(losses.ContrastiveLoss(pos_margin=0.0, neg_margin=margin))


def triplet(*, margin: float = 0.2) -> nn.Module:
    """Triplet (FaceNet, Schroff et al. 2015): max(0, d²(a, p) − d²(a, n) + margin).

    All triplets (or a miner's), averaged over those above zero. Without a miner, memory grows
    with B³: use one beyond some 500 rows.
    """
    return _as_module(losses.TripletMarginLoss(margin=margin, distance=_squared()))


def n_pair(*, scale: float = 10.0) -> nn.Module:
    """N-pair (Sohn 2016): one pair per label, softmax over the other labels' positives.

    The paper leaves lengths free since products of unit rows are too small for a softmax; here
    rows are unit and `scale` (our choice) multiplies the products. Only the first two rows of
    a label take part.
    """
    return _as_module(losses.NPairsLoss(distance=_ScaledCosine(scale)))


def multi_similarity(*, alpha: float = 2.0, beta: float = 50.0, base: float = 0.5) -> nn.Module:
    """Multi-similarity (Wang et al. 2019, equation 15); `base` is its λ.

    Base 0.5 is that of the authors' code; the paper's text says 1.
    """
    return _as_module(losses.MultiSimilarityLoss(alpha=alpha, beta=beta, base=base))


def supcon(*, temperature: float = 0.1) -> nn.Module:
    """Supervised contrastive (Khosla et al. 2020, L_out), mean over anchors with a positive."""
    return _as_module(losses.SupConLoss(temperature=temperature))


def arcface(*, dim: int, classes: int, margin: float = 0.5, scale: float = 64.0) -> nn.Module:
    """ArcFace (Deng et al. 2019): additive angular margin in radians, softmax at `scale`."""
    degrees = math.degrees(margin)
    return _as_module(_SafeArcFace(classes, dim, margin=degrees, scale=scale))


def proxy_anchor(*, dim: int, classes: int, margin: float = 0.1, alpha: float = 32.0) -> nn.Module:
    """Proxy-Anchor (Kim et al. 2020, equation 4).

    The paper trains its proxies at 100 times the learning rate of the network.
    """
    return _as_module(losses.ProxyAnchorLoss(classes, dim, margin=margin, alpha=alpha))


def _bounds(setting: str) -> dict[str, float]:
    """What a loss divides by, or what switches it off at zero, is above zero; all else is ≥ 0."""
    if setting == "share":
        return {"gt": 0, "le": 1}
    return {"gt" if setting in {"alpha", "beta", "scale", "temperature"} else "ge": 0}


LOSSES = Choice(
    "loss",
    {
        "arcface": arcface,
        "contrastive": contrastive,
        "infonce": InfoNCELoss,
        "lifted-structure": LiftedStructureLoss,
        "multi-similarity": multi_similarity,
        "n-pair": n_pair,
        "proxy-anchor": proxy_anchor,
        "supcon": supcon,
        "triplet": triplet,
    },
    _bounds,
)
"""Losses by name, as `make_loss` and recipes take them."""


def batch_hard() -> nn.Module:
    """Farthest positive and nearest negative of each anchor (Hermans et al. 2017)."""
    return _as_module(miners.BatchHardMiner())


def easy_positive() -> nn.Module:
    """Nearest positive, and the nearest negative beyond it (Xuan et al. 2020)."""
    return _as_module(miners.BatchEasyHardMiner())


def violating(*, margin: float = 0.2) -> nn.Module:
    """All triplets with d²(a, n) ≤ d²(a, p) + margin."""
    return _triplet_miner(margin, "all")


def semihard(*, margin: float = 0.2) -> nn.Module:
    """Triplets with d²(a, p) < d²(a, n) ≤ d²(a, p) + margin (FaceNet, Schroff et al. 2015)."""
    return _triplet_miner(margin, "semihard")


def hard(*, margin: float = 0.2) -> nn.Module:
    """Triplets whose negative is nearer than their positive."""
    return _triplet_miner(margin, "hard")


def distance_weighted(*, cutoff: float = 0.5, nonzero_loss_cutoff: float = 1.4) -> nn.Module:
    """Random triplets, negatives drawn evenly over distance (Wu et al. 2017, section 4)."""
    return _as_module(
        miners.DistanceWeightedMiner(cutoff=cutoff, nonzero_loss_cutoff=nonzero_loss_cutoff)
    )


def multi_similarity_pairs(*, epsilon: float = 0.1) -> nn.Module:
    """Pairs that are less right than the anchor's worst other kind (Wang et al. 2019, sec. 3)."""
    return _as_module(miners.MultiSimilarityMiner(epsilon=epsilon))


def angular(*, angle: float = 20.0) -> nn.Module:
    """Triplets whose angle at the negative is above `angle` degrees (Wang et al. 2017)."""
    return _as_module(miners.AngularMiner(angle=angle))


def pair_margin(*, pos_margin: float = 0.2, neg_margin: float = 0.8) -> nn.Module:
    """Positive pairs farther than `pos_margin`, negative pairs nearer than `neg_margin`."""
    return _as_module(miners.PairMarginMiner(pos_margin=pos_margin, neg_margin=neg_margin))


def hard_share(*, share: float = 0.5) -> nn.Module:
    """The hardest `share` of positive and of negative pairs (Yuan et al. 2017, HDC)."""
    return _as_module(miners.HDCMiner(filter_percentage=share))


MINERS = Choice(
    "miner",
    {
        "angular": angular,
        "batch-hard": batch_hard,
        "distance-weighted": distance_weighted,
        "easy-positive": easy_positive,
        "hard": hard,
        "hard-share": hard_share,
        "multi-similarity": multi_similarity_pairs,
        "pair-margin": pair_margin,
        "semihard": semihard,
        "violating": violating,
    },
    _bounds,
)
"""Miners by name, as `make_miner` and recipes take them."""


class _SafeArcFace(losses.ArcFaceLoss):  # type: ignore[misc]
    """ArcFace whose angle stays off 0 and π, where the slope of arccos is infinite."""

    def get_angles(self, cosine: Tensor) -> Tensor:
        edge = 1 - torch.finfo(cosine.dtype).eps
        return torch.acos(cosine.clamp(-edge, edge))


class _ScaledCosine(distances.CosineSimilarity):  # type: ignore[misc]
    """Cosine similarity times a constant, for a softmax over unit rows."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def compute_mat(self, query_emb: Tensor, ref_emb: Tensor) -> Tensor:
        return self.scale * query_emb @ ref_emb.T


def _others(rows: Tensor | None, labels: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    """The other rows as the library needs them.

    It takes `ref_labels is labels` for "the batch itself" and leaves out the pairs (i, i), which
    between two towers are the true ones: so it gets a tensor that is another object.
    """
    if (rows is None) != (labels is None):
        raise InputError("ref_emb and ref_labels go together: give both or neither")
    if rows is None or labels is None:
        return None, None
    return full_precision(rows), labels.view_as(labels)


def _squared() -> Any:
    """Squared Euclidean distance between unit rows."""
    return distances.LpDistance(power=2)


def _triplet_miner(margin: float, kind: str) -> nn.Module:
    return _as_module(
        miners.TripletMarginMiner(margin=margin, type_of_triplets=kind, distance=_squared())
    )


def _as_module(thing: Any) -> nn.Module:
    """The library has no types; all that it makes here are modules."""
    module: nn.Module = thing
    return module
