"""Leak-free splits: what is linked goes to one side as a whole, decided by a key's hash alone."""

from collections.abc import Iterable
from typing import Literal, TypeVar

import numpy as np
import xxhash

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
