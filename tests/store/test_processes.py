"""Several processes: killed writers, readers beside a writer, the lock."""

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from coordi.errors import StoreLockedError
from coordi.store import open_store
from coordi.types import Item

sys.path.insert(0, str(Path(__file__).parent))
from writer import A, expected_ids, items_of, rows_of

WRITER = Path(__file__).parent / "writer.py"


def start(path, steps):
    command = [sys.executable, str(WRITER), str(path), str(steps)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def check(store, steps):
    """Everything is as an undisturbed run of so many steps leaves it."""
    ids = store.ids()
    assert len(ids) == len(set(ids))
    assert set(ids) == expected_ids(steps)
    assert store.count() == len(ids)
    index = store.index(A)
    assert index.total == len(ids)
    for step in range(steps):
        wanted = [item for item in items_of(step)[:10] if item.id in set(ids)]
        assert store.get([item.id for item in wanted]) == wanted
        found = index.nearest(rows_of(step)[3], 1)
        assert index.ids(found.rows) == [str(10 * step + 3)]
    assert store.get(["hot"]) == items_of(steps - 1)[10:]
    np.testing.assert_array_equal(store.vectors_of(["hot"], A)[0], rows_of(steps - 1)[10])


def test_a_writer_killed_at_any_moment_loses_nothing_and_doubles_nothing(tmp_path):
    path, steps = tmp_path / "store", 30
    chance = random.Random(4)
    for stop in (2, 9, 17):
        writer = start(path, steps)
        told = -1
        while told < stop and (line := writer.stdout.readline()):
            told = int(line)
        time.sleep(chance.uniform(0, 0.03))
        writer.kill()
        told = max([told, *map(int, writer.stdout.read().split())])
        writer.wait()
        writer.stdout.close()
        with open_store(path) as store:
            ids = store.ids()
            assert len(ids) == len(set(ids))
            done = int(store.get(["hot"])[0].fields["step"]) + 1
            assert told + 1 <= done <= told + 2
            # The last step may lack its deletion, which is a commit of its own.
            late = {str(10 * (done - 2))} if done > 1 else set()
            assert set(ids) - late == expected_ids(done) - late
    with start(path, steps) as writer:
        writer.stdout.read()
    assert writer.returncode == 0
    with open_store(path) as store:
        check(store, steps)


def test_a_reader_beside_a_writer_only_ever_sees_whole_steps(tmp_path):
    path, steps = tmp_path / "store", 40
    reader = open_store(path, create=True)
    versions, seen = [], set()
    with start(path, steps) as writer:
        while writer.poll() is None:
            versions.append(reader.version)
            ids = reader.ids()
            assert len(ids) == len(set(ids))
            if not ids:
                continue
            last = int(reader.get(["hot"])[0].fields["step"])
            index = reader.index(A)
            found = index.nearest(rows_of(last)[5], 3, f"step <= {last}")
            assert index.ids(found.rows[:1]) == [str(10 * last + 5)]
            seen.add(last)
        assert writer.wait() == 0
    assert versions == sorted(versions)
    assert len(seen) > 3
    check(reader, steps)


HOLD = """
import sys, time
from coordi.store import open_store
with open_store(sys.argv[1]).writing():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_told_who_writes_and_goes_on_when_that_one_dies(tmp_path):
    store = open_store(tmp_path / "store", create=True)
    row = rows_of(0)[:1]
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "store")], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StoreLockedError, match=f"process {holder.pid} on "):
        store.put([Item("1")], A, row, ["-"])
    assert store.count() == 0
    holder.kill()
    holder.wait()
    holder.stdout.close()
    store.put([Item("1")], A, row, ["-"])
    assert store.ids() == ["1"]
