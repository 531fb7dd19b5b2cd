import random

import numpy as np
import pytest
import torch

from coordi.training.augment import augment
from coordi.training.examples import Example, nearest_color
from coordi.training.sentences import Caption, truth_matrix, write_caption


def _example(category: str | None, color: str | None, group: str = "g", title: str = "") -> Example:
    return Example("id", "shop", group, category, color, title=title)


def test_truth_follows_the_claims() -> None:
    examples = [
        _example("heels", "navy", "a"),
        _example("shoes", "blue", "b"),
        _example("dress", None, "c"),
        _example("heels", "navy", "a"),
    ]
    captions = [
        Caption("navy heels", "heels", "navy"),
        Caption("shoes", "shoes", None),
        Caption("a summer dress", "dress", None, specific=True),
        Caption("the title", specific=True),
    ]
    assert truth_matrix(examples, captions).tolist() == [
        [1, 1, -1, 0],  # the last title belongs to a picture of the same garment and colour
        [0, 1, -1, -1],  # blue shoes may be navy heels
        [-1, -1, 1, -1],
        [1, 1, -1, 1],
    ]


def test_captions_are_seeded_and_only_say_what_is_known() -> None:
    example = _example("dress", "red")
    captions = [write_caption(example, random.Random(seed)) for seed in range(200)]
    assert captions == [write_caption(example, random.Random(seed)) for seed in range(200)]
    assert all(("red" in c.text) == (c.color == "red") for c in captions)
    assert {(c.category, c.color) for c in captions} == {
        ("dress", "red"), ("dress", None), (None, "red"),
    }  # fmt: skip


def test_a_picture_nobody_knows_anything_of() -> None:
    assert write_caption(_example(None, None), random.Random(0)).specific


@pytest.mark.parametrize(
    ("rgb", "name"),
    [((20, 20, 22), "black"), ((240, 240, 238), "white"), ((32, 40, 72), "navy"),
     ((180, 35, 45), "red"), ((140, 60, 35), None)],
)  # fmt: skip
def test_nearest_color(rgb: tuple[float, float, float], name: str | None) -> None:
    assert nearest_color(rgb) == name


def test_augmentation_keeps_the_colour_of_a_garment() -> None:
    torch.manual_seed(0)
    red = torch.tensor([0.7, 0.1, 0.15]).reshape(1, 3, 1, 1).expand(64, 3, 40, 40)
    out = augment(red, torch.zeros(64, dtype=torch.bool), torch.rand(4, 3, 8, 8), 32)
    assert out.shape == (64, 3, 32, 32)
    assert float(out.abs().max()) <= 1
    names = {nearest_color(tuple(((p.mean((1, 2)) + 1) * 127.5).tolist())) for p in out}
    assert names <= {"red", None}
    assert "red" in names


def test_backgrounds_replace_white_and_leave_the_garment() -> None:
    torch.manual_seed(0)
    picture = torch.ones(64, 3, 40, 40)
    picture[:, :, 12:28, 12:28] = 0.2
    green = torch.tensor([0.0, 1.0, 0.0]).reshape(1, 3, 1, 1).expand(4, 3, 8, 8)
    out = augment(picture, torch.ones(64, dtype=torch.bool), green, 40)
    corners = out[:, :, 0, 0]
    changed = (corners[:, 1] > corners[:, 0] + 0.5).numpy()
    assert 5 < changed.sum() < 35
    assert np.allclose(out[:, 1, 20, 20].numpy(), out[:, 0, 20, 20].numpy(), atol=0.25)
