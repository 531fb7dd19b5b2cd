import numpy as np
import pytest
import torch
from pydantic import ValidationError

from coordi.errors import UnknownNameError
from coordi.geometry import unit_rows
from coordi.models.batches import LabelSizes
from coordi.models.retrieval.head import Head, HeadSettings
from coordi.models.retrieval.mined import MinedLoss, MinedSettings
from coordi.models.retrieval.single_tower import SingleTower, SingleTowerSettings
from coordi.objectives.metric import make_loss, make_miner

SIZES = LabelSizes(6, 2, {})
STREET = torch.zeros(20, dtype=torch.bool)


def features(count: int = 20, dim: int = 12, rank: int | None = None) -> torch.Tensor:
    rows = np.random.default_rng(0).normal(size=(count, rank or dim))
    wide = np.random.default_rng(1).normal(size=(rank or dim, dim))
    return torch.from_numpy(unit_rows(rows @ wide if rank else rows))


@pytest.mark.parametrize("hidden", [(), (16,), (16, 8)])
def test_a_tower_has_the_layers_it_is_told(hidden: tuple[int, ...]) -> None:
    model = SingleTower(12, SIZES, SingleTowerSettings(dim=5, hidden=hidden)).eval()
    widths = [layer.out_features for layer in model.layers if isinstance(layer, torch.nn.Linear)]
    assert widths == [*hidden, 5]
    rows = model.embed(features(), STREET)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(20))
    torch.testing.assert_close(model.embed(features()[:3], STREET[:3]), rows[:3])


@pytest.mark.parametrize("dim", [12, 16])
@pytest.mark.parametrize("hidden", [0, 8])
def test_a_head_starts_as_its_encoder(dim: int, hidden: int) -> None:
    head = Head(12, SIZES, HeadSettings(dim=dim, hidden=hidden)).eval()
    head.fit_input(features())
    rows = head.embed(features(), STREET)
    torch.testing.assert_close(rows @ rows.T, features() @ features().T)


def test_a_narrow_head_starts_with_the_leading_directions() -> None:
    """Features that lie in four dimensions lose nothing when four are kept."""
    flat = features(rank=4)
    head = Head(12, SIZES, HeadSettings(dim=4)).eval()
    head.fit_input(flat)
    rows = head.embed(flat, STREET)
    torch.testing.assert_close(rows @ rows.T, flat @ flat.T, atol=1e-5, rtol=1e-4)
    _, _, right = torch.linalg.svd(flat)
    overlap = (head.linear.weight @ right[:4].T).detach()
    torch.testing.assert_close(overlap @ overlap.T, torch.eye(4), atol=1e-4, rtol=0)


def test_the_loss_is_of_the_pairs_that_the_miner_picks() -> None:
    rows, labels = features(), torch.arange(20) % 6
    margin = {"margin": 0.3}
    chosen = MinedSettings(
        loss="triplet", loss_settings=margin, miner="semihard", miner_settings=margin
    )
    mined = MinedLoss(chosen, dim=12, classes=6)
    picked = make_miner({"kind": "semihard", "margin": 0.3})(rows, labels)
    expected = make_loss({"kind": "triplet", "margin": 0.3}, dim=12, classes=6)(
        rows, labels, picked
    )
    torch.testing.assert_close(mined(rows, labels), expected)
    everything = MinedLoss(MinedSettings(loss="triplet", loss_settings=margin), dim=12, classes=6)
    assert everything(rows, labels) != mined(rows, labels)


def test_unknown_names_and_settings() -> None:
    with pytest.raises(ValidationError, match="need a miner"):
        SingleTowerSettings(miner_settings={"margin": 1})
    with pytest.raises(UnknownNameError, match="Did you mean 'triplet'"):
        SingleTower(12, SIZES, SingleTowerSettings(loss="triplets"))
    with pytest.raises(UnknownNameError, match="Did you mean 'temperature'"):
        Head(12, SIZES, HeadSettings(loss_settings={"temperatur": 1}))
