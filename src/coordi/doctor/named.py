"""What may be named as a dataset besides files: collections, and benchmarks."""

from collections.abc import Callable
from glob import has_magic
from pathlib import Path

from coordi.data.collection import Collection
from coordi.data.specs import COLLECTIONS, CollectionSpec, load_spec
from coordi.drawn.collections import load_collection
from coordi.errors import NotFoundError, UnknownNameError


def find_dataset(
    name: str, root: Path, *, cache: Path, say: Callable[[str], None]
) -> str | Collection:
    """The collection of a name or of a YAML file; anything that may be a file comes back as it is.

    A benchmark goes by the name of its reader, with its folder as `root`. Drawn views are kept in
    `cache`. Raises `NotFoundError` for a name that is neither.
    """
    spec = _spec(name)
    if spec is None:
        return name
    try:
        return load_collection(spec, root, cache=cache, say=say)
    except UnknownNameError as error:
        raise NotFoundError(
            f"{name} is no file or folder here, and no dataset goes by that name. "
            f"Collections: {', '.join(COLLECTIONS)}. Benchmarks and other kinds: {error}"
        ) from error


def _spec(name: str) -> CollectionSpec | None:
    """The collection that a name asks for, None where it is that of files or a hub dataset."""
    path = Path(name).expanduser()
    if path.suffix in {".yaml", ".yml"} or (name in COLLECTIONS and not path.exists()):
        return load_spec(path if path.suffix else name)
    if path.exists() or has_magic(name) or path.suffix or "/" in name or name.startswith("hf:"):
        return None
    return CollectionSpec(name=name, kind=name, path=".")
