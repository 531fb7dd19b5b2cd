import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from coordi.errors import InputError
from coordi.geometry import similarities, top_k, truncate, unit_rows


def test_unit_rows_and_zero_row() -> None:
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0]], rtol=1e-6)


def test_unit_rows_names_the_bad_row() -> None:
    with pytest.raises(InputError, match="row 1 "):
        unit_rows(np.array([[1.0, 0.0], [np.nan, 0.0]]))


def test_truncate_rescales() -> None:
    rows = unit_rows(np.random.default_rng(0).normal(size=(4, 8)))
    np.testing.assert_allclose(np.linalg.norm(truncate(rows, 3), axis=1), 1, rtol=1e-6)
    with pytest.raises(InputError, match="cannot keep 9 of 8"):
        truncate(rows, 9)


def test_similarities_equal_a_loop() -> None:
    rng = np.random.default_rng(0)
    left, right = unit_rows(rng.normal(size=(3, 5))), unit_rows(rng.normal(size=(4, 5)))
    loop = [[sum(a * b for a, b in zip(x, y, strict=True)) for y in right] for x in left]
    np.testing.assert_allclose(similarities(left, right), loop, rtol=1e-5, atol=1e-6)


@given(
    arrays(np.float32, (3, 9), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0, -1.0])),
    st.integers(0, 12),
)
def test_top_k_equals_sorting_with_ties_by_column(scores: np.ndarray, k: int) -> None:
    expected = [sorted(range(9), key=lambda c: (-row[c], c))[:k] for row in scores]
    assert top_k(scores, k).tolist() == expected
