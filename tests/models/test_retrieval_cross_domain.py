"""Systems across two domains: where they start, who learns from what, and that they learn."""

import pytest
import torch
from torch.nn import functional

from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.retrieval.darn import Darn, DarnSettings
from coordi.models.retrieval.mtct import Mtct, MtctSettings
from coordi.models.retrieval.robust_contrastive import (
    RobustContrastive,
    RobustContrastiveSettings,
)
from coordi.models.retrieval.tower import AttributeHeads, Tower
from coordi.models.systems import SYSTEMS

DIM, ITEMS, CATEGORIES = 24, 30, 3
SIZES = LabelSizes(ITEMS, CATEGORIES, {"color": 4})
NAMES = ["cross-triplet", "darn", "ddan", "mtct", "robust-contrastive"]
TWO_TOWERS = ["darn", "ddan", "mtct"]


def world(views=4, seed=0):
    """Garments (features) of which street photos show a turned, noisy copy beside the shop's."""
    generator = torch.Generator().manual_seed(seed)
    garments = functional.normalize(torch.randn(ITEMS, DIM, generator=generator), dim=1)
    turn, _ = torch.linalg.qr(torch.randn(DIM, DIM, generator=generator))
    turn = 0.3 * torch.eye(DIM) + turn
    items = torch.arange(ITEMS).repeat(2 * views)
    street = torch.arange(len(items)) < len(items) // 2
    noise = 0.05 * torch.randn(len(items), DIM, generator=generator)
    rows = torch.where(street[:, None], garments[items] @ turn, garments[items]) + noise
    return PhotoBatch(
        functional.normalize(rows, dim=1), items, street, items % CATEGORIES, items[:, None] % 4
    )


def build(name, **settings):
    torch.manual_seed(0)
    kind = SYSTEMS[name]
    return kind(DIM, SIZES, kind.Settings(dim=16, hidden=32, dropout=0.0, **settings))


def recall(net, batch):
    """R@1 of street photos among shop photos."""
    rows = net.eval().embed(batch.inputs, batch.street)
    near = (rows[batch.street] @ rows[~batch.street].T).argmax(1)
    return (batch.items[~batch.street][near] == batch.items[batch.street]).float().mean().item()


@pytest.mark.parametrize("name", NAMES)
def test_it_starts_as_the_leading_directions_of_the_features(name):
    batch, net = world(), build(name).eval()
    net.fit_input(batch.inputs)
    _, _, directions = torch.linalg.svd(batch.inputs.double(), full_matrices=False)
    want = functional.normalize(batch.inputs @ directions[:16].T.float(), dim=1)
    for street in (batch.street, ~batch.street):
        got = net.embed(batch.inputs, street)
        torch.testing.assert_close(got @ got.T, want @ want.T, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_the_two_domains_share_a_tower_or_do_not(name):
    batch, net = world(), build(name)
    rows = net.embed(batch.inputs, torch.ones_like(batch.street))
    rows[:, 0].sum().backward()
    reached = {key for key, p in net.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached
    if name in TWO_TOWERS:
        assert not any(key.startswith("towers.shop") for key in reached)
        assert any(key.startswith("towers.street") for key in reached)


@pytest.mark.parametrize("name", NAMES)
def test_training_finds_more_than_the_untrained(name):
    batch, net = world(), build(name, **({"align": "item"} if name == "ddan" else {}))
    net.fit_input(batch.inputs)
    before = recall(net, batch)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    first = last = None
    for step in range(150):
        net.train()
        parts = net.losses(batch.inputs, batch, max(0.0, step / 150 - 0.01))
        last = sum(parts.values())
        first = last.item() if step in (0, 40) else first  # MTCT's second stage begins by 40
        optimizer.zero_grad()
        last.backward()
        optimizer.step()
    assert last.item() < first
    assert recall(net, batch) > before + 0.5


def test_unknown_attributes_count_nowhere():
    heads, rows = AttributeHeads(8, SIZES), torch.randn(6, 8)
    categories = torch.tensor([0, 1, -1, -1, 2, 0])
    nothing = torch.full((6, 1), -1)
    slow = [
        functional.cross_entropy(heads.heads[0](rows[i : i + 1]), categories[i : i + 1])
        for i in (0, 1, 4, 5)
    ]
    torch.testing.assert_close(heads.loss(rows, categories, nothing), sum(slow) / 4)
    assert heads.loss(rows, torch.full((6,), -1), nothing).item() == 0.0
    half = torch.tensor([[3], [-1], [-1], [0], [-1], [-1]])
    colors = [functional.cross_entropy(heads.heads[1](rows[i : i + 1]), half[i]) for i in (0, 3)]
    want = (sum(slow) / 4 + sum(colors) / 2) / 2
    torch.testing.assert_close(heads.loss(rows, categories, half), want)


def test_darn_teaches_each_domain_by_its_own_heads():
    batch = world()
    net = Darn(DIM, SIZES, DarnSettings(dim=16, hidden=32))
    net.losses(batch.inputs, batch, 0.0)["street"].backward()
    assert net.street_heads.heads[0].weight.grad.any()
    assert net.shop_heads.heads[0].weight.grad is None
    assert net.towers.street.hidden[0].weight.grad.any()
    shop = net.towers.shop.hidden[0].weight.grad
    assert shop is None or not shop.any()


def test_mtct_begins_with_shop_attributes_alone():
    batch = world()
    net = Mtct(DIM, SIZES, MtctSettings(dim=16, hidden=32, stage1=0.5))
    inputs = batch.inputs.clone().requires_grad_()
    first = net.losses(inputs, batch, 0.49)
    assert set(first) == {"shop"}
    first["shop"].backward()
    assert not inputs.grad[batch.street].any()
    assert inputs.grad[~batch.street].any(1).all()
    assert net.towers.shop.project.weight.grad is None  # the embedding is the second stage's
    assert all(p.grad is None for p in net.towers.street.parameters())
    assert set(net.losses(batch.inputs, batch, 0.5)) == {"shop", "street", "triplets"}


def test_mtct_hands_its_source_network_over_once():
    batch = world()
    net = Mtct(DIM, SIZES, MtctSettings(dim=16, hidden=32, stage1=0.5))
    torch.nn.init.normal_(net.towers.shop.last.weight)  # as if it had learned
    net.losses(batch.inputs, batch, 0.4)
    assert not net.towers.street.last.weight.any()
    net.eval().losses(batch.inputs, batch, 0.6)
    assert not net.towers.street.last.weight.any()  # who only looks changes nothing
    net.train().losses(batch.inputs, batch, 0.6)
    assert torch.equal(net.towers.street.last.weight, net.towers.shop.last.weight)
    for mine, theirs in zip(
        net.street_heads.parameters(), net.shop_heads.parameters(), strict=True
    ):
        assert torch.equal(mine, theirs)
    torch.nn.init.zeros_(net.towers.street.last.weight)
    net.losses(batch.inputs, batch, 0.7)
    assert not net.towers.street.last.weight.any()
    assert len([m for m in net.shop_heads.heads[0] if isinstance(m, torch.nn.Linear)]) == 3


def test_mtct_takes_the_degrees_of_freedom_of_t_ste():
    batch, losses = world(), []
    for alpha in (None, 15.0):
        torch.manual_seed(0)
        net = Mtct(DIM, SIZES, MtctSettings(dim=16, hidden=32, alpha=alpha)).eval()
        losses.append(net.losses(batch.inputs, batch, 0.9)["triplets"].item())
    assert losses[0] == losses[1]


def test_darn_ranks_by_its_first_dense_layer_beside_the_features():
    batch = world()
    net = Darn(DIM, SIZES, DarnSettings(hidden=32, rank="dense")).eval()
    rows = net.embed(batch.inputs, batch.street)
    assert net.dim == rows.shape[1] == 32 + DIM
    for n in (0, len(rows) - 1):
        tower = net.towers.street if batch.street[n] else net.towers.shop
        first = torch.relu(tower.hidden[0](batch.inputs[n] * DIM**0.5))
        slow = torch.cat([first / first.norm(), batch.inputs[n] / batch.inputs[n].norm()])
        torch.testing.assert_close(rows[n], slow / slow.norm())
    net.losses(batch.inputs, batch, 0.0)["triplets"].backward()
    assert net.towers.street.hidden[0].weight.grad.any()


def test_the_ceiling_of_robust_contrastive_falls_geometrically():
    chosen = RobustContrastiveSettings(dim=16, hidden=32, limit=0.25, first_limit=4.0)
    net = RobustContrastive(DIM, SIZES, chosen)
    assert [net.limit(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([4.0, 1.0, 0.25])
    still = RobustContrastive(DIM, SIZES, RobustContrastiveSettings(limit=0.3))
    assert still.limit(0.0) == still.limit(0.9) == pytest.approx(0.3)
    batch = world()
    early, late = (net.eval().losses(batch.inputs, batch, p)["pairs"].item() for p in (0.0, 0.99))
    assert early > late


def test_a_tower_wider_than_its_features_keeps_them_whole():
    tower = Tower(6, 8, 10, 0.0).eval()
    rows = functional.normalize(torch.randn(20, 6), dim=1)
    tower.fit_input(rows)
    got = tower(rows)
    torch.testing.assert_close(got @ got.T, rows @ rows.T, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_one_domain_is_no_error(name):
    batch = world()
    for street in (torch.ones_like(batch.street), torch.zeros_like(batch.street)):
        parts = build(name).losses(batch.inputs, batch._replace(street=street), 0.9)
        assert all(torch.isfinite(part) for part in parts.values())
        sum(parts.values()).backward()
