import numpy as np
import pytest
import torch

from coordi.models.encoders.cells import CELL, COLORS, SEEN, TEXTURE, Cells, choose_anchors, lab_of
from coordi.models.encoders.efficientnet_lite import EfficientNetLite
from coordi.models.encoders.mini import fold_batch_norm
from coordi.models.encoders.parts import PartsTower
from coordi.models.encoders.products import as_products


@pytest.fixture(scope="module")
def network() -> EfficientNetLite:
    torch.manual_seed(0)
    return EfficientNetLite(0).eval()


@pytest.fixture(scope="module")
def tower(network: EfficientNetLite) -> PartsTower:
    torch.manual_seed(1)
    made = PartsTower(64).eval()
    made.start_from(network)
    pictures = [np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8) for _ in range(4)]
    made.cells.start_from(network, choose_anchors(pictures, 0))
    return made


@pytest.mark.parametrize("sides", [(12, 10), (4, 4), (6, 4)])
def test_matrix_products_are_the_convolutions(
    network: EfficientNetLite, sides: tuple[int, int]
) -> None:
    whole = fold_batch_norm(network)
    maps = torch.rand(3, SEEN, *sides) * 4
    hidden = maps
    for block in whole.blocks[11:]:
        hidden = block(hidden)
    slow = whole.head(hidden).flatten(2).transpose(1, 2)
    fast = as_products(list(whole.blocks[11:]), whole.head, maps)
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-4)


def test_cells_hold_the_maps_their_spread_and_the_shares_of_colours(tower: PartsTower) -> None:
    pixels = torch.rand(2, 3, 64, 96) * 2 - 1
    cells = tower.cells(pixels)
    assert cells.shape == (2, SEEN + TEXTURE + COLORS, 64 // CELL, 96 // CELL)
    hidden = tower.cells.stem(pixels)
    for block in tower.cells.blocks[:3]:
        hidden = block(hidden)
    place = hidden[1, :, 4:8, 8:12].flatten(1)  # the cell in row 1 and column 2
    torch.testing.assert_close(cells[1, SEEN : SEEN + 24, 1, 2], place.mean(1))
    deviation = (place.var(1, correction=0) + 1e-4).sqrt()
    torch.testing.assert_close(
        cells[1, SEEN + 24 : SEEN + 48, 1, 2], deviation, atol=1e-4, rtol=1e-3
    )
    torch.testing.assert_close(cells[:, -COLORS:].sum(1), torch.ones(2, 4, 6))


def test_a_picture_of_an_anchor_shows_that_colour(tower: PartsTower) -> None:
    rgb = torch.tensor([200, 30, 40]) / 127.5 - 1
    pixels = rgb[None, :, None, None].expand(1, 3, 64, 64)
    lab = lab_of(pixels)[0, :, 0, 0]
    nearest = (tower.cells.anchors - lab).norm(dim=1).argmin()
    assert tower.cells(pixels)[0, -COLORS:, 1, 1].argmax() == nearest


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [((255, 255, 255), (100, 0, 0)), ((0, 0, 0), (0, 0, 0)), ((255, 0, 0), (53.24, 80.09, 67.2)),
     ((0, 0, 255), (32.3, 79.19, -107.86))],
)  # fmt: skip
def test_lab_of_known_colours(rgb: tuple[int, ...], lab: tuple[float, ...]) -> None:
    pixels = (torch.tensor(rgb).float() / 127.5 - 1)[None, :, None, None]
    torch.testing.assert_close(
        lab_of(pixels)[0, :, 0, 0], torch.tensor(lab).float(), atol=0.1, rtol=0
    )


def test_parts_are_unit_rows_whose_weights_say_how_much_they_count(tower: PartsTower) -> None:
    pixels = torch.rand(3, 3, 64, 64) * 2 - 1
    cells = tower.cells(pixels)
    parts, fast = tower.see(cells), tower.see(cells, products=True)
    for one, other in zip(parts, fast, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    rows = tower(pixels)
    weights = torch.nn.functional.softplus(tower.weights)
    share = (weights / weights.norm()) ** 2
    likeness = sum(w * part @ part.T for w, part in zip(share, parts[:3], strict=True))
    torch.testing.assert_close(rows @ rows.T, likeness, atol=1e-5, rtol=1e-4)


def test_every_prefix_holds_its_share_of_every_part(tower: PartsTower) -> None:
    kind, color, texture = tower.dims
    assert sorted(tower.order.tolist()) == list(range(64))
    first = tower.order[:32]
    assert (first < kind).sum() == kind // 2
    assert (first >= kind + color).sum() == texture // 2
    assert (kind, color, texture) == (40, 16, 8)


def test_what_gets_no_attention_does_not_count(
    tower: PartsTower, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = tower.cells(torch.rand(1, 3, 64, 64) * 2 - 1).detach()
    other = cells.clone()
    other[:, -COLORS:, 0] = cells[:, -COLORS:, 0].flip(1)
    attended = tower.see(cells).color - tower.see(other).color
    monkeypatch.setattr(tower, "attention", _BelowTheFirstRow())
    ignored = tower.see(cells).color - tower.see(other).color
    assert ignored.norm() < 1e-4 < 100 * 1e-4 < attended.norm()


class _BelowTheFirstRow(torch.nn.Module):
    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(seen), 4, *seen.shape[2:])
        logits[:, :, 0] = -60
        return logits


def test_cells_never_learn(tower: PartsTower) -> None:
    tower(torch.rand(1, 3, 64, 64)).sum().backward()
    assert all(p.grad is None for p in Cells().parameters())
    assert all(p.grad is None for p in tower.cells.parameters())
    assert all(p.grad is not None for p in tower.blocks.parameters())
