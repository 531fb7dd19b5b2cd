"""Leak-free splits: a key goes to one side as a whole, decided by its hash alone."""

from typing import Literal

import xxhash

Split = Literal["train", "val", "test"]


def share(key: str, seed: int = 0) -> float:
    """A number in [0, 1) that depends on `key` and `seed` only, evenly spread over keys."""
    return xxhash.xxh3_64_intdigest(key.encode(), seed=seed) / 2**64


def split_of(key: str, *, val: float = 0.1, test: float = 0.1, seed: int = 0) -> Split:
    """The side of everything that carries `key` (a sender, a model, a title without colour).

    `val` is for choosing (steps, settings), `test` for reporting, and nothing that shares a
    key stands on two sides. The answer does not change when other keys come or go.
    """
    at = share(key, seed)
    if at < test:
        return "test"
    return "val" if at < test + val else "train"
