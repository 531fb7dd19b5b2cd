"""A trained model as a folder: written whole or not at all, fingerprinted, fetched and pushed."""

import json
import os
import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from coordi.errors import EncoderError, NotFoundError

_CONTENT = frozenset({".safetensors", ".bin", ".onnx", ".json", ".txt", ".model", ".tflite"})
"""Endings of the files that decide what a model computes; cards and pictures do not."""

_JSON_AND_WORDS = ["*.json", "*.txt", "*.model"]


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `folder` when the block ends without error.

    After an error `folder` is as it was before; a kill leaves at most hidden folders beside it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    draft.mkdir()
    try:
        yield draft
        _take_place(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _take_place(draft: Path, folder: Path) -> None:
    """Rename `draft` to `folder`; what was there goes, or stays where that fails."""
    old = draft.with_name(draft.name + "-old")
    if folder.exists():
        folder.rename(old)
    try:
        draft.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def write_atomically(path: Path, content: str | bytes, *, lasting: bool = True) -> None:
    """Replace `path` by a file that holds `content`; readers see the old file or the new one.

    A failure (a full disk) leaves the old file, and nothing beside it. Half a surrogate pair,
    which a catalogue's JSON may hold and UTF-8 cannot, becomes an escape. A file that is not
    `lasting`, since it can be made again, is not pressed on to the disk, which takes time.
    """
    if isinstance(content, str):
        content = content.encode("utf-8", errors="backslashreplace")
    with atomic_file(path, lasting=lasting) as file:
        file.write(content)


@contextmanager
def atomic_file(path: Path, *, lasting: bool = True) -> Iterator[IO[bytes]]:
    """Yield a file that takes the place of `path` when the block ends without error."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with draft.open("wb") as file:
            yield file
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; {} where there is no such file, `EncoderError` where it is broken."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:  # the latter of lists in lists in lists
        raise EncoderError(f"{path} is not valid JSON ({error}); fetch the file again") from error
    if not isinstance(content, dict):
        raise EncoderError(f"{path} holds no JSON object; fetch the file again")
    return content


def fingerprint(path: Path, *parts: object) -> str:
    """16 hex digits over a model's file, or its folder's weights and configuration, and `parts`.

    The same for a copy elsewhere; other weights, tokenizer, preprocessing or parts change it.
    """
    import xxhash

    total = xxhash.xxh3_128()
    for file in _content_files(path):
        name = file.relative_to(path).as_posix() if path.is_dir() else ""
        total.update(f"{name}\0{checksum(file)}\n".encode())
    total.update("\0".join(map(str, parts)).encode())
    return total.hexdigest()[:16]


def _content_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(
        (p for p in path.rglob("*") if p.suffix in _CONTENT and p.is_file()),
        key=lambda p: p.relative_to(path).as_posix(),
    )


def checksum(file: Path) -> str:
    """XXH3-128 of a file's bytes, in hex, read piece by piece."""
    import xxhash

    state = xxhash.xxh3_128()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 22):
            state.update(chunk)
    return state.hexdigest()


def fetch(name: str) -> Path:
    """Folder of the hub repository "org/name", downloaded on first use and cached from then on.

    Of several weight formats only the one that coordi reads is fetched. Raises `NotFoundError`
    for a repository that is not there, `EncoderError` for one that cannot be reached.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        wanted = weight_patterns(HfApi().list_repo_files(name))
        return Path(snapshot_download(name, allow_patterns=[*_JSON_AND_WORDS, *wanted]))
    except GatedRepoError as error:
        raise EncoderError(
            f"{name} is gated: accept its terms at https://huggingface.co/{name}, "
            "then run `hf auth login`"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise NotFoundError(
            f"there is no repository {name!r} on the Hugging Face hub; give a folder, "
            "the name org/name of a repository, or a built-in name"
        ) from error
    except Exception as error:  # offline, proxy, time-out: each HTTP library has its own
        return _cached(name, error)


def _cached(name: str, cause: Exception) -> Path:
    """Folder of an earlier download."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except Exception as error:
        raise EncoderError(
            f"cannot reach the Hugging Face hub for {name} ({type(cause).__name__}) and it is not "
            f"in the cache. On a machine with network run `hf download {name} --local-dir FOLDER`, "
            "bring the folder here and give its path in place of the name"
        ) from error


def weight_patterns(files: list[str]) -> list[str]:
    """Which weight files of a repository to fetch: ONNX towers, else safetensors, else .bin."""
    for place in ("onnx/", ""):
        towers = [f"{place}{tower}_model.onnx" for tower in ("vision", "text")]
        if any(tower in files for tower in towers):
            beside = [f"{tower}_data" for tower in towers] + ["model.safetensors"] * (place == "")
            return [file for file in towers + beside if file in files]
    safetensors = [f for f in files if "/" not in f and f.endswith(".safetensors")]
    preferred = [f for f in safetensors if f.startswith("model")]
    bins = [f for f in files if "/" not in f and f.startswith("pytorch_model")]
    copied = [f for f in files if f.startswith("encoder/")]  # of a trained system: its own base
    return (preferred or safetensors or bins) + copied


def push(folder: Path, repository: str) -> str:
    """Upload a model folder to the hub repository "org/name" and return its address."""
    from huggingface_hub import HfApi

    if not (folder / "config.json").is_file():
        raise NotFoundError(f"{folder} has no config.json; give the folder of a trained model")
    try:
        HfApi().create_repo(repository, exist_ok=True)
        HfApi().upload_folder(repo_id=repository, folder_path=os.fspath(folder))
    except Exception as error:  # as in fetch
        raise EncoderError(
            f"cannot upload to {repository}: {error}. Check the network and run `hf auth login`"
        ) from error
    return f"https://huggingface.co/{repository}"
