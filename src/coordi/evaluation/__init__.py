"""Measuring: metrics that see rankings only."""

from coordi.evaluation.metrics import bootstrap_interval, hits_at, neighbour_hits

__all__ = ["bootstrap_interval", "hits_at", "neighbour_hits"]
