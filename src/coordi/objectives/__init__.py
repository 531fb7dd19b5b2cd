"""Losses: tensors in, scalar out, never a model."""

from coordi.objectives.alignment import MultiLevelAlignmentLoss
from coordi.objectives.cross_triplet import BidirectionalCrossTripletLoss, CrossDomainTripletLoss
from coordi.objectives.grad_cache import cached_backward
from coordi.objectives.matryoshka import matryoshka
from coordi.objectives.robust_contrastive import RobustContrastiveLoss
from coordi.objectives.sigmoid import SigmoidLoss
from coordi.objectives.t_distributed import TDistributedTripletLoss

__all__ = [
    "BidirectionalCrossTripletLoss",
    "CrossDomainTripletLoss",
    "MultiLevelAlignmentLoss",
    "RobustContrastiveLoss",
    "SigmoidLoss",
    "TDistributedTripletLoss",
    "cached_backward",
    "matryoshka",
]
