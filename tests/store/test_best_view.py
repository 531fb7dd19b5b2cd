"""The best view of chosen rows against a slow loop."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coordi.store.further import Further


def unit(rng, count):
    rows = rng.normal(size=(count, 8)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@given(st.integers(0, 10_000), st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_a_row_gives_way_to_its_better_view_alone(seed, owned):
    rng = np.random.default_rng(seed)
    main, views, query = unit(rng, 10), unit(rng, len(owned)), unit(rng, 1)[0]
    owners = np.sort(np.array(owned, dtype=np.int64))
    chosen = rng.permutation(10)[: rng.integers(0, 11)].astype(np.int64)
    scores = main[chosen] @ query
    rows, best = Further(np.ascontiguousarray(views), owners).better(query, chosen, scores, 10)
    for place, row in enumerate(chosen):
        candidates = [(scores[place], row)]
        candidates += [(views[n] @ query, 10 + n) for n in np.flatnonzero(owners == row)]
        wanted = max(score for score, _ in candidates)
        assert abs(best[place] - wanted) < 1e-5
        assert rows[place] in [found for score, found in candidates if abs(score - wanted) < 1e-5]
