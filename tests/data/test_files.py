"""Reading what a catalogue names: attacks on the way to a file, one line each."""

import contextlib
import os
import socket
from pathlib import Path

import pytest

from coordi.data import files
from coordi.data.files import Fence, read_file, read_within
from coordi.errors import ImageError


@pytest.fixture
def place(tmp_path):
    """A root with a picture, and a secret beside it."""
    (tmp_path / "root/in").mkdir(parents=True)
    (tmp_path / "root/a.jpg").write_bytes(b"picture")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/secret").write_bytes(b"secret")
    return tmp_path


def link(path: Path, target: Path | str) -> Path:
    path.symlink_to(target)
    return path


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def listening(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    return path


OUTSIDE = "outside of the folders"
ATTACKS = {
    "absolute path": (lambda p: p / "other/secret", OUTSIDE),
    "password file": (lambda p: Path("/etc/passwd"), OUTSIDE),
    "dots": (lambda p: p / "root/../other/secret", OUTSIDE),
    "name that begins like the root": (lambda p: p / "root-2/x", OUTSIDE),
    "link to a file": (lambda p: link(p / "root/l.jpg", p / "other/secret"), OUTSIDE),
    "relative link": (lambda p: link(p / "root/r.jpg", "../other/secret"), OUTSIDE),
    "link to a folder": (lambda p: link(p / "root/d", p / "other") / "secret", OUTSIDE),
    "link to a link": (
        lambda p: link(p / "root/2", link(p / "root/1", "../other/secret")),
        OUTSIDE,
    ),
    "dots behind a link": (lambda p: link(p / "root/e", p / "other") / "../other/secret", OUTSIDE),
    "the opened files": (lambda p: Path("/proc/self/environ"), OUTSIDE),
    "endless device": (lambda p: Path("/dev/zero"), OUTSIDE),
    "link to an endless device": (lambda p: link(p / "root/z.jpg", "/dev/zero"), OUTSIDE),
    "link to itself": (lambda p: link(p / "root/self", "self"), "cannot read"),
    "the root": (lambda p: p / "root", OUTSIDE),
    "folder": (lambda p: p / "root/in", "it is a folder"),
    "pipe": (lambda p: fifo(p / "root/pipe"), "it is a pipe"),
    "link to a pipe": (lambda p: link(p / "root/lp", fifo(p / "root/pipe2")), "it is a pipe"),
    "socket": (lambda p: listening(p / "root/s"), "it is a socket"),
    "missing": (lambda p: p / "root/gone.jpg", "No such file"),
    "NUL": (lambda p: p / "root/a\0.jpg", "null"),
    "too long a name": (lambda p: p / "root" / ("x" * 300), "too long"),
    "file as a folder": (lambda p: p / "root/a.jpg/b", "Not a directory"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_no_file_of_the_roots_is_refused(place, attack):
    make, message = ATTACKS[attack]
    path = make(place)
    with pytest.raises(ImageError, match=message):
        read_within(path, [place / "root"])


@pytest.mark.parametrize(
    "path", ["/dev/zero", "/dev/full", "/dev/tty", "root", "root/pipe", "root/gone"]
)
def test_without_roots_only_regular_files_are_read(place, path):
    fifo(place / "root/pipe")
    with pytest.raises(ImageError, match="cannot read"):
        read_file(place / path)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: p / "root/a.jpg",
        lambda p: p / "root/in/../a.jpg",
        lambda p: link(p / "root/in/l.jpg", "../a.jpg"),
        lambda p: link(p / "other/back", p / "root") / "a.jpg",  # from outside in: its place counts
    ],
)
def test_files_within_the_roots_are_read_by_links_too(place, make):
    path = make(place)
    assert read_within(path, [place / "nowhere", place / "root"]) == b"picture"
    assert read_file(path) == b"picture"


def test_a_root_that_is_a_link_is_followed_anew_at_each_reading(place):
    root = link(place / "shop", place / "root")
    assert read_within(place / "shop/a.jpg", [root]) == b"picture"
    root.unlink()
    root.symlink_to(place / "other")
    with pytest.raises(ImageError, match=OUTSIDE):
        read_within(place / "root/a.jpg", [root])
    assert read_within(place / "shop/secret", [root]) == b"secret"


def test_the_whole_disk_may_be_a_root(place):
    assert read_within(place / "root/a.jpg", [Path("/")]) == b"picture"


def test_nothing_is_read_without_a_root(place):
    with pytest.raises(ImageError, match=OUTSIDE):
        read_within(place / "root/a.jpg", [])


def swapping(monkeypatch, swap):
    """Do `swap` after the file's place was checked, just before it is opened."""
    real = os.open

    def swapped(path, *arguments, **options):
        swap()
        return real(path, *arguments, **options)

    monkeypatch.setattr(files.os, "open", swapped)


def test_a_file_swapped_for_a_link_after_the_check_is_noticed(place, monkeypatch):
    path = place / "root/a.jpg"

    def swap():
        path.unlink()
        path.symlink_to(place / "other/secret")

    swapping(monkeypatch, swap)
    with pytest.raises(ImageError, match="cannot read"):
        read_within(path, [place / "root"])


def test_a_folder_swapped_for_a_link_after_the_check_is_noticed(place, monkeypatch):
    (place / "root/in/secret").write_bytes(b"harmless")

    def swap():
        (place / "root/in").rename(place / "root/was")
        (place / "root/in").symlink_to(place / "other")

    swapping(monkeypatch, swap)
    with pytest.raises(ImageError, match=OUTSIDE):
        read_within(place / "root/in/secret", [place / "root"])


def test_the_swap_is_noticed_without_proc_too(place, monkeypatch):
    monkeypatch.setattr(files, "_OPENED", Path("/nowhere"))
    assert read_within(place / "root/a.jpg", [place / "root"]) == b"picture"
    (place / "root/in/secret").write_bytes(b"harmless")

    def swap():
        (place / "root/in").rename(place / "root/was")
        (place / "root/in").symlink_to(place / "other")

    swapping(monkeypatch, swap)
    with pytest.raises(ImageError, match=OUTSIDE):
        read_within(place / "root/in/secret", [place / "root"])


def test_a_file_swapped_for_a_pipe_after_the_check_does_not_hang(place, monkeypatch):
    path = place / "root/a.jpg"

    def swap():
        path.unlink()
        os.mkfifo(path)

    swapping(monkeypatch, swap)
    with pytest.raises(ImageError, match="it is a pipe"):
        read_within(path, [place / "root"])


def test_large_files_are_refused_by_size_and_growing_ones_at_the_limit(place, monkeypatch):
    path = place / "root/a.jpg"
    with pytest.raises(ImageError, match="are not read"):
        read_within(path, [place / "root"], limit=6)
    real = os.read

    def growing(handle, size):
        with path.open("ab") as file:
            file.write(b"more")
        return real(handle, size)

    monkeypatch.setattr(files.os, "read", growing)
    with pytest.raises(ImageError, match="grew while it was read"):
        read_file(path, limit=100)
    assert path.stat().st_size < 1000


def test_a_head_is_all_that_is_read(place):
    assert read_within(place / "root/a.jpg", [place / "root"], head=3) == b"pic"


def test_messages_name_what_they_are_told(place):
    with pytest.raises(ImageError) as error:
        read_within(place / "other/secret", [place / "root"], name="the picture of item 'x'")
    assert str(error.value) == (
        "the picture of item 'x' is outside of the folders that pictures may be read from"
    )
    with pytest.raises(ImageError, match=r"^cannot read the picture of item 'x': No such file"):
        read_within(place / "root/gone", [place / "root"], name="the picture of item 'x'")


def test_the_fence_says_what_reading_will(place):
    fence = Fence([place / "root"])
    for name, (make, message) in ATTACKS.items():
        if message == OUTSIDE:
            assert fence.place(make(place)) is not None, name
    assert fence.place(place / "root/a.jpg") is None
    assert fence.place(link(place / "root/in/l.jpg", "../a.jpg")) is None
    assert fence.place(place / "root/in/..") == place / "root"


def test_no_handle_stays_open(place):
    count = len(list(Path("/proc/self/fd").iterdir()))
    for name in ("a.jpg", "in", "gone"):
        with contextlib.suppress(ImageError):
            read_within(place / "root" / name, [place / "root"])
    assert len(list(Path("/proc/self/fd").iterdir())) == count
