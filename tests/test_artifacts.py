"""Model folders: whole or not at all, one fingerprint, the hub and its failures."""

import json
import os
import shutil
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from hypothesis import given
from hypothesis import strategies as st

from coordi.artifacts import (
    atomic_file,
    atomic_folder,
    fetch,
    fingerprint,
    push,
    read_json,
    weight_patterns,
    write_atomically,
)
from coordi.errors import EncoderError, NotFoundError


def files(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()
    }


def test_a_folder_appears_whole_and_replaces_the_old(tmp_path):
    folder = tmp_path / "models" / "one"
    for text in ("first", "second"):
        with atomic_folder(folder) as draft:
            (draft / text).write_text(text)
            assert not (folder / text).exists()

    assert files(folder) == {"second": "second"}
    assert [p.name for p in folder.parent.iterdir()] == ["one"]


def test_a_failed_write_leaves_the_old_folder(tmp_path):
    with atomic_folder(tmp_path / "one") as draft:
        (draft / "a").write_text("old")

    def fail():
        with atomic_folder(tmp_path / "one") as draft:
            (draft / "a").write_text("half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fail()
    assert files(tmp_path) == {"one/a": "old"}


def test_json_that_is_missing_broken_or_no_object(tmp_path):
    path = tmp_path / "config.json"
    assert read_json(path) == {}
    for text, words in (("{", "not valid JSON"), ("[1]", "no JSON object"), ("\udcff", "valid")):
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(EncoderError, match=words):
            read_json(path)


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "onnx").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(5_000_000))
    (folder / "onnx" / "vision_model.onnx").write_bytes(b"graph")
    return folder


def test_fingerprint_is_of_content_not_place_or_card(model, tmp_path):
    first = fingerprint(model, 256)
    shutil.copytree(model, tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "README.md").write_text("a card")

    assert fingerprint(tmp_path / "elsewhere", 256) == first
    assert len(first) == 16
    assert int(first, 16) >= 0


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "onnx/vision_model.onnx"])
def test_fingerprint_follows_every_file_that_counts(model, name):
    first = fingerprint(model, 256)
    data = bytearray((model / name).read_bytes())
    data[-1] ^= 1
    (model / name).write_bytes(data)

    assert fingerprint(model, 256) != first


def test_fingerprint_follows_names_and_parts(model):
    first = fingerprint(model, 256)
    assert fingerprint(model, 128) != first
    (model / "onnx" / "vision_model.onnx").rename(model / "vision_model.onnx")
    assert fingerprint(model, 256) != first
    assert fingerprint(model / "config.json") != fingerprint(model / "model.safetensors")


LISTINGS = [
    (["config.json", "model.safetensors", "pytorch_model.bin"], ["model.safetensors"]),
    (["pytorch_model.bin", "tf_model.h5"], ["pytorch_model.bin"]),
    (
        [
            "onnx/text_model.onnx",
            "onnx/vision_model.onnx",
            "onnx/text_model_int8.onnx",
            "m.safetensors",
        ],
        ["onnx/vision_model.onnx", "onnx/text_model.onnx"],
    ),
    (
        ["vision_model.onnx", "text_model.onnx", "model.safetensors"],
        ["vision_model.onnx", "text_model.onnx", "model.safetensors"],
    ),
    (
        ["onnx/vision_model.onnx", "onnx/vision_model.onnx_data", "model.safetensors"],
        ["onnx/vision_model.onnx", "onnx/vision_model.onnx_data"],
    ),
    (["open_clip_model.safetensors", "model.safetensors"], ["model.safetensors"]),
]


@pytest.mark.parametrize(("listing", "wanted"), LISTINGS)
def test_one_weight_format_is_fetched(listing, wanted):
    assert weight_patterns(listing) == wanted


def test_a_trained_system_brings_its_base_encoder_along():
    files = [
        "config.json",
        "model.safetensors",
        "encoder/net.tflite",
        "encoder/a/b.onnx",
        "x/y.bin",
    ]
    wanted = ["model.safetensors", "encoder/net.tflite", "encoder/a/b.onnx"]
    assert weight_patterns(files) == wanted


@given(st.lists(st.text(max_size=30)))
def test_weight_patterns_only_names_what_is_there(listing):
    assert set(weight_patterns(listing)) <= set(listing)


class Hub:
    """Stands for the hub: what is asked of it is kept, what it answers is set."""

    def __init__(self, monkeypatch, folder, error=None, cached=True):
        self.folder, self.error, self.cached, self.asked = folder, error, cached, []
        monkeypatch.setattr(huggingface_hub, "HfApi", lambda: self)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", self.download)

    def list_repo_files(self, name):
        if self.error:
            raise self.error
        return ["config.json", "model.safetensors", "flax_model.msgpack"]

    def download(self, name, allow_patterns=None, local_files_only=False):
        self.asked.append((name, allow_patterns, local_files_only))
        if local_files_only and not self.cached:
            raise LocalEntryNotFoundError("nothing")
        return str(self.folder)

    def create_repo(self, name, exist_ok):
        self.asked.append((name, exist_ok))

    def upload_folder(self, repo_id, folder_path):
        if self.error:
            raise self.error
        self.asked.append((repo_id, folder_path))


def response(status):
    import httpx

    return httpx.Response(status, request=httpx.Request("GET", "https://huggingface.co"))


def test_fetch_takes_configuration_and_one_weight_format(monkeypatch, tmp_path):
    hub = Hub(monkeypatch, tmp_path)

    assert fetch("org/name") == tmp_path
    assert hub.asked == [("org/name", ["*.json", "*.txt", "*.model", "model.safetensors"], False)]


def test_fetch_offline_uses_the_cache_or_says_what_to_do(monkeypatch, tmp_path):
    Hub(monkeypatch, tmp_path, OSError("no route"))
    assert fetch("org/name") == tmp_path
    Hub(monkeypatch, tmp_path, OSError("no route"), cached=False)
    with pytest.raises(EncoderError, match="hf download org/name --local-dir"):
        fetch("org/name")


def test_fetch_without_network_for_real(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(EncoderError, match="cannot reach the Hugging Face hub for org/name"):
        fetch("org/name")


def test_fetch_of_a_gated_or_unknown_repository(monkeypatch, tmp_path):
    Hub(monkeypatch, tmp_path, GatedRepoError("gated", response=response(403)))
    with pytest.raises(EncoderError, match="accept its terms"):
        fetch("org/name")
    Hub(monkeypatch, tmp_path, RepositoryNotFoundError("gone", response=response(404)))
    with pytest.raises(NotFoundError, match="no repository 'org/name'"):
        fetch("org/name")


def test_push(monkeypatch, tmp_path):
    hub = Hub(monkeypatch, tmp_path)
    with pytest.raises(NotFoundError, match=r"no config\.json"):
        push(tmp_path, "org/name")
    (tmp_path / "config.json").write_text(json.dumps({}))

    assert push(tmp_path, "org/name") == "https://huggingface.co/org/name"
    assert hub.asked == [("org/name", True), ("org/name", str(tmp_path))]

    hub.error = OSError("no route")
    with pytest.raises(EncoderError, match="hf auth login"):
        push(tmp_path, "org/name")


def test_a_rename_that_fails_leaves_the_old_folder(tmp_path, monkeypatch):
    with atomic_folder(tmp_path / "one") as draft:
        (draft / "a").write_text("old")
    real = Path.rename

    def failing(self, target):
        if not self.name.endswith("-old") and Path(target).name == "one":
            raise OSError("no")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="no"), atomic_folder(tmp_path / "one") as draft:
        (draft / "a").write_text("new")
    assert files(tmp_path) == {"one/a": "old"}


def test_a_file_is_replaced_whole_and_a_failure_leaves_the_old_one(tmp_path, monkeypatch):
    write_atomically(tmp_path / "f", "first\n")
    write_atomically(tmp_path / "f", b"second\r\n")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "f", "third")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("f", b"second\r\n")]


def test_what_is_written_heeds_the_umask(tmp_path):
    """A folder that only its owner may read was once open to all."""
    before = os.umask(0o077)
    try:
        with atomic_folder(tmp_path / "secret") as draft:
            (draft / "weights").write_text("w")
    finally:
        os.umask(before)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o700


def half_of(path):
    with atomic_file(path) as file:
        file.write(b"half")
        raise OSError("gone")


def test_a_stream_that_breaks_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    (tmp_path / "f").write_text("old")
    with pytest.raises(OSError, match="gone"):
        half_of(tmp_path / "f")
    assert (tmp_path / "f").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
