"""IVF with scalar quantisation (Jégou 2011; FAISS), set so that it finds what exact search finds.

How many cells to look into (nprobe) is not guessed. When the index is made, the exact neighbours
of a sample are computed, and for each neighbour the rank of its cell among the cells nearest to
the sample. Half of the sample are rows of the index; half are midpoints of two rows, which lie
where no row is, as words and queries of several parts do, and which are harder. The recall of any
nprobe is then a count over that table.

Under a filter the table's neighbours that pass it are the filtered neighbours, and what is counted
is not cells but passing rows seen on the way to them: cells in which nothing passes are skipped,
and a query far away from all that pass goes on until it has seen as many of them as any other.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordi.geometry import unit_rows
from coordi.store import exact
from coordi.types import Vectors

RECALL = 0.99
"""Share of the exact neighbours whose cells are looked into, on the sample."""

_SAMPLES = 96
_DEPTH = 2048
_TRAIN_PER_CELL = 64
_ITERATIONS = 8
_SEED = 20
_FEW_CELLS = 256


@dataclass(frozen=True, slots=True)
class Ivf:
    """A FAISS index over the first `covers` rows of a space, and its calibration."""

    index: Any
    covers: int
    trained: int
    """Rows there were when the cells were made."""
    neighbors: NDArray[np.int32]  # (samples, depth) rows nearest to each sample row, best first
    ranks: NDArray[np.int32]  # (samples, depth) how many cells come before the neighbour's
    orders: NDArray[np.int32]  # (samples, cells) cells by their nearness to each sample
    cell_of: NDArray[np.int32]  # (covers,)
    centroids: Vectors  # (cells, dim)

    @property
    def cells(self) -> int:
        """Number of cells."""
        return int(self.index.nlist)

    def nprobe(self, k: int) -> int:
        """Cells to look into for the `k` nearest of all rows."""
        return min(int(_quantile(self.ranks[:, :k])) + 1, self.cells)

    def route(self, k: int, mask: NDArray[np.bool_]) -> "Route":
        """How to look for the `k` nearest among the rows of `mask`."""
        counts = np.bincount(self.cell_of[mask[: self.covers]], minlength=self.cells)
        total = int(counts.sum())
        passing = mask[self.neighbors]
        first = passing & (np.cumsum(passing, axis=1) <= k)
        # A filter that hardly any neighbour passes gives too small a sample: look everywhere.
        if np.count_nonzero(first) < _SAMPLES:
            return Route(counts, total, max(total, k))
        # Twice, because a filter may go against the query ("not like this one") and the sample
        # knows the filter only.
        if self._passes_evenly(counts, total):
            nprobe = min(2 * (int(_quantile(self.ranks[first])) + 1), self.cells)
            return Route(counts, total, total, nprobe)
        seen = np.cumsum(counts[self.orders], axis=1)
        seen = np.take_along_axis(seen, self.ranks.astype(np.int64), axis=1)[first]
        return Route(counts, total, max(2 * int(_quantile(seen)), k))

    def _passes_evenly(self, counts: NDArray[np.int64], total: int) -> bool:
        """Whether nearly every cell holds its share of what passes: then none can be skipped,
        and FAISS's own order of cells is the quickest.
        """
        sizes = np.bincount(self.cell_of, minlength=self.cells)
        shares = counts[sizes > 0] / sizes[sizes > 0]
        return bool(np.quantile(shares, 0.05) >= 0.5 * total / self.covers)

    def search(
        self, query: NDArray[np.float32], k: int, nprobe: int, selector: Any = None
    ) -> NDArray[np.int64]:
        """Rows that are probably the `k` nearest, by quantised scores, in no promised order."""
        import faiss

        parameters = faiss.SearchParametersIVF(nprobe=nprobe, sel=selector)  # type: ignore[call-arg]
        _, found = self.index.search(query.reshape(1, -1), k, params=parameters)
        kept: NDArray[np.int64] = found[0][found[0] >= 0]
        return kept

    def search_route(
        self, query: NDArray[np.float32], k: int, route: "Route", selector: Any
    ) -> tuple[NDArray[np.int64], int]:
        """`search` through the cells of a filter; also how many cells that were."""
        import faiss

        nearness = exact.inner_products(query, self.centroids)
        order = _cells_until(nearness, route)
        nearness = nearness[order]
        if not len(order):  # only rows that the index does not cover pass
            return order, 0
        scores = np.empty(k, dtype=np.float32)
        found = np.empty(k, dtype=np.int64)
        parameters = faiss.SearchParametersIVF(nprobe=len(order), sel=selector)  # type: ignore[call-arg]
        self.index.search_preassigned_c(
            1,
            faiss.swig_ptr(query),
            k,
            faiss.swig_ptr(order),
            faiss.swig_ptr(nearness),
            faiss.swig_ptr(scores),
            faiss.swig_ptr(found),
            False,
            parameters,
        )
        return found[found >= 0], len(order)

    def extended(self, rows: Vectors) -> "Ivf":
        """A copy that also covers the next rows."""
        import faiss

        index = faiss.clone_index(self.index)
        index.add(rows)
        covers = self.covers + len(rows)
        return assemble(index, covers, self.trained, self.neighbors, self.ranks, self.orders)


@dataclass(frozen=True, slots=True)
class Route:
    """What a filter means for the cells."""

    counts: NDArray[np.int64]  # (cells,) rows that pass
    total: int
    """Rows that pass, in all cells."""
    enough: int
    """Passing rows after which the search may end."""
    nprobe: int = 0
    """Cells to look into whatever the query is, where rows pass evenly; 0 elsewhere."""


def _cells_until(nearness: NDArray[np.float32], route: Route) -> NDArray[np.int64]:
    """The nearest cells in which something passes, until enough rows have been seen."""
    order = _nearest_cells(nearness, _FEW_CELLS)  # a third of the time of ordering them all
    seen = np.cumsum(route.counts[order])
    if seen[-1] < min(route.enough, route.total):
        order = _nearest_cells(nearness, len(nearness))
        seen = np.cumsum(route.counts[order])
    order = order[: int(np.searchsorted(seen, route.enough)) + 1]
    return order[route.counts[order] > 0]


def _nearest_cells(nearness: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The `count` cells of the largest inner products, nearest first, ties by cell."""
    if count >= len(nearness):
        return np.argsort(-nearness, kind="stable")
    cells = np.sort(np.argpartition(-nearness, count)[:count])
    return cells[np.argsort(-nearness[cells], kind="stable")]


def assemble(
    index: Any,
    covers: int,
    trained: int,
    neighbors: NDArray[np.int32],
    ranks: NDArray[np.int32],
    orders: NDArray[np.int32],
) -> Ivf:
    """An `Ivf` with the tables that can be read off its index."""
    centroids = index.quantizer.reconstruct_n(0, index.nlist)
    cells = cell_of_rows(index, covers)
    return Ivf(index, covers, trained, neighbors, ranks, orders, cells, centroids)


def _quantile(values: NDArray[Any]) -> float:
    if not values.size:
        return 0.0
    return float(np.quantile(values, RECALL, method="inverted_cdf"))


def cells_for(count: int) -> int:
    """Cells for so many rows: the power of two nearest to 2 √count."""
    return int(2 ** round(np.log2(2 * np.sqrt(max(count, 1)))))


def build(rows: Vectors, cells: int | None = None) -> Ivf:
    """Train, fill and calibrate an index over `rows` (n, dim)."""
    import faiss

    cells = max(1, min(cells or cells_for(len(rows)), len(rows)))
    dim = rows.shape[1]
    quantizer = faiss.IndexFlatIP(dim)
    kind = faiss.ScalarQuantizer.QT_8bit
    index = faiss.IndexIVFScalarQuantizer(quantizer, dim, cells, kind, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter = _ITERATIONS
    index.cp.spherical = True
    index.cp.min_points_per_centroid = 1
    index.cp.max_points_per_centroid = _TRAIN_PER_CELL
    random = np.random.default_rng(_SEED)
    size = min(len(rows), _TRAIN_PER_CELL * cells)
    index.train(np.ascontiguousarray(rows[np.sort(random.choice(len(rows), size, replace=False))]))
    for start in range(0, len(rows), 65536):
        index.add(np.ascontiguousarray(rows[start : start + 65536]))
    return assemble(index, len(rows), len(rows), *_calibrate(index, rows, random))


def _calibrate(
    index: Any, rows: Vectors, random: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Exact neighbours of samples (themselves left out), their cells' ranks, the cells' order."""
    chosen = random.choice(len(rows), min(_SAMPLES, len(rows)), replace=False)
    partners = random.choice(len(rows), len(chosen), replace=False)
    samples = np.concatenate([rows[chosen], unit_rows(rows[chosen] + rows[partners])])
    neighbors = _nearest(samples, rows, min(_DEPTH + 1, len(rows)))
    own = np.concatenate([chosen, np.full(len(chosen), -1)])
    others = neighbors != own[:, None]
    # Where a sample row is not in its own list (a midpoint, many copies), the last one goes.
    others[others.all(axis=1), -1] = False
    neighbors = neighbors[others].reshape(len(samples), -1)
    centroids = index.quantizer.reconstruct_n(0, index.nlist)
    order = np.argsort(-(samples @ centroids.T), axis=1, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(index.nlist)[None, :], axis=1)
    ranks = np.take_along_axis(place, cell_of_rows(index, len(rows))[neighbors], axis=1)
    return neighbors.astype(np.int32), ranks.astype(np.int32), order.astype(np.int32)


def _nearest(samples: Vectors, rows: Vectors, k: int) -> NDArray[np.int64]:
    """Exact neighbours, chunk by chunk, so that memory stays small."""
    import faiss

    heap = faiss.ResultHeap(len(samples), k, keep_max=True)
    for start in range(0, len(rows), 65536):
        chunk = np.ascontiguousarray(rows[start : start + 65536])
        take = min(k, len(chunk))
        scores, found = faiss.knn(samples, chunk, take, metric=faiss.METRIC_INNER_PRODUCT)
        heap.add_result(scores, found + start)
    heap.finalize()
    return np.asarray(heap.I, dtype=np.int64)


def cell_of_rows(index: Any, count: int) -> NDArray[np.int32]:
    """Which cell each row is in."""
    import faiss

    cells = np.zeros(count, dtype=np.int32)
    for cell in range(index.nlist):
        size = index.invlists.list_size(cell)
        if size:
            ids = faiss.rev_swig_ptr(index.invlists.get_ids(cell), size)
            cells[ids] = cell
    return cells
