"""Where-to-buy-it: its pairs against slow loops, its start, its categories, and what it learns."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from coordi.artifacts import fingerprint
from coordi.errors import EncoderError, NotFoundError
from coordi.models.artifact import BaseEncoder, describe, save_system
from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.models.reranking import open_reranker
from coordi.models.retrieval.pairs import FirstStage, annotated, pair_features, pair_loss
from coordi.models.retrieval.studio2shop import random_pairs
from coordi.models.retrieval.wtbi import WhereToBuyIt, WhereToBuyItSettings, hard_pairs
from coordi.models.system import RerankingSystem
from coordi.models.systems import SYSTEMS

DIM, ITEMS, KINDS = 10, 8, 2


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Layers as small as these are slower on several threads, much so on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def unit(*shape, seed=0):
    rows = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return functional.normalize(rows, dim=-1)


def batch_of(items, street, categories=None):
    items = torch.as_tensor(items)
    known = torch.full((len(items),), -1) if categories is None else torch.as_tensor(categories)
    nothing = torch.empty(len(items), 0, dtype=torch.long)
    return PhotoBatch(torch.empty(0), items, torch.as_tensor(street), known, nothing)


def photos(seed=0, count=24):
    draw = np.random.default_rng(seed)
    items = draw.integers(0, ITEMS, count)
    return unit(count, DIM, seed=seed), batch_of(items, draw.random(count) < 0.5, items % KINDS)


def own(features, batch):
    """A batch as its own gallery."""
    return batch._replace(inputs=features)


def shop_of(seed=7, count=60):
    """All training photos, some of them of the street, numbered behind a batch's pictures."""
    features, batch = photos(seed, count)
    return batch._replace(inputs=features, pictures=100 + torch.arange(count))


def model(sizes=None, **settings):
    torch.manual_seed(0)
    chosen = WhereToBuyItSettings(**{"hidden": (16, 16), "negatives": 3} | settings)
    return WhereToBuyIt(DIM, sizes or LabelSizes(ITEMS, KINDS, {}), chosen)


@pytest.mark.parametrize("seed", range(5))
def test_hard_pairs_are_those_of_a_slow_loop(seed):
    features, batch = photos(seed)
    pairs = hard_pairs(features, batch, own(features, batch), 3)
    positives, negatives = set(), set()
    for q in range(24):
        if not batch.street[q]:
            continue
        shop = [i for i in range(24) if not batch.street[i]]
        positives |= {(q, i) for i in shop if batch.items[i] == batch.items[q]}
        others = [i for i in shop if batch.items[i] != batch.items[q]]
        others.sort(key=lambda i: -float(features[q] @ features[i]))
        negatives |= {(q, i) for i in others[:3]}
    found = list(zip(*(part.tolist() for part in pairs), strict=True))
    assert {(q, i) for q, i, match in found if match} == positives
    assert {(q, i) for q, i, match in found if not match} == negatives
    assert len(found) == len(positives) + len(negatives)


@pytest.mark.parametrize("depth", [0, 6, 1000])
def test_wrong_answers_come_from_the_top_of_the_list_over_all_training_photos(depth):
    features, batch = photos(2)
    batch, gallery = batch._replace(pictures=torch.arange(24)), shop_of()
    torch.manual_seed(0)
    drawn = set()
    for _ in range(60):
        pairs = hard_pairs(features, batch, gallery, 3, depth)
        wrong = ~pairs.same
        drawn |= set(zip(pairs.queries[wrong].tolist(), pairs.items[wrong].tolist(), strict=True))
        assert set(torch.bincount(pairs.queries[wrong]).tolist()) <= {0, 3}
    expected = set()
    for q in range(24):
        others = [
            i for i in range(60)
            if not gallery.street[i] and gallery.items[i] != batch.items[q]
        ]  # fmt: skip
        others.sort(key=lambda i: -float(features[q] @ gallery.inputs[i]))
        expected |= {(q, i) for i in others[: max(3, depth)] if batch.street[q]}
    assert drawn == expected


def test_a_picture_of_several_garments_has_several_right_answers():
    """Rows 0 and 1 are one picture; the gallery knows a third garment of it, a row of its own."""
    batch = batch_of([0, 1, 2, 0, 1], [True, True, True, False, False])
    batch = batch._replace(pictures=torch.tensor([5, 5, 6, 7, 8]))
    gallery = batch_of([0, 1, 2, 3, 4, 3], [False] * 5 + [True])
    gallery = gallery._replace(pictures=torch.tensor([7, 8, 9, 10, 11, 5]))
    pairs = random_pairs(batch, gallery, 9)
    right = {0: {0, 1, 3}, 1: {0, 1, 3}, 2: {2}}
    for q, answers in right.items():
        own_pairs = pairs.queries == q
        assert set(pairs.items[own_pairs & pairs.same].tolist()) == answers
        assert set(pairs.items[own_pairs & ~pairs.same].tolist()) == set(range(5)) - answers


def test_annotated_equals_a_slow_loop():
    draw = np.random.default_rng(0)
    pictures, items = torch.from_numpy(draw.integers(0, 9, (2, 40)))
    table = annotated(pictures, items)
    for picture in range(int(pictures.max()) + 1):
        seen = {int(i) for p, i in zip(pictures, items, strict=True) if p == picture}
        assert [i for i in table[picture].tolist() if i >= 0] == sorted(seen)


def test_who_met_the_training_photos_takes_wrong_answers_from_there():
    features, batch = photos(3)
    batch = batch._replace(pictures=torch.arange(24))
    net = model(depth=2, dropout=0.0)
    alone = net.losses(features, batch, 0.0)["pairs"].item()
    net.meet(shop_of())
    assert net.gallery(features, batch).inputs.shape == (60, DIM)
    assert net.losses(features, batch, 0.0)["pairs"].item() != alone
    assert "met" not in net.state_dict()
    assert len(net.state_dict()) == len(model().state_dict())


def test_photos_of_one_kind_ask_and_answer_each_other_but_never_themselves():
    features, batch = photos(1)
    alike = batch._replace(street=torch.zeros(24, dtype=torch.bool))
    pairs = hard_pairs(features, alike, own(features, alike), 2)
    assert set(pairs.queries.tolist()) == set(range(24))
    assert not bool((pairs.queries == pairs.items).any())
    torch.testing.assert_close(batch.items[pairs.queries] == batch.items[pairs.items], pairs.same)


def test_random_pairs_match_or_not_as_they_say_and_repeat_with_the_seed():
    _, batch = photos(2)
    torch.manual_seed(5)
    pairs = random_pairs(batch, batch, 4)
    torch.testing.assert_close(batch.items[pairs.queries] == batch.items[pairs.items], pairs.same)
    assert bool(batch.street[pairs.queries].all())
    assert not bool(batch.street[pairs.items].any())
    both = set(zip(pairs.queries.tolist(), pairs.items.tolist(), strict=True))
    assert len(both) == len(pairs.same)
    torch.manual_seed(5)
    assert random_pairs(batch, batch, 4).items.tolist() == pairs.items.tolist()


def test_a_batch_of_one_item_has_matching_pairs_only():
    features, batch = unit(4, DIM), batch_of([3] * 4, [True, True, False, False])
    pairs = hard_pairs(features, batch, own(features, batch), 5)
    assert pairs.same.tolist() == [True] * 4


def test_what_the_first_layer_sees():
    a, b = unit(3, DIM, seed=1), unit(3, DIM, seed=2)
    scale = DIM**0.5
    both = pair_features(a, b, "concatenated")
    torch.testing.assert_close(both, torch.cat([a, b], 1) * scale)
    whole = pair_features(a, b, "compared")
    torch.testing.assert_close(whole[:, : 2 * DIM], both)
    torch.testing.assert_close(whole[:, 2 * DIM : 3 * DIM], (a - b).abs() * scale)
    torch.testing.assert_close(whole[:, 3 * DIM :].sum(1), (a * b).sum(1) * DIM)


def test_the_first_stage_is_standardised_by_all_pairs():
    rows, stage = unit(40, DIM), FirstStage()
    stage.fit(rows)
    cosines = [float(rows[i] @ rows[j]) for i in range(40) for j in range(i)]
    assert float(stage.mean) == pytest.approx(np.mean(cosines), abs=1e-6)
    assert float(stage.spread) == pytest.approx(np.std(cosines), abs=1e-6)
    lone = FirstStage()
    lone.fit(rows[:1])
    assert torch.isfinite(lone(rows[:1], rows[:1])).all()


@pytest.mark.parametrize("pair", ["concatenated", "compared"])
def test_before_the_first_step_the_order_is_that_of_the_first_stage(pair):
    net = model(pair=pair).eval()
    net.fit_input(unit(30, DIM))
    query, items = unit(DIM, seed=4), unit(50, DIM, seed=5)
    scores = net.score_pairs(query.expand(50, -1), items)
    assert torch.equal(scores.argsort(), (items @ query).argsort())


def test_a_score_does_not_depend_on_the_rest_of_the_batch():
    net = model().eval()
    torch.nn.init.normal_(net.last.weight)
    queries, items = unit(6, DIM, seed=1), unit(6, DIM, seed=2)
    alone = torch.cat([net.score_pairs(queries[n : n + 1], items[n : n + 1]) for n in range(6)])
    torch.testing.assert_close(net.score_pairs(queries, items), alone)


def test_gradients_of_the_logits():
    net = model(dropout=0.0).double()
    torch.nn.init.normal_(net.last.weight)
    category = torch.tensor([0, 1, -1])
    inputs = (unit(3, DIM, seed=1).double(), unit(3, DIM, seed=2).double())
    for tensor in inputs:
        tensor.requires_grad_()
    assert torch.autograd.gradcheck(lambda q, i: net.logits(q, i, category), inputs)


def test_the_loss_in_closed_form():
    logits = torch.tensor([2.0, -1.0])
    expected = -(np.log(1 / (1 + np.exp(-2))) + np.log(1 - 1 / (1 + np.exp(1)))) / 2
    assert float(pair_loss(logits, torch.tensor([True, False]))) == pytest.approx(expected)


def test_categories_learn_only_towards_the_end_and_serve_once_they_have_seen_enough():
    net = model(tune_from=0.5, least_pairs=30, dropout=0.0)
    features, batch = photos(3)
    assert sum(net.losses(features, batch, 0.4).values()).isfinite()
    assert net.pairs.tolist() == [0, 0]
    net.losses(features, batch, 0.6)["pairs"].backward()
    pairs = hard_pairs(features, batch, own(features, batch), 3)
    seen = [int((batch.categories[pairs.items[pairs.same]] == kind).sum()) for kind in range(2)]
    assert net.pairs.tolist() == seen
    torch.nn.init.normal_(net.own)
    net.eval()
    shared = net.logits(features, features)
    torch.testing.assert_close(net.score_pairs(features, features), shared)
    net.pairs[:] = torch.tensor([30.0, 29.0])
    guess = net.classify(features * DIM**0.5).argmax(1)
    assert set(guess.tolist()) == {0, 1}
    changed = (net.score_pairs(features, features) - shared).abs() > 1e-6
    assert torch.equal(changed, guess == 0)


def test_unknown_categories_and_collections_without_any():
    features, batch = photos(4)
    blank = batch._replace(categories=torch.full((24,), -1))
    parts = model().losses(features, blank, 0.9)
    assert float(parts["category"].detach()) == 0
    plain = model(LabelSizes(ITEMS, 1, {}))
    assert set(plain.losses(features, batch, 0.9)) == {"pairs"}
    assert plain.eval().score_pairs(features, features).shape == (24,)


@pytest.mark.parametrize("name", ["wtbi", "studio2shop"])
def test_a_street_that_hides_the_garment_is_seen_through(name):
    """Half of the columns show the garment, the other half, stronger, what is around it."""
    draw = np.random.default_rng(0)
    garments = draw.normal(size=(400, 6))

    def take(around):
        rows = np.hstack([garments, draw.normal(size=(400, 6)) * around])
        return functional.normalize(torch.from_numpy(rows).float(), dim=1)

    features, street = torch.cat([take(1.5), take(1.0)]), torch.arange(800) < 400
    torch.manual_seed(0)
    chosen = SYSTEMS[name].Settings(hidden=(64, 64), pair="compared", negatives=10, dropout=0.0)
    system = SYSTEMS[name](12, LabelSizes(300, 0, {}), chosen)
    system.fit_input(features[:300])
    optimizer = torch.optim.AdamW(system.parameters(), lr=5e-3)

    def recall():
        queries, items = features[300:400].repeat_interleave(100, 0), features[700:].repeat(100, 1)
        with torch.no_grad():
            scores = system.eval().score_pairs(queries, items).reshape(100, 100)
        return float((scores.argmax(1) == torch.arange(100)).float().mean())

    before = recall()
    for step in range(120):
        items = torch.from_numpy(draw.permutation(300)[:60])
        rows = torch.cat([items, items + 400])
        batch = batch_of(items.repeat(2), street[rows])
        optimizer.zero_grad()
        sum(system.train().losses(features[rows], batch, step / 120).values()).backward()
        optimizer.step()
    assert recall() > before + 0.4


def artefact(folder, net, dim=None, system="wtbi", settings=None):
    folder.mkdir()
    base, sizes = BaseEncoder(name="rows", fingerprint="a" * 16), LabelSizes(ITEMS, KINDS, {})
    config = describe(system, net, sizes, DIM, title="small", encoder=base)
    if dim is not None:
        config = config.model_copy(update={"dim": dim})
    if settings is not None:
        config = config.model_copy(update={"settings": settings})
    save_system(folder, net, config)
    return folder


def test_a_folder_opens_as_the_reranker_that_was_saved(tmp_path):
    net = model()
    torch.nn.init.normal_(net.last.weight)
    folder = artefact(tmp_path / "reranker", net)
    opened = open_reranker(folder)
    query, items = unit(DIM, seed=1), unit(7, DIM, seed=2)
    expected = net.eval().score_pairs(query.expand(7, -1), items).detach().numpy()
    scores = opened.score(query.numpy(), items.numpy())
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    assert scores.dtype == np.float32
    assert (opened.name, opened.encoder, opened.reads) == ("small", "rows", "a" * 16)
    assert opened.fingerprint == fingerprint(folder)
    assert opened.score(query.numpy(), items[:0].numpy()).shape == (0,)


def test_what_is_no_reranker_is_refused(tmp_path):
    with pytest.raises(NotFoundError, match="there is no folder"):
        open_reranker(tmp_path / "nowhere")
    with pytest.raises(EncoderError, match="its widths contradict each other"):
        open_reranker(artefact(tmp_path / "neither", model(), dim=4))
    sizes = LabelSizes(ITEMS, KINDS, {})
    encoder = SYSTEMS["single-tower"](DIM, sizes, SYSTEMS["single-tower"].Settings(dim=4))
    folder = artefact(
        tmp_path / "encoder", encoder, dim=4, system="single-tower", settings={"dim": 4}
    )
    with pytest.raises(EncoderError, match="is an encoder, not a re-ranker"):
        open_reranker(folder)


@pytest.mark.parametrize("name", ["wtbi", "studio2shop", "street2fashion2shop"])
def test_rerankers_are_known_as_such(name):
    system = SYSTEMS[name](DIM, LabelSizes(ITEMS, KINDS, {}), SYSTEMS[name].Settings())
    assert isinstance(system, RerankingSystem)
    assert system.cached_only
