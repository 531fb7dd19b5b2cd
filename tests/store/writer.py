"""A process that writes to a store, for tests that kill it: `python writer.py STORE STEPS`.

Step n puts items 10 n … 10 n + 9 and writes item "hot" again; every fifth step deletes the first
item of the step before. After each step its number goes to standard output. A run that finds
steps done goes on behind them.
"""

import sys

import numpy as np

from coordi.geometry import unit_rows
from coordi.store import open_store
from coordi.types import Item

A = "a" * 16


def rows_of(step):
    return unit_rows(np.random.default_rng(step).standard_normal((11, 8)))


def items_of(step):
    items = [Item(str(10 * step + i), title=f"t{step}", fields={"step": step}) for i in range(10)]
    return [*items, Item("hot", fields={"step": step})]


def expected_ids(steps):
    """Ids after so many steps."""
    ids = {"hot"} | {str(i) for i in range(10 * steps)}
    return ids - {str(10 * (step - 1)) for step in range(5, steps, 5)}


def main(path, steps):
    store = open_store(path, create=True)
    done = int(store.get(["hot"])[0].fields["step"]) + 1 if store.count() else 0
    if done and (done - 1) % 5 == 0 and done > 1:
        store.delete([str(10 * (done - 2))])
    for step in range(done, steps):
        store.put(items_of(step), A, rows_of(step), ["-"] * 11)
        if step % 5 == 0 and step:
            store.delete([str(10 * (step - 1))])
        if step % 9 == 8:
            store.compact()
        print(step, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
