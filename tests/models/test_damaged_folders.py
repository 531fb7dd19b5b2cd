"""Folders of models that are damaged, or planted: an error that says so, and nothing is run."""

import contextlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from coordi.errors import CoordiError, EncoderError
from coordi.models.artifact import ArtifactConfig, BaseEncoder, describe, save_system
from coordi.models.batches import LabelSizes
from coordi.models.encoders.backbone import open_backbone
from coordi.models.encoders.names import mini_folder
from coordi.models.opening import open_encoder
from coordi.models.reranking import open_reranker
from coordi.models.systems import SYSTEMS

SIZES = LabelSizes(5, 3, {"color": 4})


def make(folder: Path, name: str) -> Path:
    """The artefact of a system, over coordi-mini."""
    kind: Any = SYSTEMS[name]
    system = kind(256, SIZES, kind.Settings())
    base = open_encoder("coordi-mini")
    frozen = BaseEncoder(name="coordi-mini", fingerprint=base.fingerprint)
    config = describe(name, system, SIZES, 256, title="mine", encoder=frozen)
    folder.mkdir()
    save_system(folder, system, config)
    return folder


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    "name", sorted(SYSTEMS.keys() - {"dual", "finder", "parts"})
)  # they take pixels
def test_every_system_opens_as_it_was_saved(tmp_path: Path, name: str) -> None:
    folder = make(tmp_path / "x", name)
    opened: Any = (
        open_reranker(folder) if name in {"wtbi", "studio2shop", "street2fashion2shop"} else None
    )
    assert (opened or open_encoder(str(folder))).name == "mine"
    most = {"items": 10**18, "categories": 3, "attributes": {"color": 4}}
    edit(folder, sizes=most)  # items size nothing that is kept
    assert (open_reranker(folder) if opened else open_encoder(str(folder))).name == "mine"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"feature_dim": 10**12}, "do not fit|cannot be built"),
        ({"feature_dim": -1}, "cannot be built"),
        ({"feature_dim": 10**40}, "cannot be built|valid"),
        ({"dim": 10**12}, "contradict each other"),
        ({"dim": None}, "contradict each other"),
        ({"settings": {"dim": 10**10, "loss": "arcface"}}, "should be|cannot be built"),
        ({"settings": {"dim": 10**10}, "dim": 10**10}, "linear.weight should be|cannot be built"),
        ({"settings": {"loss": "nope"}}, "unknown loss 'nope'"),
        ({"settings": {"nope": 1}}, "cannot be built"),
        ({"settings": []}, "settings: Input should be a valid dictionary"),
        ({"system": "nope"}, "unknown system 'nope'"),
        ({"encoder": None}, "cannot be opened"),
        ({"encoder": {"name": ".", "fingerprint": "x", "inside": "."}}, "fingerprint|cannot be"),
        ({"sizes": {"items": "many"}}, "cannot be built.*items"),
        ({"sizes": {"pieces": 3}}, "cannot be built.*items: Missing"),
        ({"answers": []}, "reorders the results"),
    ],
)
def test_an_odd_config_is_told(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    folder = make(tmp_path / "x", "head")
    edit(folder, **changes)
    with pytest.raises(CoordiError, match=said):
        open_encoder(str(folder))


def _drop(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _cut(folder: Path) -> None:
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def _other_shape(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    name = sorted(weights)[-1]
    save_file({**weights, name: torch.ones(3, 7, 2)}, folder / "model.safetensors")


def _one_less(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights.pop(sorted(weights)[-1])
    save_file(weights, folder / "model.safetensors")


def _deep(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 100_000)


def _list(folder: Path) -> None:
    (folder / "config.json").write_text("[]")


@pytest.mark.parametrize("damage", [_drop, _cut, _other_shape, _one_less, _deep, _list])
@pytest.mark.parametrize("name", ["head", "wtbi"])
def test_damaged_files_are_named(tmp_path: Path, name: str, damage: Callable[[Path], None]) -> None:
    folder = make(tmp_path / "x", name)
    damage(folder)
    with pytest.raises(EncoderError, match=str(folder)):
        open_encoder(str(folder)) if name == "head" else open_reranker(folder)


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    return Path(shutil.copytree(mini_folder(), tmp_path / "mini"))


@pytest.mark.parametrize(
    ("file", "changes", "said"),
    [
        ("config.json", {"dim": 10**12}, "different widths"),
        ("config.json", {"dim": "x"}, "different widths"),
        ("config.json", {"matryoshka_dims": 3}, "cannot be opened"),
        ("preprocessor_config.json", {"size": 10**9}, "a side of 1000000000 pixels"),
        ("preprocessor_config.json", {"size": {"height": 0, "width": 4}}, "a side of 0 pixels"),
        ("preprocessor_config.json", {"size": "x"}, "is not understood"),
        ("preprocessor_config.json", {"image_mean": "x"}, "cannot be opened"),
        ("tokenizer.json", {"model": {}}, "tokenizer.json cannot be read"),
    ],
)
def test_odd_files_of_onnx_towers_are_told(
    mini: Path, file: str, changes: dict[str, Any], said: str
) -> None:
    path = mini / file
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changes}), "utf-8")
    with pytest.raises(EncoderError, match=said):
        open_encoder(str(mini), dim=64)


@pytest.mark.parametrize("changes", [{"dim": 10**12}, {"dim": "x"}])
def test_a_tower_that_shall_learn_along_fits_its_config(mini: Path, changes: Any) -> None:
    edit(mini, **changes)
    with pytest.raises(EncoderError, match=r"the weights of .* cannot be used"):
        open_backbone(str(mini), 64)


class Payload:
    """What an attacker pickles."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return (os.mkdir, (str(self.proof),))


@pytest.mark.parametrize("how", [lambda x, p: torch.save(x, p), lambda x, p: pickle.dump(x, p)])
def test_pickled_weights_run_nothing(tmp_path: Path, how: Callable[[Any, Any], None]) -> None:
    from transformers import ViTConfig

    proof, folder = tmp_path / "proof", tmp_path / "model"
    ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1).save_pretrained(folder)
    with (folder / "pytorch_model.bin").open("wb") as file:
        how({"x": Payload(proof)}, file)
    with pytest.raises(EncoderError, match="cannot load the model"):
        open_encoder(str(folder))
    assert not proof.exists()


def test_code_that_a_folder_brings_is_not_run(tmp_path: Path) -> None:
    """Neither is anybody asked whether it shall be, which would wait for an answer."""
    from transformers import BertConfig, BertModel

    proof, folder = tmp_path / "proof", tmp_path / "model"
    small = BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        vocab_size=20,
    )  # fmt: skip
    BertModel(small).save_pretrained(folder)
    (folder / "evil.py").write_text(f"import os\nos.mkdir({str(proof)!r})\nclass T: pass\n")
    edit(folder, auto_map={"AutoModel": "evil.T", "AutoConfig": "evil.T"})
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "T", "auto_map": {"AutoTokenizer": ["evil.T", "evil.T"]}})
    )
    with pytest.raises(EncoderError):
        open_encoder(str(folder))
    assert not proof.exists()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("head") / "x", "head")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(field=st.sampled_from(sorted(ArtifactConfig.model_fields)), value=JSON)
def test_any_value_of_any_field_opens_or_is_told(head: Path, field: str, value: Any) -> None:
    whole = (head / "config.json").read_text()
    try:
        edit(head, **{field: value})
        with contextlib.suppress(CoordiError):
            open_encoder(str(head))
    finally:
        (head / "config.json").write_text(whole)
