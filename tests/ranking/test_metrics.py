import numpy as np

from coordi.geometry import unit_rows
from coordi.ranking.metrics import neighbour_hits


def test_neighbour_hits_equal_a_slow_loop() -> None:
    rng = np.random.default_rng(0)
    queries, gallery = unit_rows(rng.normal(size=(7, 4))), unit_rows(rng.normal(size=(23, 4)))
    labels = [str(x) for x in rng.integers(3, size=23)]
    groups = [str(x) for x in rng.integers(5, size=23)]
    q_labels, q_groups = labels[:7], groups[:7]
    expected = []
    for query, label, group in zip(queries, q_labels, q_groups, strict=True):
        others = [i for i in range(23) if groups[i] != group]
        nearest = sorted(others, key=lambda i: -float(query @ gallery[i]))[:3]
        expected.append(sum(labels[i] == label for i in nearest) / 3)
    got = neighbour_hits(
        queries, q_labels, gallery, labels,
        query_groups=q_groups, gallery_groups=groups, k=3, chunk=2,
    )  # fmt: skip
    np.testing.assert_allclose(got, expected, rtol=1e-6)
