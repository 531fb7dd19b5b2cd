"""Street-to-shop and similarity systems, one file each, named as the field names them."""

from torch import nn

from coordi.models.retrieval.system import (
    EmbeddingSystem,
    LabelSizes,
    RerankingSystem,
    SystemSettings,
)

SYSTEMS: dict[str, type[nn.Module]] = {}
"""System name → its class; `Settings` of the class says what a recipe may set under `model`."""

__all__ = ["SYSTEMS", "EmbeddingSystem", "LabelSizes", "RerankingSystem", "SystemSettings"]
