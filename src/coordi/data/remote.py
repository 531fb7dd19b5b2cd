"""Catalogues and pictures in cloud stores, by what `fsspec` opens: s3://, gs://, memory://."""

import posixpath
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from coordi.artifacts import atomic_file
from coordi.data.images import begins_like_picture, looks_like
from coordi.errors import CatalogError, ImageError, MissingExtraError, NotFoundError, one_line

_S3, _GCS = ("s3", "s3fs"), ("gcs", "gcsfs")
EXTRAS = {"s3": _S3, "s3a": _S3, "gs": _GCS, "gcs": _GCS}
"""Scheme → coordi's extra, and the package that it installs."""

# Not any scheme that fsspec knows: "file:", "ssh:" and chains ("zip::…") would let a catalogue read
# what is none of its business.
_REMOTE = re.compile(rf"(?:{'|'.join([*EXTRAS, 'memory'])})://", re.IGNORECASE)
_SHOWN = 80  # characters of an address that a message repeats
_CHUNK = 1 << 20
_HEAD = 1024


def shown(address: str) -> str:
    """An address as messages repeat it: short, and without a password."""
    scheme, mark, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    text = " ".join(f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}".split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def is_remote(address: str) -> bool:
    """Whether an address is one of a cloud store."""
    return _REMOTE.match(address) is not None and "::" not in address


def beside(catalog: str, name: str) -> str:
    """The address of a picture that a catalogue at an address names by a relative path."""
    scheme, mark, path = catalog.partition("://")
    inside = posixpath.normpath("/" + name.replace("\\", "/"))  # ".." does not lead out
    return f"{scheme}{mark}{posixpath.dirname(path)}{inside}"


def copy_picture(address: str, into: Path, most: int) -> None:
    """Copy a picture into a file; `ImageError` if it is not there, too large or no picture."""
    size = 0
    with into.open("wb") as file:  # its errors are those of this machine
        for chunk in _chunks(address):
            if not size and not begins_like_picture(chunk):
                raise ImageError(f"it is no picture: {looks_like(chunk[:_HEAD])}")
            size += len(chunk)
            if size > most:
                raise ImageError(f"larger than {most >> 20} MiB")
            file.write(chunk)
    if not size:
        raise ImageError("it is empty")


def _chunks(address: str) -> Iterator[bytes]:
    """The bytes of a file in a cloud store; `ImageError` says why they do not come."""
    try:
        with _opened(address) as source:
            while chunk := source.read(_CHUNK):
                yield chunk
    except (MissingExtraError, GeneratorExit):
        raise
    except Exception as error:  # each of fsspec's file systems has errors of its own
        raise ImageError(_why(error)) from error


def copy_catalog(address: str, folder: Path) -> list[Path]:
    """Copy a catalogue, or all that match a glob, into a folder → its files, and no others.

    Raises `NotFoundError` where there is none, `CatalogError` where it cannot be read, and
    `MissingExtraError`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        names = list(_matches(address))
        if not names:
            raise NotFoundError(f"no file matches {address}")
        copies = [_copied(name, folder / _file_name(name, address)) for name in names]
        for former in set(folder.iterdir()) - set(copies):  # no longer there, or half a copy
            former.unlink()
        return copies
    except (NotFoundError, MissingExtraError):
        raise
    except FileNotFoundError:
        raise NotFoundError(f"{address} is not there") from None
    except Exception as error:  # see above
        raise CatalogError(f"{address} cannot be read: {_why(error)}") from error


def _file_name(address: str, pattern: str) -> str:
    """What a copy is called: its path below the last folder that the pattern names outright."""
    path = address.partition("://")[2].strip("/")
    stated = re.split(r"[*?\[]", pattern.partition("://")[2], maxsplit=1)[0].rpartition("/")[0]
    return quote(path.removeprefix(stated.strip("/")).strip("/"), safe=" ")


def _copied(address: str, path: Path) -> Path:
    with _opened(address) as source, atomic_file(path, lasting=False) as file:
        shutil.copyfileobj(source, file, _CHUNK)
    return path


def _matches(address: str) -> Iterator[str]:
    if not any(mark in address for mark in "*?["):
        yield address
        return
    system, _ = _system(address)
    for name in sorted(system.glob(address)):
        yield system.unstrip_protocol(name)


def _opened(address: str) -> IO[bytes]:
    system, path = _system(address)
    opened: IO[bytes] = system.open(path, "rb")
    return opened


def _system(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path within it."""
    from fsspec.core import url_to_fs

    try:
        system, path = url_to_fs(address)
    except ImportError as error:
        extra, package = EXTRAS.get(address.partition("://")[0].lower(), ("", ""))
        if not extra:
            raise
        raise MissingExtraError(extra, package) from error
    return system, path


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "it is not there"
    return one_line(error)[:200]
