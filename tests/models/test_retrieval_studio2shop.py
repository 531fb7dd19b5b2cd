"""Studio2Shop: where it starts, which side learns, and its gradients."""

import pytest
import torch
from torch.nn import functional

from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.retrieval.studio2shop import Studio2Shop, Studio2ShopSettings

DIM = 8


def unit(*shape, seed=0):
    rows = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return functional.normalize(rows, dim=-1)


def model(**settings):
    torch.manual_seed(0)
    chosen = Studio2ShopSettings(**{"tower": 12, "hidden": (10,), "dropout": 0.0} | settings)
    return Studio2Shop(DIM, LabelSizes(5, 0, {}), chosen)


def stirred(net):
    """The model with its zeroed layers at random, as after some learning."""
    torch.nn.init.normal_(net.tower[-1].weight, std=0.1)
    torch.nn.init.normal_(net.last.weight)
    return net


def test_before_the_first_step_it_is_the_first_stage():
    net, query, items = model().eval(), unit(DIM, seed=1), unit(40, DIM, seed=2)
    torch.testing.assert_close(net.query(query[None])[0], query)
    scores = net.score_pairs(query.expand(40, -1), items)
    assert torch.equal(scores.argsort(), (items @ query).argsort())


def test_the_tower_makes_unit_rows_of_queries_only():
    net, queries, items = stirred(model()).eval(), unit(6, DIM, seed=1), unit(6, DIM, seed=2)
    rows = net.query(queries)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(6))
    assert (rows - queries).abs().max().item() > 0.01
    torch.testing.assert_close(net.score_pairs(queries, items), net.match(rows, items))


def test_the_articles_features_get_no_gradient():
    features = unit(8, DIM).requires_grad_()
    items = torch.arange(4).repeat(2)
    street = torch.arange(8) < 4
    batch = PhotoBatch(
        features, items, street, torch.full((8,), -1), torch.empty(8, 0, dtype=torch.long)
    )
    net = stirred(model(negatives=2))
    net.losses(features, batch, 0.0)["pairs"].backward()
    assert bool((features.grad[:4].abs().sum(1) > 0).all())
    assert not bool(features.grad[4:].any())
    assert all(bool(p.grad.abs().sum() > 0) for p in net.parameters() if p.ndim > 1)


@pytest.mark.parametrize("pair", ["concatenated", "compared"])
def test_gradients_of_the_score(pair):
    net = stirred(model(pair=pair)).double()
    inputs = (unit(3, DIM, seed=1).double(), unit(3, DIM, seed=2).double())
    for tensor in inputs:
        tensor.requires_grad_()
    assert torch.autograd.gradcheck(net.score_pairs, inputs)
