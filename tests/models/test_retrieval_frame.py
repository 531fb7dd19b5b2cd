import json
import shutil
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from coordi.errors import EncoderError, UnknownNameError
from coordi.geometry import unit_rows
from coordi.models.artifact import (
    BaseEncoder,
    describe,
    load_backbone,
    load_system,
    save_system,
)
from coordi.models.batches import LabelSizes
from coordi.models.encoders.backbone import build_backbone, open_backbone
from coordi.models.encoders.names import mini_folder
from coordi.models.opening import open_encoder, open_system
from coordi.models.system import EmbeddingSystem, RerankingSystem, SystemSettings
from coordi.models.systems import SYSTEMS
from coordi.models.trained import query_side

SIZES = LabelSizes(5, 3, {"color": 4})
FEATURES = 256
PICTURES = [np.random.default_rng(seed).integers(0, 256, (50, 40, 3), np.uint8) for seed in (0, 1)]


class TwoTowersSettings(SystemSettings):
    dim: int = 6


class TwoTowers(EmbeddingSystem):
    """A system with all that a system may have."""

    Settings: ClassVar[type[SystemSettings]] = TwoTowersSettings
    two_towers = True
    conditions = ("color", "shape")

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: TwoTowersSettings) -> None:
        super().__init__(feature_dim, sizes, settings)
        self.street = nn.Linear(feature_dim, settings.dim)
        self.shop = nn.Linear(feature_dim, settings.dim)
        self.objective = nn.Linear(sizes.items, 2)

    def embed(self, features: Tensor, street: Tensor) -> Tensor:
        rows = torch.where(street[:, None], self.street(features), self.shop(features))
        return functional.normalize(rows, dim=1)

    def embed_condition(self, features: Tensor, street: Tensor, condition: str) -> Tensor:
        mask = torch.zeros(self.dim)
        mask[self.conditions.index(condition) :: 2] = 1
        return functional.normalize(self.embed(features, street) * mask, dim=1)


class PairScorer(RerankingSystem):
    """A re-ranker."""

    Settings: ClassVar[type[SystemSettings]] = TwoTowersSettings

    def __init__(self, feature_dim: int, sizes: LabelSizes, settings: TwoTowersSettings) -> None:
        super().__init__(feature_dim, sizes, settings)
        self.weight = nn.Parameter(torch.ones(feature_dim))

    def score_pairs(self, queries: Tensor, items: Tensor) -> Tensor:
        return (queries * items * self.weight).sum(1)


@pytest.fixture(autouse=True)
def systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SYSTEMS, "two-towers", TwoTowers)
    monkeypatch.setitem(SYSTEMS, "pair-scorer", PairScorer)


def make(folder: Path, system: str = "two-towers", **changes: object) -> nn.Module:
    """A system with random weights in `folder`, over coordi-mini."""
    torch.manual_seed(0)
    kind = SYSTEMS[system]
    model = kind(FEATURES, SIZES, kind.Settings())
    base = BaseEncoder(name="coordi-mini", fingerprint=open_encoder("coordi-mini").fingerprint)
    config = describe(system, model, SIZES, FEATURES, title="mine", encoder=base)
    config = config.model_copy(update=changes)
    folder.mkdir(exist_ok=True)
    save_system(folder, model, config)
    return model.eval()


def test_a_system_comes_back_as_it_was_without_its_losses(tmp_path: Path) -> None:
    made = make(tmp_path)
    loaded, config = load_system(tmp_path)
    features, street = torch.randn(7, FEATURES), torch.arange(7) % 2 == 0
    torch.testing.assert_close(loaded.embed(features, street), made.embed(features, street))
    assert LabelSizes(**config.sizes) == SIZES
    assert not any("objective" in name for name in load_file(tmp_path / "model.safetensors"))
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_the_base_classes_tell_vectors_from_scores() -> None:
    towers = TwoTowers(4, SIZES, TwoTowersSettings())
    assert isinstance(towers, EmbeddingSystem)
    assert not isinstance(towers, RerankingSystem)
    assert isinstance(PairScorer(4, SIZES, TwoTowersSettings()), RerankingSystem)


def test_an_artifact_is_an_encoder_of_its_base_and_its_system(tmp_path: Path) -> None:
    made, base = make(tmp_path), open_encoder("coordi-mini")
    encoder = open_encoder(str(tmp_path))
    features = torch.from_numpy(base.encode_images(PICTURES))
    with torch.no_grad():
        expected = made.embed(features, torch.zeros(2, dtype=torch.bool)).numpy()
    np.testing.assert_allclose(encoder.encode_images(PICTURES), unit_rows(expected), atol=1e-6)
    prepared = np.stack([encoder.prepare(picture) for picture in PICTURES])
    np.testing.assert_allclose(encoder.encode_prepared(prepared), expected, atol=1e-5)
    assert (encoder.name, encoder.dim) == ("mine", 6)
    assert encoder.modalities == {"image"}
    assert encoder.encode_prepared(prepared[:0]).shape == (0, 6)
    with pytest.raises(EncoderError, match="trained for pictures only"):
        encoder.encode_texts(["a dress"])
    with pytest.raises(EncoderError, match="not trained to be cut"):
        open_encoder(str(tmp_path), dim=3)


def test_the_street_side_is_another_tower_of_the_same_space(tmp_path: Path) -> None:
    made, base = make(tmp_path), open_encoder("coordi-mini")
    shop, street = open_encoder(str(tmp_path)), open_encoder(str(tmp_path), side="street")
    assert shop.fingerprint == street.fingerprint
    assert query_side(shop) == shop.side(street=True)
    features = torch.from_numpy(base.encode_images(PICTURES))
    with torch.no_grad():
        expected = made.embed(features, torch.ones(2, dtype=torch.bool)).numpy()
    np.testing.assert_allclose(street.encode_images(PICTURES), expected, atol=1e-6)
    assert not np.allclose(shop.encode_images(PICTURES), expected, atol=1e-2)
    assert open_encoder("coordi-mini", side="street").fingerprint == base.fingerprint


def test_a_condition_is_an_encoder_of_its_own(tmp_path: Path) -> None:
    make(tmp_path)
    whole, color = open_encoder(str(tmp_path)), open_encoder(f"{tmp_path}@color")
    assert color.name == "mine@color"
    assert len({e.fingerprint for e in (whole, color, open_encoder(f"{tmp_path}@shape"))}) == 3
    rows = color.encode_images(PICTURES)
    assert not rows[:, 1::2].any()
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    with pytest.raises(UnknownNameError, match="Did you mean 'color'"):
        open_encoder(f"{tmp_path}@colour")
    with pytest.raises(UnknownNameError, match="unknown encoder"):
        open_encoder("coordi-mini@color")


def test_fingerprints_follow_weights_and_base(tmp_path: Path) -> None:
    make(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    model = make(tmp_path / "b")
    with torch.no_grad():
        model.shop.weight[0, 0] += 1
    save_system(tmp_path / "b", model, load_system(tmp_path / "b")[1])
    prints = [open_encoder(str(tmp_path / name)).fingerprint for name in ("a", "copy", "b")]
    assert prints[0] == prints[1] != prints[2]


def test_another_base_encoder_is_refused(tmp_path: Path) -> None:
    make(tmp_path, encoder=BaseEncoder(name="coordi-mini", fingerprint="0" * 16))
    with pytest.raises(EncoderError, match=r"with fingerprint 0{16}.*train again"):
        open_encoder(str(tmp_path))
    make(tmp_path, encoder=BaseEncoder(name="coordi-mega", fingerprint="0" * 16))
    with pytest.raises(EncoderError, match=r"coordi-mega, which cannot be opened here: unknown"):
        open_encoder(str(tmp_path))


def test_a_base_without_a_name_travels_inside(tmp_path: Path) -> None:
    base = open_encoder("coordi-mini")
    shutil.copytree(mini_folder(), tmp_path / "encoder" / "base")
    make(
        tmp_path,
        encoder=BaseEncoder(name="own", fingerprint=base.fingerprint, inside="encoder/base"),
    )
    moved = tmp_path.with_name(tmp_path.name + "-moved")
    tmp_path.rename(moved)
    assert open_encoder(str(moved)).encode_images(PICTURES).shape == (2, 6)


def test_a_reranker_is_no_encoder(tmp_path: Path) -> None:
    make(tmp_path, "pair-scorer")
    with pytest.raises(EncoderError, match="reorders the results of another encoder"):
        open_encoder(str(tmp_path))
    system, _ = load_system(tmp_path)
    assert (
        system.score_pairs(torch.ones(3, FEATURES), torch.ones(3, FEATURES)).tolist() == [256.0] * 3
    )


def test_an_artefact_of_before_still_opens(tmp_path: Path) -> None:
    """Its config.json had a format of its own, and its sizes among the other fields."""
    made = make(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for new in ("family", "answers"):
        del config[new]
    before = {**config, **config.pop("sizes"), "format": "coordi-retrieval"}
    del before["sizes"]
    (tmp_path / "config.json").write_text(json.dumps(before))
    system, read = load_system(tmp_path)
    assert (read.family, read.answers) == ("retrieval", ("embed",))
    assert LabelSizes(**read.sizes) == SIZES
    features, street = torch.randn(7, FEATURES), torch.arange(7) % 2 == 0
    torch.testing.assert_close(system.embed(features, street), made.embed(features, street))
    assert open_encoder(str(tmp_path)).dim == 6


def test_the_shipped_towers_open_as_a_system_too() -> None:
    system, config = open_system(mini_folder())
    backbone, encoder = load_backbone(mini_folder()), open_encoder("coordi-mini")
    prepared = np.stack([encoder.prepare(picture) for picture in PICTURES])
    rows = system.embed(backbone(torch.from_numpy(prepared).float() / 127.5 - 1), torch.zeros(2))
    np.testing.assert_allclose(rows.numpy(), encoder.encode_prepared(prepared), atol=2e-3)
    assert (config.system, config.dim) == ("dual", 256)


def test_broken_folders_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="holds no trained system"):
        load_system(tmp_path)
    make(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for change, error, message in (
        ({"system": "twin-towers"}, UnknownNameError, "Did you mean 'two-towers'"),
        ({"settings": {"dim": 7}}, EncoderError, "do not fit its config.json"),
        (
            {"feature_dim": "many"},
            EncoderError,
            "config.json is not readable: feature_dim: Input should be",
        ),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(error, match=message):
            load_system(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(EncoderError, match="cannot be read"):
        load_system(tmp_path)


def test_a_backbone_sees_what_its_encoder_sees() -> None:
    base, backbone = open_encoder("coordi-mini"), open_backbone("coordi-mini", 128)
    prepared = np.stack([base.prepare(picture) for picture in PICTURES])
    with torch.no_grad():
        rows = backbone(torch.from_numpy(prepared).float() / 127.5 - 1)
    np.testing.assert_allclose(rows.numpy(), base.encode_prepared(prepared), atol=2e-3)
    assert backbone.config.dim == 256
    assert not backbone.train().training


def test_an_image_model_of_transformers_learns_along(tmp_path: Path) -> None:
    from transformers import ResNetConfig, ResNetModel, ViTImageProcessorPil

    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])
    ResNetModel(config).save_pretrained(tmp_path)
    processor = {"do_resize": True, "size": {"height": 48, "width": 48}}
    ViTImageProcessorPil(
        **processor, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.3, 0.4]
    ).save_pretrained(tmp_path)
    base, backbone = open_encoder(str(tmp_path)), open_backbone(str(tmp_path), 48)
    prepared = np.stack([base.prepare(picture) for picture in PICTURES])
    pixels = torch.from_numpy(prepared).float() / 127.5 - 1
    with torch.no_grad():
        rows = backbone(pixels)
        again = build_backbone(backbone.config)
        again.load_state_dict(backbone.state_dict())
        torch.testing.assert_close(again(pixels), rows)
    np.testing.assert_allclose(rows.numpy(), base.encode_prepared(prepared), atol=1e-4)


def test_a_model_that_cannot_learn_along_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EncoderError, match="cannot be trained end to end"):
        open_backbone(str(tmp_path), 32)
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(EncoderError, match="is a 'clip' model"):
        open_backbone(str(tmp_path), 32)


def test_an_end_to_end_artifact_carries_its_backbone(tmp_path: Path) -> None:
    backbone = open_backbone("coordi-mini", 64)
    model = TwoTowers(256, SIZES, TwoTowersSettings())
    with torch.no_grad():
        backbone.tower.head.weight.mul_(-1)  # as if it had learned
    config = describe("two-towers", model, SIZES, 256, title="whole", backbone=backbone.config)
    save_system(tmp_path, model, config, backbone)
    encoder = open_encoder(str(tmp_path))
    assert encoder.image_size == 64
    prepared = np.stack([encoder.prepare(picture) for picture in PICTURES])
    with torch.no_grad():
        features = backbone(torch.from_numpy(prepared).float() / 127.5 - 1)
        expected = model.embed(features, torch.zeros(2, dtype=torch.bool)).numpy()
    np.testing.assert_allclose(encoder.encode_images(PICTURES), expected, atol=1e-5)
    torch.testing.assert_close(load_backbone(tmp_path).state_dict(), backbone.state_dict())
