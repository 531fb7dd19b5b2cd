"""Conditional similarity: triplets and losses against slow loops, and searches by condition."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from coordi.drawn import draw_garment, draw_wardrobe
from coordi.engine import Engine
from coordi.errors import InputError, UnknownNameError
from coordi.models.artifact import BaseEncoder, describe, save_system
from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.opening import open_encoder
from coordi.models.retrieval.csn import (
    ConditionalSimilarity,
    ConditionalSimilaritySettings,
    draw_triplets,
    triplet_hinge,
)

SIZES = LabelSizes(9, 3, {"color": 4, "pattern": 2, "only": 1})


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Layers as small as these are slower on several threads, much so on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def model(dim=12, sizes=SIZES, feature_dim=10, **chosen):
    torch.manual_seed(0)
    chosen = ConditionalSimilaritySettings(**{"dim": dim, "hidden": ()} | chosen)
    return ConditionalSimilarity(feature_dim, sizes, chosen)


def unit(*shape, seed=0):
    rows = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return functional.normalize(rows, dim=-1)


def batch_of(categories, attributes, items=None):
    rows = len(categories)
    return PhotoBatch(
        torch.empty(0),
        torch.as_tensor(items if items is not None else range(rows)),
        torch.zeros(rows, dtype=torch.bool),
        torch.as_tensor(categories),
        torch.as_tensor(attributes),
    )


def test_conditions_are_the_labels_that_differ():
    assert model().conditions == ("color", "pattern", "category")
    assert model(conditions=("item", "color")).conditions == ("item", "color")
    with pytest.raises(UnknownNameError, match="color"):
        model(conditions=("colour",))
    with pytest.raises(UnknownNameError):
        model(conditions=("only",))
    with pytest.raises(InputError, match="nothing to be similar in"):
        model(sizes=LabelSizes(9, 1, {}))


def test_labels_of_a_condition():
    net = model(conditions=("category", "pattern", "item"))
    batch = batch_of([2, 0], [[3, 1, 0], [0, 0, 0]])
    assert [labels.tolist() for labels in net.alike(batch)] == [[2, 0], [1, 0], [0, 1]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-1, 3), min_size=1, max_size=14), st.integers(1, 5))
def test_triplets_hold_what_they_promise_for_every_anchor_that_has_one(labels, count):
    rows = torch.tensor(labels)
    anchors, positives, negatives = draw_triplets(rows, count)
    usable = [
        a for a, mine in enumerate(labels)
        if mine >= 0 and labels.count(mine) > 1 and any(o >= 0 and o != mine for o in labels)
    ]  # fmt: skip
    assert anchors.tolist() == [a for a in usable for _ in range(count)]
    assert bool((rows[positives] == rows[anchors]).all())
    assert bool((positives != anchors).all())
    assert bool((rows[negatives] != rows[anchors]).all())
    assert bool((rows[negatives] >= 0).all())


def test_the_hinge_against_a_slow_loop():
    rows, triplets = unit(8, 5), draw_triplets(torch.tensor([0, 0, 1, 1, 2, 2, -1, 0]), 3)
    expected = [
        max(0.0, float((rows[a] - rows[p]).norm() - (rows[a] - rows[n]).norm() + 0.2))
        for a, p, n in zip(*(part.tolist() for part in triplets), strict=True)
    ]
    value = triplet_hinge(rows, triplets, 0.2)
    assert float(value) == pytest.approx(np.mean(expected), abs=1e-4)
    nothing = torch.empty(0, dtype=torch.long)
    assert float(triplet_hinge(rows, (nothing, nothing, nothing), 0.2)) == 0


def test_the_parts_of_the_loss():
    net, features = model(embedding_weight=0.01, mask_weight=0.002), unit(6, 10)
    batch = batch_of([0, 0, 1, 1, 2, 2], [[0, 0, 0], [1, 1, 0]] * 3)
    parts = net.losses(features, batch, 0.0)
    norms = [net.trunk(row * 10**0.5).norm().item() for row in features]
    assert parts["embedding"].item() == pytest.approx(0.01 * np.mean(norms), rel=1e-5)
    sizes = [sum(max(0.0, b) for b in beta) for beta in net.beta.tolist()]
    assert parts["masks"].item() == pytest.approx(0.002 * np.mean(sizes), rel=1e-5)
    unknown = batch_of([-1] * 6, torch.full((6, 3), -1))
    silent = net.losses(features, unknown, 0.0)
    assert silent["triplets"].item() == 0
    sum(silent.values()).backward()


def test_gradients_of_a_masked_distance():
    net = model().double()
    triplets = (torch.tensor([0, 1]), torch.tensor([2, 3]), torch.tensor([4, 0]))

    def value(features):
        rows = net.embed_condition(features, torch.zeros(5, dtype=torch.bool), "color")
        return triplet_hinge(rows, triplets, 2.0)

    assert torch.autograd.gradcheck(value, (unit(5, 10).double().requires_grad_(),))


def test_masks_start_as_the_paper_says():
    beta = model(dim=20000, sizes=LabelSizes(2, 2, {"color": 2})).beta
    assert beta.mean().item() == pytest.approx(0.9, abs=0.02)
    assert beta.std().item() == pytest.approx(0.7, abs=0.02)
    assert model().masks().min().item() == 0


def test_disjoint_masks_share_no_column_and_do_not_learn():
    net = model(dim=8, masks="disjoint")
    assert net.masks().sum(0).tolist() == [1.0] * 8
    assert bool((net.masks().sum(1) >= 2).all())
    assert "beta" not in dict(net.named_parameters())
    with pytest.raises(InputError, match="3 disjoint masks"):
        model(dim=2, masks="disjoint")


def test_rows_have_length_one_and_conditions_their_own_distances():
    net, features = model().eval(), unit(7, 10)
    street = torch.zeros(7, dtype=torch.bool)
    rows = [net.embed_condition(features, street, name) for name in net.conditions]
    rows.append(net.embed(features, street))
    for made in rows:
        torch.testing.assert_close(made.norm(dim=1), torch.ones(7))
    assert all((a - b).abs().max().item() > 0.01 for a in rows for b in rows if a is not b)
    with pytest.raises(UnknownNameError, match="condition"):
        net.embed_condition(features, street, "sleeve")


def share(rows, labels, near=5):
    """Mean share of the nearest rows that have the query's label."""
    cosines = rows @ rows.T
    cosines.fill_diagonal_(-2)
    nearest = cosines.topk(near, dim=1).indices
    return float((labels[nearest] == labels[:, None]).float().mean())


@pytest.fixture(scope="module")
def wardrobe():
    """The pictures of a drawn wardrobe, their features and labels: colours, then kinds."""
    garments = draw_wardrobe(260).garments
    encoder = open_encoder("coordi-mini")
    features = torch.from_numpy(encoder.encode_images([draw_garment(g, 96) for g in garments]))
    numbers = [
        torch.tensor([sorted({getattr(g, name) for g in garments}).index(getattr(g, name))
                      for g in garments])
        for name in ("color", "kind")
    ]  # fmt: skip
    return encoder, features, *numbers


def test_the_drawn_wardrobe_is_searched_by_colour_and_by_kind(wardrobe, tmp_path):
    """Trained on one part, asked about the other, through the artefact's own encoders."""
    encoder, features, colors, kinds = wardrobe
    sizes = LabelSizes(260, int(kinds.max()) + 1, {"color": int(colors.max()) + 1})
    held = torch.arange(260) % 3 == 0
    net = model(32, sizes, features.shape[1], hidden=(64,))
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    train = batch_of(kinds[~held], colors[~held, None])
    for _ in range(120):
        optimizer.zero_grad()
        sum(net.losses(features[~held], train, 0.0).values()).backward()
        optimizer.step()
    base = BaseEncoder(name="coordi-mini", fingerprint=encoder.fingerprint)
    config = describe("csn", net, sizes, features.shape[1], title="looks", encoder=base)
    save_system(tmp_path, net, config)
    shares = {}
    for condition in ("color", "category"):
        opened = open_encoder(f"{tmp_path}@{condition}")
        assert opened.name == f"looks@{condition}"
        rows = torch.from_numpy(opened.head(features[held].numpy(), False))
        shares[condition] = (share(rows, colors[held]), share(rows, kinds[held]))
    base = (share(features[held], colors[held]), share(features[held], kinds[held]))
    assert shares["color"][0] > 2 * shares["category"][0]
    assert shares["category"][1] > 2 * shares["color"][1]
    assert shares["color"][0] > base[0]
    assert shares["category"][1] > 0.9 * base[1]  # which was trained on such drawings
    prints = {open_encoder(f"{tmp_path}{end}").fingerprint for end in ("", "@color", "@category")}
    assert len(prints) == 3


def test_a_store_remembers_a_condition_by_a_name_that_holds_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "looks").mkdir()
    monkeypatch.chdir(tmp_path)
    with Engine.open("store", encoder="looks@color", create=True) as engine:
        assert engine.encoder_name == f"{tmp_path / 'looks'}@color"
    with Engine.open("store", encoder="org/looks@color") as engine:
        assert engine.encoder_name == "org/looks@color"
