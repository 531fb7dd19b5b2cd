"""Street2Fashion2Shop: the network of Studio2Shop, and the masks that it asks for."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Pillow

from coordi.models.batches import LabelSizes
from coordi.models.systems import SYSTEMS
from coordi.training.run import run


def shop(folder: Path, masks: bool) -> list[str]:
    """Twelve garments, each before white and before noise in the street; overrides to train on."""
    draw = np.random.default_rng(0)
    lines = ["id,image,worn,mask"]
    for number in range(12):
        color = draw.integers(0, 200, 3)
        packshot, street = np.full((2, 32, 32, 3), 255, np.uint8)
        street[:] = draw.integers(0, 256, street.shape)
        mask = np.zeros((32, 32), np.uint8)
        for picture in (packshot, street):
            picture[8:24, 8:24] = color + draw.integers(0, 20, (16, 16, 3))
        mask[8:24, 8:24] = 5
        for name, pixels in (("shop", packshot), ("worn", street), ("mask", mask)):
            Pillow.fromarray(pixels).save(folder / f"{name}{number}.png")
        lines.append(f"{number},shop{number}.png,worn{number}.png,mask{number}.png")
    (folder / "pairs.csv").write_text("\n".join(lines))
    spec = {
        "kind": "pairs", "path": "pairs.csv", "pairs": "pairs.csv", "val": 0.3,
        "map": {"id": "id", "image": "image"},
        "pairs_map": {"image": "worn", "item": "id", **({"mask": "mask"} if masks else {})},
    }  # fmt: skip
    return [
        f"data={folder}", f"collection={json.dumps(spec)}", "encoder=color-histogram", "batch=8",
        "steps=4", "validate_every=2",
    ]  # fmt: skip


def test_it_is_the_network_of_studio2shop() -> None:
    nets = []
    for name in ("studio2shop", "street2fashion2shop"):
        torch.manual_seed(0)
        nets.append(SYSTEMS[name](6, LabelSizes(3, 0, {}), SYSTEMS[name].Settings()))
    torch.testing.assert_close(nets[0].state_dict(), nets[1].state_dict())
    assert [net.before_white for net in nets] == [False, True]


def test_it_trains_on_photos_before_white_and_says_how_many(tmp_path: Path) -> None:
    artifact = run("street2fashion2shop", shop(tmp_path, True), output=tmp_path / "run", quiet=True)
    card = (artifact / "README.md").read_text("utf-8")
    assert "| photos whose background is white | " in card


def test_without_masks_it_says_what_is_missing(tmp_path: Path) -> None:
    said: list[str] = []
    options = shop(tmp_path, False)
    run("street2fashion2shop", options, output=tmp_path / "run", quiet=True, say=said.append)
    assert any("no training photo has a mask" in line for line in said)
