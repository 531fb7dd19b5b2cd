"""Leak-free splits: what is linked goes to one side as a whole, decided by a key's hash alone."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Literal, TypeVar

import numpy as np
import xxhash
from numpy.typing import NDArray

from coordi.errors import InputError

Split = Literal["train", "val", "test"]
Node = TypeVar("Node", str, int)


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


def connected_groups(ids: Iterable[Node], edges: Iterable[tuple[Node, Node]]) -> dict[Node, Node]:
    """Every id → its group: the least id of all that are linked to it by edges, however far.

    `edges` may name nodes beside `ids` (an item, an outfit, a hash) through which ids are
    linked; such nodes are no keys of the answer and name no group. Give the nodes of different
    kinds different names. The answer does not depend on the order of either argument, but a new
    edge may join groups and so rename one.
    """
    from scipy.sparse import coo_array  # slow to load, and few commands split
    from scipy.sparse.csgraph import connected_components

    ids = list(ids)
    number: dict[Node, int] = {id_: at for at, id_ in enumerate(ids)}
    ends = np.array(
        [[number.setdefault(node, len(number)) for node in edge] for edge in edges], np.int64
    ).reshape(-1, 2)
    links = coo_array((np.ones(len(ends), bool), ends.T), shape=(len(number), len(number)))
    labels = connected_components(links, directed=False)[1][: len(ids)].tolist()
    least: dict[int, Node] = {}
    for label, id_ in zip(labels, ids, strict=True):
        least[label] = min(id_, least.get(label, id_))
    return {id_: least[label] for id_, label in zip(ids, labels, strict=True)}


def near_duplicates(hashes: NDArray[np.uint64], distance: int) -> NDArray[np.int64]:
    """All pairs of hashes (N,) that differ in at most `distance` of 64 bits → (pairs, 2).

    Exact: the hash is cut into `distance` + 1 bands, of which two near hashes share at least one
    (multi-index hashing, Norouzi et al. 2012), and only hashes that share a band are compared.
    Equal hashes are compared once. Pairs are (lower row, higher row), in ascending order. A
    large set of equal hashes gives a number of pairs quadratic in its size: leave hashes of flat
    pictures out (`coordi.data.phash.FLAT`).
    """
    if not 0 <= distance <= _MOST:
        raise InputError(f"distance {distance} is not between 0 and {_MOST} bits")
    values, inverse = np.unique(np.asarray(hashes, np.uint64), return_inverse=True)
    near = [_within_band(values, band, distance) for band in _bands(distance + 1)]
    pairs = np.unique(np.concatenate(near), axis=0)
    order = np.argsort(inverse, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(inverse, minlength=len(values)))[:-1])
    found = [_crossed(members[a], members[b]) for a, b in pairs.tolist()]
    found += [_upper(rows) for rows in members if len(rows) > 1]
    if not found:
        return np.empty((0, 2), np.int64)
    rows = np.sort(np.concatenate(found), axis=1)
    return rows[np.lexsort((rows[:, 1], rows[:, 0]))]


_MOST = 15
"""Largest distance: bands of four bits; beyond that, nearly all hashes share one."""


def _bands(count: int) -> list[NDArray[np.uint64]]:
    """Masks that cut 64 bits into `count` bands, as even as may be."""
    edges = [64 * i // count for i in range(count + 1)]
    return [
        np.uint64((1 << high) - (1 << low)) * np.ones(1, np.uint64) for low, high in pairwise(edges)
    ]


def _within_band(
    values: NDArray[np.uint64], mask: NDArray[np.uint64], distance: int
) -> NDArray[np.int64]:
    """Pairs of different values that agree on a band and differ in few bits in all."""
    keys = values & mask
    order = np.argsort(keys, kind="stable")
    ends = np.searchsorted(keys[order], keys[order], "right")  # where each one's bucket ends
    found = [np.empty((0, 2), np.int64)]
    for at in np.flatnonzero(ends - np.arange(len(ends)) > 1).tolist():
        others = order[at + 1 : ends[at]]
        near = np.bitwise_count(values[others] ^ values[order[at]]) <= distance
        rows = others[near]
        found.append(np.stack([np.full(len(rows), order[at]), rows], axis=1))
    return np.sort(np.concatenate(found), axis=1)


def _crossed(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """Every row of one set with every row of the other."""
    return np.stack([np.repeat(left, len(right)), np.tile(right, len(left))], axis=1)


def _upper(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Every pair within a set."""
    first, second = np.triu_indices(len(rows), 1)
    return np.stack([rows[first], rows[second]], axis=1)
