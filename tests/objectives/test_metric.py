"""Losses and miners by name: each against a slow loop over plain numbers."""

import math
from collections.abc import Callable

import pytest
import torch
from pytorch_metric_learning import losses as library
from torch import Tensor
from torch.nn import functional

from coordi.errors import InputError, UnknownNameError
from coordi.objectives.metric import LOSSES, MINERS, make_loss, make_miner

LABELS = torch.tensor([0, 0, 0, 1, 1, 2, 2, 3])  # label 3 has no pair
CLASSES = 5  # class 4 has no row
DIM = 4


def unit(rows: int = len(LABELS), seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    values = torch.randn(
        rows, DIM, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    return functional.normalize(values, dim=1).to(dtype)


def pairs(labels: Tensor, same: bool) -> list[tuple[int, int]]:
    ids = labels.tolist()
    everyone = range(len(ids))
    return [(i, j) for i in everyone for j in everyone if i != j and (ids[i] == ids[j]) == same]


def triples(labels: Tensor) -> list[tuple[int, int, int]]:
    return [(a, p, n) for a, p in pairs(labels, True) for b, n in pairs(labels, False) if a == b]


def dot(rows: Tensor, i: int, j: int) -> float:
    return sum(x * y for x, y in zip(rows[i].tolist(), rows[j].tolist(), strict=True))


def gap(rows: Tensor, i: int, j: int) -> float:
    return math.dist(rows[i].tolist(), rows[j].tolist())


def mean_above_zero(values: list[float]) -> float:
    kept = [value for value in values if value > 0]
    return sum(kept) / len(kept) if kept else 0.0


# --- slow references ------------------------------------------------------------------------------


def slow_contrastive(rows: Tensor, labels: Tensor, loss) -> float:
    near = [gap(rows, *pair) for pair in pairs(labels, True)]
    far = [max(0.0, 1.0 - gap(rows, *pair)) for pair in pairs(labels, False)]
    return mean_above_zero(near) + mean_above_zero(far)


def slow_triplet(rows: Tensor, labels: Tensor, loss) -> float:
    return mean_above_zero(
        [gap(rows, a, p) ** 2 - gap(rows, a, n) ** 2 + 0.2 for a, p, n in triples(labels)]
    )


def slow_lifted(rows: Tensor, labels: Tensor, loss) -> float:
    terms = []
    for a, p in pairs(labels, True):
        pushes = [math.exp(1.0 - gap(rows, i, n)) for i, n in pairs(labels, False) if i in (a, p)]
        terms.append(max(0.0, gap(rows, a, p) + math.log(sum(pushes))) ** 2 / 2)
    return sum(terms) / len(terms)


def slow_infonce(rows: Tensor, labels: Tensor, loss) -> float:
    terms = []
    for a, p in pairs(labels, True):
        top = math.exp(dot(rows, a, p) / 0.07)
        rest = sum(math.exp(dot(rows, i, n) / 0.07) for i, n in pairs(labels, False) if i == a)
        terms.append(-math.log(top / (top + rest)))
    return sum(terms) / len(terms)


def slow_n_pair(rows: Tensor, labels: Tensor, loss) -> float:
    ids = labels.tolist()
    chosen = [
        [i for i, each in enumerate(ids) if each == label][:2]
        for label in sorted(set(ids))
        if ids.count(label) > 1
    ]
    terms = []
    for a, p in chosen:
        exps = [math.exp(10.0 * dot(rows, a, other)) for _, other in chosen]
        terms.append(-math.log(math.exp(10.0 * dot(rows, a, p)) / sum(exps)))
    return sum(terms) / len(terms)


def slow_multi_similarity(rows: Tensor, labels: Tensor, loss) -> float:
    total = 0.0
    for a in range(len(rows)):
        near = [math.exp(-2 * (dot(rows, i, p) - 0.5)) for i, p in pairs(labels, True) if i == a]
        far = [math.exp(50 * (dot(rows, i, n) - 0.5)) for i, n in pairs(labels, False) if i == a]
        total += math.log(1 + sum(near)) / 2 + math.log(1 + sum(far)) / 50
    return total / len(rows)


def slow_supcon(rows: Tensor, labels: Tensor, loss) -> float:
    terms = []
    for a in range(len(rows)):
        mates = [p for i, p in pairs(labels, True) if i == a]
        below = sum(math.exp(dot(rows, a, j) / 0.1) for j in range(len(rows)) if j != a)
        logs = [math.log(math.exp(dot(rows, a, p) / 0.1) / below) for p in mates]
        if mates:
            terms.append(-sum(logs) / len(mates))
    return sum(terms) / len(terms)


def slow_arcface(rows: Tensor, labels: Tensor, loss) -> float:
    proxies = functional.normalize(loss.loss.W.detach().double().T, dim=1)
    total = 0.0
    for row, label in zip(rows, labels.tolist(), strict=True):
        cosines = [float(row @ proxy) for proxy in proxies]
        angle = math.acos(cosines[label])
        inside = angle <= math.pi - 0.5
        cosines[label] = math.cos(angle + 0.5) if inside else math.cos(angle) - 0.5 * math.sin(0.5)
        total -= 64 * cosines[label] - math.log(sum(math.exp(64 * c) for c in cosines))
    return total / len(rows)


def slow_proxy_anchor(rows: Tensor, labels: Tensor, loss) -> float:
    proxies = functional.normalize(loss.loss.proxies.detach().double(), dim=1)
    near, far = 0.0, 0.0
    for label, proxy in enumerate(proxies):
        cosines = [(float(row @ proxy), i == label) for row, i in zip(rows, labels, strict=True)]
        near += math.log(1 + sum(math.exp(-32 * (c - 0.1)) for c, own in cosines if own))
        far += math.log(1 + sum(math.exp(32 * (c + 0.1)) for c, own in cosines if not own))
    return near / len(set(labels.tolist())) + far / CLASSES


SLOW: dict[str, Callable[..., float]] = {
    "arcface": slow_arcface,
    "contrastive": slow_contrastive,
    "infonce": slow_infonce,
    "lifted-structure": slow_lifted,
    "multi-similarity": slow_multi_similarity,
    "n-pair": slow_n_pair,
    "proxy-anchor": slow_proxy_anchor,
    "supcon": slow_supcon,
    "triplet": slow_triplet,
}


def build(name: str, **settings: float):
    torch.manual_seed(7)
    return make_loss({"kind": name, **settings}, dim=DIM, classes=CLASSES)


def test_every_loss_has_a_slow_reference() -> None:
    assert SLOW.keys() == LOSSES.makers.keys()


@pytest.mark.parametrize("name", LOSSES.makers)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_loss_equals_the_slow_loop(name: str, seed: int) -> None:
    loss, rows = build(name), unit(seed=seed)
    slow = SLOW[name](rows, LABELS, loss)
    assert slow > 0
    assert loss(rows, LABELS).item() == pytest.approx(slow, rel=1e-6)


@pytest.mark.parametrize("name", LOSSES.makers)
def test_loss_gradient(name: str) -> None:
    loss = build(name)
    rows = unit().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, LABELS), (rows,))


@pytest.mark.parametrize("name", ["arcface", "proxy-anchor"])
def test_proxies_learn_too(name: str) -> None:
    loss = build(name)
    loss(unit(dtype=torch.float32), LABELS).backward()
    (proxies,) = loss.parameters()
    assert proxies.shape in {(CLASSES, DIM), (DIM, CLASSES)}
    assert proxies.grad.abs().sum() > 0


@pytest.mark.parametrize("name", LOSSES.makers)
def test_gradient_steps_pull_labels_together(name: str) -> None:
    labels = torch.arange(12) // 3
    torch.manual_seed(0)
    rows = torch.randn(12, DIM, requires_grad=True)
    loss = build(name)
    optimizer = torch.optim.Adam([rows, *loss.parameters()], lr=0.03)

    def separation() -> float:
        cosines = functional.normalize(rows.detach(), dim=1)
        cosines = cosines @ cosines.T
        same = labels[:, None] == labels
        itself = torch.eye(12, dtype=torch.bool)
        return float(cosines[same & ~itself].mean() - cosines[~same].mean())

    values, start = [], separation()
    for _ in range(60):
        optimizer.zero_grad()
        value = loss(functional.normalize(rows, dim=1), labels)
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < values[0]
    # N-pair teaches the first two rows of a label only, and only in one role each.
    assert separation() > start + (0.2 if name == "n-pair" else 0.5)


@pytest.mark.parametrize("name", LOSSES.makers)
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [0]])
def test_a_batch_without_pairs_is_no_error(name: str, labels: list[int]) -> None:
    rows = unit(len(labels), dtype=torch.float32).requires_grad_()
    build(name)(rows, torch.tensor(labels)).backward()
    assert rows.grad.isfinite().all()


@pytest.mark.parametrize(
    "name", sorted(LOSSES.makers.keys() - {"arcface", "proxy-anchor", "n-pair"})
)
def test_a_miner_that_finds_nothing_leaves_a_zero_with_a_graph(name: str) -> None:
    rows = unit(dtype=torch.float32).requires_grad_()
    nothing = (torch.empty(0, dtype=torch.long),) * 3
    value = build(name)(rows, LABELS, nothing)
    value.backward()
    assert value.item() == 0
    assert not rows.grad.any()


@pytest.mark.parametrize("name", LOSSES.makers)
def test_rows_that_are_the_same_have_finite_gradients(name: str) -> None:
    loss = build(name)
    rows = unit(2, dtype=torch.float32)[torch.tensor([0, 0, 0, 1, 1, 0, 0, 1])].requires_grad_()
    loss(rows, LABELS).backward()
    assert rows.grad.isfinite().all()


def test_arcface_stays_finite_where_a_row_is_its_proxy() -> None:
    loss = build("arcface")
    rows = functional.normalize(loss.loss.W.detach().T, dim=1)[:2].clone().requires_grad_()
    with torch.no_grad():  # exactly 1 after normalising, whatever the rounding
        loss.loss.W.copy_(torch.eye(DIM, CLASSES))
        rows.copy_(torch.eye(2, DIM))
    loss(rows, torch.tensor([0, 1])).backward()
    assert rows.grad.isfinite().all()
    assert loss.loss.W.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES.makers)
def test_autocast_and_half_precision_do_not_reach_the_loss(name: str) -> None:
    loss, rows = build(name), unit(dtype=torch.float32)
    half = rows.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, of_half = loss(rows, LABELS), loss(half, LABELS)
    assert value.item() == loss(rows, LABELS).item()
    assert of_half.item() == loss(half.float(), LABELS).item()
    assert all(parameter.dtype == torch.float32 for parameter in loss.parameters())


@pytest.mark.parametrize("miner", ["", "batch-hard", "multi-similarity", "violating"])
@pytest.mark.parametrize("with_reference", [False, True])
def test_infonce_is_the_librarys(miner: str, with_reference: bool) -> None:
    rows, other = unit(), unit(seed=5)
    given = {"ref_emb": other, "ref_labels": LABELS} if with_reference else {}
    picked = make_miner(miner)(rows, LABELS, **given) if miner else None
    ours = build("infonce", temperature=0.2)(rows, LABELS, picked, **given)
    assert torch.allclose(ours, _library_infonce(rows, picked, given))


@pytest.mark.parametrize("miner", ["", "multi-similarity"])
@pytest.mark.parametrize("with_reference", [False, True])
@pytest.mark.parametrize("block", [1, 8, 24, 40])
def test_infonce_block_by_block_is_infonce(
    monkeypatch: pytest.MonkeyPatch, miner: str, with_reference: bool, block: int
) -> None:
    rows, other = unit().requires_grad_(), unit(seed=5)
    given = {"ref_emb": other, "ref_labels": LABELS} if with_reference else {}
    picked = make_miner(miner)(rows, LABELS, **given) if miner else None
    whole = build("infonce")(rows, LABELS, picked, **given)
    (expected,) = torch.autograd.grad(whole, rows)
    monkeypatch.setattr("coordi.objectives.dense.BLOCK_PAIRS", block)  # 1, 1, 3, 5 anchors
    blocks = build("infonce")(rows, LABELS, picked, **given)
    (actual,) = torch.autograd.grad(blocks, rows)
    assert blocks.item() == pytest.approx(whole.item())
    assert torch.allclose(actual, expected)


def _library_infonce(rows: Tensor, picked, given) -> Tensor:
    """NT-Xent of the library over distinct pairs: a miner's triplets name a pair many times."""
    if picked is not None:
        a, p, b, n = picked if len(picked) == 4 else (picked[0], picked[1], picked[0], picked[2])
        near, far = torch.stack([a, p]).unique(dim=1), torch.stack([b, n]).unique(dim=1)
        picked = (near[0], near[1], far[0], far[1])
    elif given:  # the library leaves out (i, i) where the two labels are one object
        given = {**given, "ref_labels": LABELS.clone()}
    return library.NTXentLoss(temperature=0.2)(rows, LABELS, picked, **given)


@pytest.mark.parametrize("name", ["infonce", "lifted-structure"])
def test_dense_losses_equal_the_librarys(name: str) -> None:
    theirs = {
        "infonce": library.NTXentLoss(temperature=0.07),
        "lifted-structure": library.LiftedStructureLoss(neg_margin=1, pos_margin=0),
    }[name]
    labels = torch.arange(24) % 6
    rows = unit(24).requires_grad_()
    (expected,) = torch.autograd.grad(theirs(rows, labels), rows)
    (actual,) = torch.autograd.grad(build(name)(rows, labels), rows)
    assert torch.allclose(actual, expected)


@pytest.mark.parametrize(
    "name", ["contrastive", "infonce", "multi-similarity", "supcon", "triplet"]
)
def test_a_row_may_pair_with_its_twin_of_the_other_tower(name: str) -> None:
    queries, gallery, labels = unit(4), unit(4, seed=1), torch.arange(4)
    one = build(name)(queries, labels, ref_emb=gallery, ref_labels=labels)
    two = build(name)(queries, labels, ref_emb=gallery, ref_labels=labels.clone())
    assert one.item() == two.item() > 0


def test_other_rows_need_their_labels() -> None:
    with pytest.raises(InputError, match="go together"):
        build("triplet")(unit(), LABELS, ref_emb=unit())
    with pytest.raises(InputError, match="go together"):
        make_miner("batch-hard")(unit(), LABELS, ref_labels=LABELS)


def test_positives_may_come_from_other_rows() -> None:
    queries, gallery = unit(3), unit(4, seed=1)
    labels, others = torch.tensor([0, 1, 2]), torch.tensor([1, 0, 2, 2])
    value = build("triplet")(queries, labels, ref_emb=gallery, ref_labels=others)
    terms = []
    for a in range(3):
        for p in range(4):
            for n in range(4):
                if labels[a] == others[p] and labels[a] != others[n]:
                    near = math.dist(queries[a].tolist(), gallery[p].tolist()) ** 2
                    far = math.dist(queries[a].tolist(), gallery[n].tolist()) ** 2
                    terms.append(near - far + 0.2)
    assert value.item() == pytest.approx(mean_above_zero(terms))


@pytest.mark.parametrize("name", ["lifted-structure"])
def test_other_rows_are_refused_where_they_mean_nothing(name: str) -> None:
    with pytest.raises(InputError, match="leave ref_emb out"):
        build(name)(unit(), LABELS, ref_emb=unit(), ref_labels=LABELS)


# --- miners ---------------------------------------------------------------------------------------


def angle(rows: Tensor, a: int, p: int, n: int) -> float:
    centre = ((rows[a] + rows[p]) / 2).tolist()
    return math.degrees(math.atan(gap(rows, a, p) / (2 * math.dist(rows[n].tolist(), centre))))


def slow_batch_hard(rows: Tensor) -> set[tuple[int, ...]]:
    found = set()
    for a in range(len(rows)):
        near = [p for i, p in pairs(LABELS, True) if i == a]
        far = [n for i, n in pairs(LABELS, False) if i == a]
        if near:
            p = max(near, key=lambda j: gap(rows, a, j))
            found.add((a, p, min(far, key=lambda j: gap(rows, a, j))))
    return found


def slow_margin(rows: Tensor, keep: Callable[[float], bool]) -> set[tuple[int, ...]]:
    return {
        (a, p, n)
        for a, p, n in triples(LABELS)
        if keep(gap(rows, a, n) ** 2 - gap(rows, a, p) ** 2)
    }


TRIPLETS: dict[str, Callable[[Tensor], set[tuple[int, ...]]]] = {
    "angular": lambda rows: {each for each in triples(LABELS) if angle(rows, *each) > 20},
    "batch-hard": slow_batch_hard,
    "hard": lambda rows: slow_margin(rows, lambda over: over <= 0),
    "semihard": lambda rows: slow_margin(rows, lambda over: 0 < over <= 0.2),
    "violating": lambda rows: slow_margin(rows, lambda over: over <= 0.2),
}


def slow_multi_similarity_pairs(rows: Tensor) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    near, far = pairs(LABELS, True), pairs(LABELS, False)

    def hardest(a: int, kind: list[tuple[int, int]], pick: Callable[..., float]) -> float | None:
        found = [dot(rows, a, j) for i, j in kind if i == a]
        return pick(found) if found else None

    kept_near = {
        (a, p)
        for a, p in near
        if dot(rows, a, p) - 0.1 < hardest(a, far, max)  # type: ignore[operator]
    }
    kept_far = {
        (a, n)
        for a, n in far
        if (worst := hardest(a, near, min)) is not None and dot(rows, a, n) + 0.1 > worst
    }
    return kept_near, kept_far


def slow_pair_margin(rows: Tensor) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    near = {pair for pair in pairs(LABELS, True) if gap(rows, *pair) > 0.2}
    return near, {pair for pair in pairs(LABELS, False) if gap(rows, *pair) < 0.8}


PAIRS = {
    "multi-similarity": slow_multi_similarity_pairs,
    "pair-margin": slow_pair_margin,
}


@pytest.mark.parametrize("name", TRIPLETS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_triplet_miner_equals_the_slow_loop(name: str, seed: int) -> None:
    rows = unit(seed=seed)
    found = list(zip(*(part.tolist() for part in make_miner(name)(rows, LABELS)), strict=True))
    assert len(set(found)) == len(found)
    assert set(found) == TRIPLETS[name](rows)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pair_miner_equals_the_slow_loop(name: str, seed: int) -> None:
    rows = unit(seed=seed)
    a, p, b, n = (part.tolist() for part in make_miner(name)(rows, LABELS))
    near, far = PAIRS[name](rows)
    assert set(zip(a, p, strict=True)) == near
    assert set(zip(b, n, strict=True)) == far


def test_hard_share_takes_the_hardest_half() -> None:
    rows = unit()
    a, p, b, n = (part.tolist() for part in make_miner("hard-share")(rows, LABELS))
    near = sorted((gap(rows, *pair) for pair in pairs(LABELS, True)), reverse=True)
    far = sorted(gap(rows, *pair) for pair in pairs(LABELS, False))
    # Both orders of a pair have one distance, so the cut may fall on a tie: distances decide.
    picked = sorted((gap(rows, i, j) for i, j in zip(a, p, strict=True)), reverse=True)
    assert picked == pytest.approx(near[: math.ceil(len(near) / 2)])
    picked = sorted(gap(rows, i, j) for i, j in zip(b, n, strict=True))
    assert picked == pytest.approx(far[: math.ceil(len(far) / 2)])


def test_easy_positive_takes_the_nearest_and_a_negative_beyond_it() -> None:
    rows = unit()
    a, p, _, n = (part.tolist() for part in make_miner("easy-positive")(rows, LABELS))
    for anchor, positive, negative in zip(a, p, n, strict=True):
        mates = [gap(rows, anchor, j) for i, j in pairs(LABELS, True) if i == anchor]
        assert gap(rows, anchor, positive) == min(mates)
        beyond = [gap(rows, anchor, j) for i, j in pairs(LABELS, False) if i == anchor]
        assert gap(rows, anchor, negative) == min(d for d in beyond if d > min(mates))
    assert a


def test_distance_weighted_draws_triplets_within_its_cutoff() -> None:
    rows = unit()
    torch.manual_seed(0)
    a, p, n = (part.tolist() for part in make_miner("distance-weighted")(rows, LABELS))
    assert set(zip(a, p, n, strict=True)) <= set(triples(LABELS))
    assert all(gap(rows, i, j) < 1.4 for i, j in zip(a, n, strict=True))
    assert len(a) > 4


def test_every_miner_is_tested_here() -> None:
    assert {
        *TRIPLETS,
        *PAIRS,
        "hard-share",
        "easy-positive",
        "distance-weighted",
    } == MINERS.makers.keys()


@pytest.mark.parametrize("name", MINERS.makers)
def test_a_miner_needs_no_pair_and_no_full_precision(name: str) -> None:
    torch.manual_seed(0)
    for labels in ([0, 1, 2], [0, 0, 0]):
        picked = make_miner(name)(unit(3).bfloat16(), torch.tensor(labels))
        assert all(part.dtype == torch.long for part in picked)


# --- names and settings ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOSSES.makers)
def test_an_unknown_setting_names_the_nearest(name: str) -> None:
    with pytest.raises(InputError, match=f"loss {name}"):
        build(name, no_such=1.0)


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'triplet'"):
        make_loss("tripplet", dim=4, classes=2)
    with pytest.raises(UnknownNameError, match="Did you mean 'semihard'"):
        make_miner("semi-hard")
    with pytest.raises(InputError, match="Did you mean 'margin'"):
        make_loss({"kind": "triplet", "margn": 0.1}, dim=4, classes=2)
    with pytest.raises(InputError, match="Known: none"):
        make_miner({"kind": "batch-hard", "margin": 0.1})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0}, "greater than 0"),
        ({"temperature": -1.0}, "greater than 0"),
        ({"temperature": math.nan}, "finite"),
        ({"temperature": "0.1"}, "valid number"),
        ({"temperature": True}, "valid number"),
    ],
)
def test_impossible_settings(settings, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build("infonce", **settings)


def test_the_hard_share_is_a_share() -> None:
    with pytest.raises(InputError, match=r"share is 2.0.*less than or equal to 1"):
        make_miner({"kind": "hard-share", "share": 2.0})


@pytest.mark.parametrize("label", [-1, CLASSES])
@pytest.mark.parametrize("name", ["arcface", "proxy-anchor"])
def test_a_label_without_a_proxy_is_refused(name: str, label: int) -> None:
    with pytest.raises(InputError, match="labels must be 0 to 4"):
        build(name)(unit(2), torch.tensor([0, label]))


def test_settings_reach_the_loss() -> None:
    rows = unit()
    for name, setting in {
        "arcface": {"margin": 0.1},
        "contrastive": {"margin": 1.5},
        "infonce": {"temperature": 0.5},
        "lifted-structure": {"margin": 0.5},
        "multi-similarity": {"beta": 10},
        "n-pair": {"scale": 3},
        "proxy-anchor": {"alpha": 8},
        "supcon": {"temperature": 0.5},
        "triplet": {"margin": 0.9},
    }.items():
        assert build(name, **setting)(rows, LABELS).item() != build(name)(rows, LABELS).item()
