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
from coordi.data import decoding, images
from coordi.data.decoder import MEMORY
from coordi.data.decoding import Decoder
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


HEAVY = saved(noise(), "TIFF")
"""A small picture of a format that is always decoded in a process."""


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
def test_a_process_decodes_what_this_one_would(decoder, form, box, monkeypatch):
    data = saved(noise(), form)
    expected = decode_crop(data, box, 64)
    for light_bytes in (0, images.LIGHT_BYTES):
        monkeypatch.setattr(images, "LIGHT_BYTES", light_bytes)
        for patient in (False, True):
            decoded = decoder.decode(data, target=64, box=box, patient=patient)
            assert np.array_equal(decoded, expected)
            assert decoded.flags.writeable


def test_large_pictures_travel_whole(decoder):
    data = saved(noise(2500, 2000), "PNG")
    assert np.array_equal(decoder.decode(data, target=None), decode_image(data))


@pytest.mark.parametrize("light_bytes", [0, 1 << 20])
def test_thumbnails_types_and_sizes(decoder, monkeypatch, light_bytes):
    monkeypatch.setattr(images, "LIGHT_BYTES", light_bytes)
    data = saved(noise(), "WEBP")
    assert Pillow.open(io.BytesIO(decoder.thumbnail(data, 30))).size == (30, 20)
    assert decoder.verify(data) == "image/webp"
    assert decoder.measure(data) == (300, 200)


def test_errors_are_those_of_decoding_here(decoder, monkeypatch):
    monkeypatch.setattr(images, "LIGHT_BYTES", -1)
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
            with pytest.raises(
                ImageError,
                match=r"took longer than 0\.2 s to decode; save it again as a usual JPEG$",
            ):
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
    assert one.verify(HEAVY) == "image/tiff"


def test_a_process_that_died_idle_is_replaced(one):
    one.verify(HEAVY)
    process = one._idle[0]._process
    process.kill()
    process.wait()
    assert one.verify(HEAVY) == "image/tiff"


def test_memory_is_bounded(one):
    one.verify(HEAVY)
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
    stop = threading.Event()
    with ThreadPoolExecutor(3) as threads:
        slow = threads.submit(one.decode, SLOW, target=64, stop=stop)
        at_work(one)
        monkeypatch.setattr(decoding, "PATIENCE", 0.0)
        with pytest.raises(BusyError, match="try again"):  # no process is free in time
            one.verify(HEAVY)
        monkeypatch.setattr(decoding, "PATIENCE", 600.0)
        behind = threads.submit(one.verify, HEAVY)
        wait_until(lambda: one._asked == 2, "the second is not waiting")
        with pytest.raises(BusyError, match="2 pictures are being decoded"):
            one.verify(HEAVY)
        light = saved(noise(), "PNG")
        with pytest.raises(BusyError, match="2 pictures are being decoded"):
            one.decode(light, target=None)
        assert one.decode(light, target=None, patient=True).shape == (200, 300, 3)
        patient = threads.submit(one.decode, HEAVY, target=None, patient=True)
        stop.set()
        with pytest.raises(ImageError, match="stopped"):
            slow.result()
        assert behind.result() == "image/tiff"
        assert patient.result().shape == (200, 300, 3)


def test_only_what_is_not_light_needs_a_process(one, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a process")

    monkeypatch.setattr(one, "_there", refuse)
    for patient in (False, True):
        for form in ("JPEG", "PNG", "WEBP"):
            assert one.decode(saved(noise(), form), target=32, patient=patient).ndim == 3
        for form in ("AVIF", "TIFF", "GIF", "BMP"):
            assert one.measure(saved(noise(), form)) == (300, 200)
            with pytest.raises(AssertionError):
                one.decode(saved(noise(), form), target=32, patient=patient)
        with pytest.raises(AssertionError):
            one.measure(b"\xff\xd8\xff" + bytes(2 << 20))


@pytest.mark.parametrize(
    ("data", "light"),
    [
        (scan_bomb(1000, 50), True),
        (scan_bomb(1000, 51), False),
        (saved(Pillow.new("1", (4000, 4000)), "PNG"), True),
        (saved(Pillow.new("1", (4001, 4000)), "PNG"), False),
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
        "for _ in range(2):\n"
        "    threading.Thread(target=pool.decode, args=(pathlib.Path('slow.jpg').read_bytes(),),\n"
        "                     kwargs={'target': 64}).start()\n"
        "while len([p for p in pool._busy if p._ready]) < 2: time.sleep(0.01)\n"
        "print(*(p._process.pid for p in pool._busy), flush=True)\n"
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
        assert pool.verify(HEAVY) == "image/tiff"
    finally:
        pool.close()


def test_the_clock_ends_what_takes_no_processor_time(one, monkeypatch):
    """A process that hangs without working is noticed by the parent's clock."""
    monkeypatch.setattr(decoding, "_CLOCK", 0)
    one.verify(HEAVY)
    one.seconds = 100
    os.kill(one._idle[0]._process.pid, signal.SIGSTOP)
    with pytest.raises(ImageError, match="took longer than 100 s"):
        one.verify(HEAVY)


def test_no_process_to_be_had_is_no_fault_of_the_picture(one, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(decoding.subprocess, "Popen", refuse)
    with pytest.raises(BusyError, match="Cannot allocate memory"):
        one.verify(HEAVY)


def test_a_process_that_cannot_start_is_no_fault_of_the_picture(monkeypatch):
    monkeypatch.setattr(decoding.sys, "executable", "/bin/true")
    pool = Decoder(1)
    with pytest.raises(RuntimeError, match=r"python -m coordi\.data\.decoder"):
        pool.verify(HEAVY)
