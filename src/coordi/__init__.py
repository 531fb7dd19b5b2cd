"""coordi: fashion metric learning from one catalogue.

The names of `__all__` are public. Each is imported when it is first asked for, so that
`import coordi` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from coordi import errors as errors
from coordi.errors import CoordiError as CoordiError
from coordi.version import __version__ as __version__

if TYPE_CHECKING:  # what `_NAMES` says, for those who read types; a test compares the two
    from coordi.data.catalog import Catalog as Catalog
    from coordi.data.catalog import open_catalog as open_catalog
    from coordi.data.collection import Collection as Collection
    from coordi.data.specs import load_spec as load_spec
    from coordi.drawn import write_wardrobe as write_wardrobe
    from coordi.drawn.collections import load_collection as load_collection
    from coordi.engine import Engine as Engine
    from coordi.engine import IngestReport as IngestReport
    from coordi.evaluation.report import Report as Report
    from coordi.evaluation.run import evaluate as evaluate
    from coordi.models.encoders import EncoderInfo as EncoderInfo
    from coordi.models.encoders import list_encoders as list_encoders
    from coordi.models.opening import open_encoder as open_encoder
    from coordi.models.opening import open_system as open_system
    from coordi.models.reranking import open_reranker as open_reranker
    from coordi.serve import create_app as create_app
    from coordi.store import open_store as open_store
    from coordi.types import Answer as Answer
    from coordi.types import Encoder as Encoder
    from coordi.types import Hit as Hit
    from coordi.types import ImageRef as ImageRef
    from coordi.types import Item as Item
    from coordi.types import Origin as Origin
    from coordi.types import Photo as Photo
    from coordi.types import Problem as Problem
    from coordi.types import Query as Query
    from coordi.types import Reranker as Reranker


_NAMES = {
    "data.catalog": ("Catalog", "open_catalog"),
    "data.collection": ("Collection",),
    "data.specs": ("load_spec",),
    "drawn": ("write_wardrobe",),
    "drawn.collections": ("load_collection",),
    "engine": ("Engine", "IngestReport"),
    "evaluation.report": ("Report",),
    "evaluation.run": ("evaluate",),
    "models.encoders": ("EncoderInfo", "list_encoders"),
    "models.opening": ("open_encoder", "open_system"),
    "models.reranking": ("open_reranker",),
    "serve": ("create_app",),
    "store": ("open_store",),
    "types": (
        "Answer", "Encoder", "Hit", "ImageRef", "Item", "Origin", "Photo", "Problem", "Query",
        "Reranker",
    ),
}  # fmt: skip
"""Module → what of it is public."""

_HOMES = {name: f"coordi.{module}" for module, names in _NAMES.items() for name in names}

__all__ = sorted({*_HOMES, "CoordiError", "errors"})

if not TYPE_CHECKING:  # else any name would pass for one of ours

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'coordi' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
