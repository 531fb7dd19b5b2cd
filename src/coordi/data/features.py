"""Features of photos by a frozen encoder, computed once and kept on disk.

The cache of an encoder is one file of records of equal size: key, vector, checksum. Records are
only ever appended, so that a run that is killed loses the batch at hand and nothing else: what
stands torn at the end of the file is cut off by whoever writes next, and a record whose
checksum fails is as if it were not there.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from filelock import FileLock
from numpy.typing import NDArray

from coordi.data.images import image_hash
from coordi.data.masks import decode_photo, read_photo
from coordi.data.threads import worked
from coordi.errors import EncoderError, ImageError
from coordi.types import Encoder, Origin, Photo, Problem, Vectors

Progress = Callable[[int, int], None]
"""Told how many photos are done, and of how many."""

_BATCH = 64
_THREADS = 4


def photo_features(
    photos: Sequence[Photo],
    encoder: Encoder,
    cache: Path,
    *,
    on_progress: Progress | None = None,
    hashes: dict[str, str] | None = None,
) -> tuple[Vectors, tuple[Problem, ...]]:
    """Encode photos, cropped to their box → unit rows (N, encoder.dim) in the order of `photos`.

    What a photo's mask calls background is white. A photo that is missing or cannot be read is a
    `Problem` and has a row of zeros. Features stand in `cache` under the content of picture and
    mask, the box and the encoder's fingerprint, so that a second call only reads; several processes
    may share the folder. `hashes` is given each photo's id → `image_hash` of its files. Raises
    `EncoderError` where the encoder gives vectors that are not finite.
    """
    kept = FeatureCache(cache, encoder)
    vectors = np.zeros((len(photos), encoder.dim), np.float32)
    problems: list[Problem] = []
    for begin, loaded in _loaded(photos, encoder, kept):
        misses: dict[bytes, NDArray[Any]] = {}
        for offset, (photo_key, value, content) in enumerate(loaded):
            if hashes is not None and content:
                hashes[photos[begin + offset].id] = content
            if isinstance(value, ImageError):
                problems.append(unreadable(photos[begin + offset], value))
            elif value is not None:
                misses[photo_key] = value
        if misses:
            made = encoder.encode_prepared(np.stack(list(misses.values())))
            _check_finite(made, encoder)
            kept.add(list(misses), made)
        for offset, (photo_key, value, _) in enumerate(loaded):
            if not isinstance(value, ImageError):
                vectors[begin + offset] = kept[photo_key]
        if on_progress is not None:
            on_progress(begin + len(loaded), len(photos))
    return vectors, tuple(problems)


def _check_finite(vectors: Vectors, encoder: Encoder) -> None:
    """Raise `EncoderError` for vectors that nothing can be compared with; they are not kept."""
    wrong = int((~np.isfinite(vectors).all(axis=1)).sum())
    if wrong:
        raise EncoderError(
            f"{encoder.name} gives {wrong:,} of {len(vectors):,} pictures a vector that is not "
            "finite; its weights are damaged or overflow"
        )


class FeatureCache:
    """Vectors of one encoder by key (16 bytes), in memory and in a file that only grows."""

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        """Read what `folder` has of `encoder`."""
        folder = folder / "features"
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{encoder.fingerprint}-{encoder.dim}.records"
        self._lock = FileLock(self.path.with_suffix(".lock"))
        self._record = np.dtype([("key", "V16"), ("vector", "<f4", encoder.dim), ("sum", "<u8")])
        self._known: dict[bytes, NDArray[np.float32]] = {}
        if self.path.is_file():
            self._read()

    def __contains__(self, key: bytes) -> bool:
        return key in self._known

    def __getitem__(self, key: bytes) -> NDArray[np.float32]:
        return self._known[key]

    def add(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Append vectors (len(keys), dim); what was written torn before is cut off first."""
        records = np.zeros(len(keys), self._record)
        for record, photo_key, vector in zip(records, keys, vectors, strict=True):
            record["key"], record["vector"] = np.void(photo_key), vector
            record["sum"] = _checksum(photo_key, vector)
            self._known[photo_key] = np.array(vector, np.float32)
        with self._lock, self.path.open("ab") as file:
            whole = file.tell() - file.tell() % self._record.itemsize
            file.truncate(whole)
            file.seek(whole)
            file.write(records.tobytes())

    def _read(self) -> None:
        data = self.path.read_bytes()
        whole = len(data) // self._record.itemsize
        for record in np.frombuffer(data, self._record, count=whole):
            photo_key = record["key"].tobytes()
            if int(record["sum"]) == _checksum(photo_key, record["vector"]):
                self._known[photo_key] = record["vector"]


def _checksum(key: bytes, vector: NDArray[np.float32]) -> int:
    return xxhash.xxh3_64_intdigest(key + np.asarray(vector, "<f4").tobytes())


_Loaded = tuple[bytes, NDArray[Any] | ImageError | None, str]
"""Key; the prepared picture, why there is none, or None where the vector is known; the file's hash,
"" where it cannot be read."""


def _loaded(
    photos: Sequence[Photo], encoder: Encoder, kept: FeatureCache
) -> Iterator[tuple[int, list[_Loaded]]]:
    """Batches of photos, read ahead in threads: (position of the first, what was read)."""
    load = partial(_load, encoder, kept)
    loaded = worked(load, photos, workers=_THREADS, ahead=3 * _BATCH, name="features")
    for begin in range(0, len(photos), _BATCH):
        yield begin, list(islice(loaded, _BATCH))


def _load(encoder: Encoder, kept: FeatureCache, photo: Photo) -> _Loaded:
    content = ""
    try:
        data, mask = read_photo(photo)
        content = image_hash(data + mask)
        key = xxhash.xxh3_128_digest(data + mask + repr(photo.box).encode())
        if key in kept:
            return key, None, content
        return key, encoder.prepare(decode_photo(photo, data, mask, encoder.image_size)), content
    except ImageError as error:
        return b"", error, content


def unreadable(photo: Photo, error: ImageError) -> Problem:
    """The problem of a photo whose picture cannot be read."""
    return Problem(Origin(str(photo.image.path or photo.id)), str(error), id=photo.id)
