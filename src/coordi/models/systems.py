"""Every system by name; `coordi recipes` and recipes' `system` list these."""

from coordi.models.finder.finder import Finder
from coordi.models.retrieval.cross_triplet import CrossTriplet
from coordi.models.retrieval.csn import ConditionalSimilarity
from coordi.models.retrieval.darn import Darn
from coordi.models.retrieval.ddan import Ddan
from coordi.models.retrieval.dual import Dual
from coordi.models.retrieval.head import Head
from coordi.models.retrieval.mtct import Mtct
from coordi.models.retrieval.parts import PartsSystem
from coordi.models.retrieval.robust_contrastive import RobustContrastive
from coordi.models.retrieval.single_tower import SingleTower
from coordi.models.retrieval.street2fashion2shop import Street2Fashion2Shop
from coordi.models.retrieval.studio2shop import Studio2Shop
from coordi.models.retrieval.wtbi import WhereToBuyIt
from coordi.models.system import System

SYSTEMS: dict[str, type[System]] = {
    "cross-triplet": CrossTriplet,
    "csn": ConditionalSimilarity,
    "darn": Darn,
    "ddan": Ddan,
    "dual": Dual,
    "finder": Finder,
    "head": Head,
    "mtct": Mtct,
    "parts": PartsSystem,
    "robust-contrastive": RobustContrastive,
    "single-tower": SingleTower,
    "street2fashion2shop": Street2Fashion2Shop,
    "studio2shop": Studio2Shop,
    "wtbi": WhereToBuyIt,
}
"""System name → its class; `Settings` of the class says what a recipe may set under `model`."""
