"""Folders of pictures: what is read, and what is said of the rest."""

import os

import numpy as np
import pytest

from coordi.data.catalog import open_catalog
from coordi.data.images import encode_jpeg
from coordi.data.readers.folder import open_folder
from coordi.errors import CatalogError
from coordi.types import Item, Problem

JPEG = encode_jpeg(np.zeros((2, 2, 3), np.uint8))


def test_files_are_pictures_by_their_suffix_or_their_first_bytes(tmp_path):
    files = {
        "a.jpg": JPEG,
        "no suffix": JPEG,
        "b.webp?v=1": JPEG,
        "c.jpg_large": JPEG,
        "d": b"\0\0\0\x18ftypheic",
        "e.HEIC": b"",
        "f.svg": b"<svg/>",
        "g.mpo": JPEG,
        "notes.txt": b"words",
        "film.mp4": b"\0\0\0\x18ftypisom",
        "Makefile": b"all:",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    table = open_folder(tmp_path)
    assert table.names == (
        *("a.jpg", "b.webp?v=1", "c.jpg_large", "d", "e.HEIC", "f.svg", "g.mpo", "no suffix"),
    )
    assert table.notes == ("left aside, being no pictures: 1 .mp4, 1 .txt, 1 without suffix",)
    assert open_catalog(tmp_path).notes == table.notes


def test_what_systems_leave_behind_is_not_worth_a_word(tmp_path):
    (tmp_path / "a.jpg").write_bytes(JPEG)
    for name in (
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        "__MACOSX/a.jpg",
        ".git/b.jpg",
        "._a.jpg",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(JPEG)
    table = open_folder(tmp_path)
    assert (table.names, table.notes, table.links) == (("a.jpg",), (), ())


def test_linked_folders_are_not_followed_and_said(tmp_path):
    (tmp_path / "real/deep").mkdir(parents=True)
    (tmp_path / "real/deep/b.jpg").write_bytes(JPEG)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/a.jpg").write_bytes(JPEG)
    (tmp_path / "shop/link").symlink_to(tmp_path / "real")
    catalog = open_catalog(tmp_path / "shop")
    rows = list(catalog.rows())
    assert [row.id for row in rows if isinstance(row, Item)] == ["a.jpg"]
    (problem,) = (row for row in rows if isinstance(row, Problem))
    assert problem.origin.file == str(tmp_path / "shop/link")
    assert f"ingest {tmp_path / 'real'} itself" in problem.reason
    assert (problem.rows, catalog.count) == (0, 1)


def test_a_folder_without_pictures_says_what_it_holds(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path.parent)
    with pytest.raises(
        CatalogError, match=r"no pictures \(left aside, .* 1 \.mp4; links .* link\)"
    ):
        open_catalog(tmp_path)


def test_pipes_are_not_waited_for(tmp_path):
    (tmp_path / "a.jpg").write_bytes(JPEG)
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "b.jpg")
    rows = list(open_catalog(tmp_path).rows())
    assert [row.id for row in rows if isinstance(row, Item)] == ["a.jpg"]
    assert "b.jpg is not there" in next(row.reason for row in rows if isinstance(row, Problem))
