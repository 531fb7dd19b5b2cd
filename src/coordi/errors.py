"""Every error that coordi raises on purpose; each message says what is wrong and what to do.

CoordiError
├── InputError            something the caller gave cannot be used
│   ├── CatalogError      a catalogue cannot be read at all
│   ├── MappingError      a column mapping names a missing column or an unknown role
│   ├── ImageError        bytes that are not a usable image
│   ├── FilterError       a filter expression that does not parse or names no field
│   ├── QueryError        a query that asks for nothing, or for something impossible
│   ├── RecipeError       a training recipe that does not validate
│   └── UnknownNameError  a name that is in no table; the message lists the known ones
├── NotFoundError         an item, store, or file that is not there
├── EncoderError          an encoder cannot be opened or run
│   └── FingerprintError  vectors of one encoder were asked about with another
├── StoreError            the store on disk cannot be opened, read or written
│   ├── StoreLockedError  another process is writing
│   └── StoreDamagedError what the store's files hold is not what was written
├── BusyError             too much is asked at once; the same request may go through soon
└── MissingExtraError     an optional package is needed; the message is its install command
"""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module


def one_line(error: Exception) -> str:
    """What an error says, in one line; its kind where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


class CoordiError(Exception):
    """Base of all errors that coordi raises on purpose."""


class InputError(CoordiError):
    """Something the caller gave cannot be used."""


class CatalogError(InputError):
    """A catalogue cannot be read at all (one bad row is a `Problem`, not an error)."""


class MappingError(InputError):
    """A column mapping names a column that is not there, or a role that does not exist."""


class ImageError(InputError):
    """Bytes that are not an image coordi can use."""


class FilterError(InputError):
    """A filter expression that does not parse, or names a field that no item has."""


class QueryError(InputError):
    """A query that asks for nothing, or for something impossible."""


class RecipeError(InputError):
    """A training recipe that does not validate."""


class UnknownNameError(InputError):
    """A name that stands in no table of names."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """State what `kind` of thing `name` is not, the nearest known name, and all of them."""
        names = sorted(known)
        near = get_close_matches(name, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        super().__init__(f"unknown {kind} {name!r}.{hint} Known: {', '.join(names) or 'none'}.")


class NotFoundError(CoordiError):
    """An item, a store or a file that is not there."""


class EncoderError(CoordiError):
    """An encoder cannot be opened or run."""


class FingerprintError(EncoderError):
    """Vectors that one encoder made were asked about with another encoder."""


class StoreError(CoordiError):
    """The store on disk cannot be opened, read or written."""


class StoreLockedError(StoreError):
    """Another process is writing to the store."""


class StoreDamagedError(StoreError):
    """What the store's files hold is not what was written into them."""


class BusyError(CoordiError):
    """Too much is asked at once; the same request may go through in a moment."""


class MissingExtraError(CoordiError):
    """An optional package is needed."""

    def __init__(self, extra: str, package: str) -> None:
        """Give the exact command that installs `package` through coordi's `extra`."""
        super().__init__(f"{package} is not installed. Run: {install_command(extra)}")


def install_command(extra: str) -> str:
    """What to run to get coordi's `extra`."""
    return f"pip install 'coordi[{extra}]'"


def require(extra: str, *packages: str) -> None:
    """Import `packages`, in that order; `MissingExtraError` for the first that is not there."""
    for package in packages:
        try:
            import_module(package)
        except ModuleNotFoundError as error:
            raise MissingExtraError(extra, package) from error
