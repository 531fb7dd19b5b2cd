"""Decoding in processes: the same pictures, and what a slow, deadly or crowded one costs."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from bombs import scan_bomb
from coordi.data import decoding
from coordi.data.decoder import MEMORY
from coordi.data.decoding import Decoder, decode_safely, measure_safely
from coordi.data.images import decode_crop, decode_image, encode_jpeg, is_light, opened
from coordi.errors import BusyError, ImageError

SLOW = scan_bomb(4000, 90)
"""Seconds of work in 100 KB, within every limit but that of time."""


@pytest.fixture(scope="module")
def decoder():
    pool = Decoder(2)
    yield pool
    pool.close()


@pytest.fixture
def one():
    """A pool of a single process with time for everything."""
    pool = Decoder(1, seconds=600, in_flight=2)
    yield pool
    pool.close()


def saved(picture, form, **options):
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def noise(width=300, height=200):
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    return Pillow.fromarray(pixels)


def wait_until(true, what):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def at_work(pool):
    """The pid of the process that decodes something."""
    found = []

    def look():
        with pool._lock:
            found[:] = [p._process.pid for p in pool._busy if p._ready]
        return found

    wait_until(look, "nothing is being decoded")
    return found[0]


def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF"])
@pytest.mark.parametrize("box", [None, (0.25, 0.1, 0.75, 0.6)])
def test_a_process_decodes_what_this_one_would(decoder, form, box):
    data = saved(noise(), form)
    expected = decode_crop(data, box, 64)
    assert np.array_equal(decoder.decode(data, target=64, box=box), expected)
    assert np.array_equal(decode_safely(data, target=64, box=box), expected)


def test_large_pictures_travel_whole(decoder):
    data = saved(noise(2500, 2000), "PNG")
    assert np.array_equal(decoder.decode(data, target=None), decode_image(data))


def test_thumbnails_types_and_sizes(decoder):
    data = saved(noise(), "WEBP")
    assert Pillow.open(io.BytesIO(decoder.thumbnail(data, 30))).size == (30, 20)
    assert decoder.verify(data) == "image/webp"
    assert decoder.measure(data) == measure_safely(data) == (300, 200)


def test_errors_are_those_of_decoding_here(decoder):
    for data in (b"", b"no picture", saved(noise(), "PNG")[:500], scan_bomb(64, 101)):
        messages = set()
        for decode in (decode_image, lambda data: decoder.decode(data, target=None)):
            with pytest.raises(ImageError) as error:
                decode(data)
            messages.add(str(error.value))
        assert len(messages) == 1
    with pytest.raises(ImageError, match=r"limit is 0\.01 million pixels"):
        decoder.decode(saved(noise(), "PNG"), target=None, max_pixels=10_000)


def test_a_slow_picture_is_an_error_and_the_next_one_is_decoded():
    pool = Decoder(1, seconds=0.2)
    try:
        for _ in range(2):
            with pytest.raises(ImageError, match=r"took longer than 0\.2 s to decode"):
                pool.decode(SLOW, target=64)
        assert pool.decode(encode_jpeg(np.zeros((8, 8, 3), np.uint8)), target=None).shape == (
            8,
            8,
            3,
        )
    finally:
        pool.close()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_crash_costs_its_picture_alone(one, number):
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(one.decode, SLOW, target=64)
        os.kill(at_work(one), number)
        with pytest.raises(ImageError, match=rf"ended its process \({number.name}\)"):
            slow.result()
    assert one.measure(saved(noise(), "PNG")) == (300, 200)


def test_a_process_that_died_idle_is_replaced(one):
    data = saved(noise(), "PNG")
    one.measure(data)
    process = one._idle[0]._process
    process.kill()
    process.wait()
    assert one.measure(data) == (300, 200)


def test_memory_is_bounded(one):
    one.measure(saved(noise(), "PNG"))
    limits = Path(f"/proc/{one._idle[0]._process.pid}/limits").read_text().splitlines()
    most = next(line.split()[3] for line in limits if line.startswith("Max address space"))
    assert MEMORY < int(most) < 2 * MEMORY


def test_stop_ends_a_slow_picture_and_who_waits_behind_it(one):
    stop = threading.Event()
    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(one.decode, SLOW, target=64, patient=True, stop=stop)
        pid = at_work(one)
        behind = threads.submit(one.decode, SLOW, target=64, patient=True, stop=stop)
        stop.set()
        for future in (slow, behind):
            with pytest.raises(ImageError, match="stopped"):
                future.result()
    assert gone(pid)


def test_too_many_at_once_hear_so_and_the_patient_wait(one, monkeypatch):
    stop, data = threading.Event(), saved(noise(), "PNG")
    with ThreadPoolExecutor(3) as threads:
        slow = threads.submit(one.decode, SLOW, target=64, stop=stop)
        at_work(one)
        monkeypatch.setattr(decoding, "PATIENCE", 0.0)
        with pytest.raises(BusyError, match="try again"):  # no process is free in time
            one.measure(data)
        monkeypatch.setattr(decoding, "PATIENCE", 600.0)
        behind = threads.submit(one.measure, data)
        wait_until(lambda: one._asked == 2, "the second is not waiting")
        with pytest.raises(BusyError, match="2 pictures are being decoded"):
            one.measure(data)
        patient = threads.submit(one.decode, data, target=None, patient=True)
        stop.set()
        with pytest.raises(ImageError, match="stopped"):
            slow.result()
        assert behind.result() == (300, 200)
        assert patient.result().shape == (200, 300, 3)


def test_only_what_is_not_light_needs_a_process(monkeypatch):
    def refuse():
        raise AssertionError("a process")

    monkeypatch.setattr(decoding, "shared", refuse)
    for form in ("JPEG", "PNG", "WEBP"):
        assert decode_safely(saved(noise(), form), target=32).ndim == 3
    for form in ("AVIF", "TIFF", "GIF", "BMP"):
        with pytest.raises(AssertionError):
            decode_safely(saved(noise(), form), target=32)
    with pytest.raises(AssertionError):
        decode_safely(b"\xff\xd8\xff" + bytes(5 << 20), target=32)


@pytest.mark.parametrize(
    ("data", "light"),
    [
        (scan_bomb(1000, 90), True),
        (scan_bomb(1100, 90), False),
        (saved(Pillow.new("1", (5000, 5000)), "PNG"), True),
        (saved(Pillow.new("1", (5001, 5000)), "PNG"), False),
        (saved(Pillow.new("L", (10, 10)), "JPEG2000"), False),
    ],
)
def test_what_is_light(data, light):
    with opened(data) as picture:
        assert is_light(picture, data) == light


def test_processes_end_with_their_parent(tmp_path):
    """Killed in the middle of a slow picture, the parent leaves no process behind."""
    (tmp_path / "slow.jpg").write_bytes(SLOW)
    code = (
        "import pathlib, sys, threading, time\n"
        "from coordi.data.decoding import Decoder\n"
        "pool = Decoder(2, seconds=1)\n"
        "pool.warm()\n"
        "threading.Thread(target=pool.decode, args=(pathlib.Path('slow.jpg').read_bytes(),),\n"
        "                 kwargs={'target': 64}).start()\n"
        "while not any(p._ready for p in pool._busy): time.sleep(0.01)\n"
        "print(*(p._process.pid for p in [*pool._busy, *pool._idle]), flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    parent.kill()
    parent.communicate()
    assert len(pids) == 2
    wait_until(lambda: all(map(gone, pids)), "a process outlives its parent")


def test_modules_of_the_working_directory_are_not_imported(tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit('planted')\n")
    (tmp_path / "json.py").write_text("raise SystemExit('planted')\n")
    monkeypatch.chdir(tmp_path)
    pool = Decoder(1)
    try:
        assert pool.measure(saved(noise(), "PNG")) == (300, 200)
    finally:
        pool.close()


def test_a_process_that_cannot_start_is_no_fault_of_the_picture(monkeypatch):
    monkeypatch.setattr(decoding.sys, "executable", "/bin/true")
    pool = Decoder(1)
    with pytest.raises(RuntimeError, match=r"python -m coordi\.data\.decoder"):
        pool.measure(saved(noise(), "PNG"))
