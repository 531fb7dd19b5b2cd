"""A field's values as numbers, one a row: what folding, sorting and counting work on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Keys:
    """The values of a field of n rows."""

    codes: NDArray[np.int64]
    """(n,) each row's place in `values`; -1 where it has none."""
    ranks: NDArray[np.int64]
    """(n,) a number that rises with the value, texts in any case; -1 where there is none."""
    values: Sequence[Any]
    """The distinct values, in the order of their first row."""


def keys_of(column: Any) -> Keys:
    """Number the values of an Arrow column."""
    whole = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    whole = pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole
    encoded = whole.dictionary_encode()
    codes = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    values = encoded.dictionary.to_pylist()
    # One place more, so that the -1 of a missing value leads to a -1.
    ranks = np.full(len(values) + 1, -1, dtype=np.int64)
    ranks[:-1] = _ranks(values)
    return Keys(np.asarray(codes, dtype=np.int64), ranks[codes], values)


def _ranks(values: Sequence[Any]) -> NDArray[np.int64]:
    """A number for each value that rises with it; equal ones, in any case, have the same."""
    folded = [value.casefold() if isinstance(value, str) else value for value in values]
    places = {value: place for place, value in enumerate(sorted(set(folded)))}
    return np.array([places[value] for value in folded], dtype=np.int64)
