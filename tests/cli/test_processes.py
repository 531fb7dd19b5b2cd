"""The command line as real processes: what it imports, signals, kills, and serving."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from bombs import scan_bomb
from conftest import make_catalog
from coordi.store.lance import open_store

FAKES = Path(__file__).parent.parent / "fakes.py"
FINGERPRINT = "c0105c0105c01050"
COUNT = 700


def start(*arguments, delay=0.0, **options):
    environment = {**os.environ, "FAKE_ENCODER_DELAY": str(delay), "PYTHONWARNINGS": "default"}
    return subprocess.Popen(
        [sys.executable, str(FAKES), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


def finish(process, timeout=60):
    out, err = process.communicate(timeout=timeout)
    assert "Traceback" not in err
    return process.returncode, out, err


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return make_catalog(tmp_path_factory.mktemp("shop"), COUNT)


def contents(folder):
    """Everything in a store, by id; fails where an id stands twice."""
    with open_store(folder) as store:
        ids = store.ids()
        assert len(ids) == len(set(ids))
        items = {item.id: item for item in store.get(ids)}
        vectors = {}
        for some, rows in store.vectors(FINGERPRINT):
            vectors |= {id: row.tobytes() for id, row in zip(some, rows, strict=True)}
    return items, vectors


@pytest.fixture(scope="module")
def store(catalog, tmp_path_factory):
    """A store that was ingested without disturbance."""
    folder = tmp_path_factory.mktemp("undisturbed") / "store"
    assert finish(start("ingest", catalog, "--store", folder))[0] == 0
    return folder


@pytest.fixture(scope="module")
def undisturbed(store):
    return contents(store)


def wait_for_items(folder, process):
    """Wait until a first write of a running ingest is in the store."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with open_store(folder) as store:
                if count := store.count():
                    return count
        except Exception:  # the folder is only being made
            pass
        time.sleep(0.02)
    raise AssertionError(f"nothing was stored: {process.communicate()}")


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(catalog, tmp_path, undisturbed):
    folder = tmp_path / "store"
    process = start("ingest", catalog, "--store", folder, delay=0.1)
    wait_for_items(folder, process)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert code == 130
    assert "run the same command again" in err
    added = int(re.search(r"([\d,]+) added", out)[1])
    assert 0 < added < COUNT
    code, out, _ = finish(start("ingest", catalog, "--store", folder, "--json"))
    report = json.loads(out)
    assert (code, report["unchanged"], report["added"]) == (0, added, COUNT - added)
    assert contents(folder) == undisturbed


def test_sigterm_keeps_what_is_done_as_well(catalog, tmp_path):
    folder = tmp_path / "store"
    process = start("ingest", catalog, "--store", folder, delay=0.1)
    wait_for_items(folder, process)
    process.send_signal(signal.SIGTERM)
    code, out, err = finish(process)
    assert code == 143
    assert "run the same command again" in err
    added = int(re.search(r"([\d,]+) added", out)[1])
    assert len(contents(folder)[0]) == added


def test_ctrl_c_with_json(catalog, tmp_path):
    folder = tmp_path / "store"
    process = start("ingest", catalog, "--store", folder, "--json", delay=0.1)
    wait_for_items(folder, process)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert (code, err) == (130, ""), out
    report = json.loads(out)
    assert report["interrupted"] is True
    assert 0 < report["added"] < COUNT


def decoding_seconds(parent):
    """Processor time of the processes that decode for `parent`."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command, stat = (folder / "cmdline").read_bytes(), (folder / "stat").read_text()
        except OSError:  # it ended meanwhile
            continue
        fields = stat.rpartition(")")[2].split()
        if b"coordi.data.decoder" in command and int(fields[1]) == parent:
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def test_ctrl_c_does_not_wait_for_a_slow_picture(tmp_path):
    """Seconds of work that time limits allow: had the ingest waited, the row would be counted."""
    catalog, folder = make_catalog(tmp_path / "shop", 200), tmp_path / "store"
    (catalog.parent / "images/150.png").write_bytes(scan_bomb(6000, 95))
    process = start("ingest", catalog, "--store", folder, "--json")
    deadline = time.monotonic() + 60
    while decoding_seconds(process.pid) < 1.0:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    report = json.loads(out)
    assert (code, err, report["interrupted"], report["problems"]) == (130, "", True, [])
    assert report["added"] == report["read"] == 128  # two batches, before that of the slow one


def test_a_killed_ingest_leaves_whole_items_and_is_completed(catalog, tmp_path, undisturbed):
    folder = tmp_path / "store"
    process = start("ingest", catalog, "--store", folder, delay=0.1)
    wait_for_items(folder, process)
    process.kill()
    process.communicate()
    items, vectors = contents(folder)
    assert 0 < len(items) < COUNT
    assert items == {id: undisturbed[0][id] for id in items}
    assert vectors == {id: undisturbed[1][id] for id in items}
    assert finish(start("ingest", catalog, "--store", folder))[0] == 0
    assert contents(folder) == undisturbed


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from coordi.cli.app import make_app\n"
        "for command in ([], ['ingest'], ['search'], ['serve'], ['demo'], ['train']):\n"
        "    assert CliRunner().invoke(make_app(), [*command, '--help']).exit_code == 0, command\n"
        "heavy = {'torch', 'transformers', 'lance', 'faiss', 'onnxruntime', 'pyarrow', 'fastapi'}\n"
        "found = heavy & set(sys.modules)\n"
        "assert not found, found\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_missing_store_without_traceback(tmp_path):
    assert finish(start("search", "x", "--store", tmp_path))[0] == 1


def test_a_closed_pipe_is_no_error(store):
    process = start("search", "red", "-n", "700", "--json", "--store", store)
    process.stdout.read(10)
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait(timeout=30)


def test_serve_answers_and_stops_on_a_signal(store):
    process = start("serve", "--store", store, "--port", "0")
    try:
        line = process.stdout.readline()
        address = re.search(r"http://\S+", line)[0]
        with urllib.request.urlopen(f"{address}/v1/ready", timeout=10) as answer:
            assert answer.status == 200
        with urllib.request.urlopen(f"{address}/v1/items?limit=3", timeout=10) as answer:
            assert json.load(answer)["total"] == COUNT
    finally:
        process.send_signal(signal.SIGINT)
        code, _, err = finish(process)
    assert (code, err) == (130, "")
