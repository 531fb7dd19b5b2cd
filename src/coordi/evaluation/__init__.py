"""Measuring: rankings, metrics over them, and reports that say what they are of."""

from coordi.evaluation.metrics import bootstrap_interval, hits_at, neighbour_hits

__all__ = ["bootstrap_interval", "hits_at", "neighbour_hits"]
