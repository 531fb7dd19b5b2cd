"""Losses between street and shop: slow loops, closed forms, gradients."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional

from coordi.models.retrieval.cross_triplet import bidirectional
from coordi.models.retrieval.ddan import BANDWIDTHS, DdanSettings, alignment, discrepancy
from coordi.models.retrieval.mtct import t_distributed
from coordi.models.retrieval.robust_contrastive import robust_contrastive
from coordi.objectives.distances import safe_sqrt, safe_unit_rows, squared_distances
from coordi.objectives.triplets import triplet_hinge

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Rows (B, d), labels (B,), `street` (B,) bool → scalar."""

LABELS = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2, 3])  # 2 is seen in the street only, 3 in the shop
ITEMS = LABELS[:, None]
STREET = torch.tensor([1, 1, 0, 0, 1, 0, 0, 1, 0], dtype=torch.bool)


def unit(rows: int = len(LABELS), seed: int = 0, dim: int = 4) -> Tensor:
    values = torch.randn(
        rows, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    return functional.normalize(values, dim=1)


def square(rows: Tensor, i: int, j: int) -> float:
    return math.dist(rows[i].tolist(), rows[j].tolist()) ** 2


def triples(labels: Tensor, anchors: Tensor, others: Tensor) -> list[tuple[int, int, int]]:
    everyone = range(len(labels))
    return [
        (a, p, n)
        for a in everyone
        for p in everyone
        for n in everyone
        if anchors[a] and others[p] and others[n]
        if a != p and labels[a] == labels[p] and labels[a] != labels[n]
    ]


def mean_above_zero(values: list[float]) -> float:
    kept = [value for value in values if value > 0]
    return sum(kept) / len(kept) if kept else 0.0


def slow_hinge(rows: Tensor, anchors: Tensor, others: Tensor, margin: float) -> float:
    found = triples(LABELS, anchors, others)
    return mean_above_zero([square(rows, a, p) - square(rows, a, n) + margin for a, p, n in found])


def slow_one_direction(rows: Tensor) -> float:
    return slow_hinge(rows, STREET, ~STREET, 0.3)


def slow_bidirectional(rows: Tensor) -> float:
    across = slow_hinge(rows, STREET, ~STREET, 0.3) + slow_hinge(rows, ~STREET, STREET, 0.3)
    within = slow_hinge(rows, STREET, STREET, 0.3) + slow_hinge(rows, ~STREET, ~STREET, 0.3)
    return across + 0.5 * within


def slow_t_distributed(rows: Tensor, alpha: float = 1.0) -> float:
    def kernel(squared: float) -> float:
        return (1 + squared / alpha) ** (-(alpha + 1) / 2)

    terms = []
    for a, p, n in triples(LABELS, STREET, ~STREET):
        near, far = kernel(square(rows, a, p)), kernel(square(rows, a, n))
        terms.append(-math.log(near / (near + far)))
    return sum(terms) / len(terms)


def slow_robust(rows: Tensor) -> float:
    near, far = [], []
    for i in range(len(rows)):
        for j in range(len(rows)):
            if STREET[i] and not STREET[j]:
                squared = square(rows, i, j)
                if LABELS[i] == LABELS[j]:
                    near.append(squared / (1 + squared))
                else:
                    far.append(max(0.0, 1 - math.sqrt(squared)) ** 2)
    return sum(near) / len(near) + mean_above_zero(far)


def one_direction(rows: Tensor, labels: Tensor, street: Tensor, margin: float = 0.3) -> Tensor:
    return triplet_hinge(rows, labels, street, ~street, margin)


def both_directions(
    rows: Tensor, labels: Tensor, street: Tensor, margin: float = 0.3, same_domain: float = 0.5
) -> Tensor:
    across, within = bidirectional(rows, labels, street, margin)
    return across + same_domain * within


LOSSES: dict[Loss, Callable[[Tensor], float]] = {
    one_direction: slow_one_direction,
    both_directions: slow_bidirectional,
    t_distributed: slow_t_distributed,
    robust_contrastive: slow_robust,
}
each_loss = pytest.mark.parametrize("kind", LOSSES)


@each_loss
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_loss_equals_the_slow_loop(kind: Loss, seed: int) -> None:
    rows = unit(seed=seed)
    slow = LOSSES[kind](rows)
    assert slow > 0
    assert kind(rows, LABELS, STREET).item() == pytest.approx(slow)


@each_loss
def test_loss_gradient(kind: Loss) -> None:
    rows = unit(seed=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: kind(x, LABELS, STREET), (rows,))


@each_loss
@pytest.mark.parametrize(
    ("labels", "street"),
    [
        ([0, 0, 1, 1], [1, 1, 1, 1]),
        ([0, 0, 1, 1], [0, 0, 0, 0]),
        ([0, 1, 2, 3], [1, 0, 1, 0]),
        ([0, 0, 0, 0], [1, 0, 1, 0]),
        ([0], [1]),
    ],
)
def test_a_batch_without_pairs_has_a_graph(kind: Loss, labels, street) -> None:
    rows = unit(len(labels)).float().requires_grad_()
    value = kind(rows, torch.tensor(labels), torch.tensor(street, dtype=torch.bool))
    value.backward()
    assert value.isfinite()
    assert rows.grad.isfinite().all()


@pytest.mark.parametrize("kind", [one_direction, t_distributed])
def test_no_cross_domain_pair_is_zero(kind: Loss) -> None:
    rows, labels = unit(4), torch.tensor([0, 0, 1, 1])
    assert kind(rows, labels, torch.ones(4, dtype=torch.bool)).item() == 0


@each_loss
def test_rows_that_are_the_same_have_finite_gradients(kind: Loss) -> None:
    same = torch.tensor([0, 0, 0, 0, 1, 1, 0, 0, 1])
    rows = unit(2).float()[same].requires_grad_()
    kind(rows, LABELS, STREET).backward()
    assert rows.grad.isfinite().all()


@each_loss
def test_autocast_and_half_precision_do_not_reach_the_loss(kind: Loss) -> None:
    rows = unit().float()
    half = rows.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, of_half = kind(rows, LABELS, STREET), kind(half, LABELS, STREET)
    assert value.item() == kind(rows, LABELS, STREET).item()
    assert of_half.dtype == torch.float32
    assert of_half.item() == kind(half.float(), LABELS, STREET).item()


@each_loss
def test_gradient_steps_pull_the_domains_together(kind: Loss) -> None:
    labels, street = torch.arange(16) // 4, torch.arange(16) % 2 == 0
    torch.manual_seed(0)
    rows = torch.randn(16, 4, requires_grad=True)
    optimizer = torch.optim.Adam([rows], lr=0.03)
    same = labels[street][:, None] == labels[~street]

    def separation() -> float:
        found = functional.normalize(rows.detach(), dim=1)
        cosines = found[street] @ found[~street].T
        return float(cosines[same].mean() - cosines[~same].mean())

    start, values = separation(), []
    for _ in range(60):
        optimizer.zero_grad()
        value = kind(functional.normalize(rows, dim=1), labels, street)
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < values[0]
    assert separation() > start + 0.5


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), kind=st.sampled_from(list(LOSSES)))
def test_the_order_of_the_rows_says_nothing(seed: int, kind: Loss) -> None:
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (10,), generator=draw)
    street = torch.randint(0, 2, (10,), generator=draw).bool()
    rows, order = unit(10, seed=seed), torch.randperm(10, generator=draw)
    one = kind(rows, labels, street)
    two = kind(rows[order], labels[order], street[order])
    assert two.item() == pytest.approx(one.item())


def test_the_other_direction_is_the_complement() -> None:
    rows = unit()
    value = one_direction(rows, LABELS, ~STREET).item()
    assert value == pytest.approx(slow_hinge(rows, ~STREET, STREET, 0.3))
    assert value != one_direction(rows, LABELS, STREET).item()


def test_bidirectional_is_symmetric_and_weighs_its_own_domain() -> None:
    rows = unit()
    one, other = (one_direction(rows, LABELS, side, 0.2) for side in (STREET, ~STREET))
    value = both_directions(rows, LABELS, STREET, 0.2, 0.0)
    assert value.item() == pytest.approx((one + other).item())
    assert value.item() == pytest.approx(both_directions(rows, LABELS, ~STREET, 0.2, 0.0).item())


def test_a_row_is_no_positive_of_itself() -> None:
    rows = torch.tensor([[1.0, 0.0], [0.999, 0.0447]])  # nearer than the margin
    street = torch.tensor([True, True])
    assert both_directions(rows, torch.tensor([0, 1]), street).item() == 0


# --- closed forms ---------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.5, 1.0, 7.0])
def test_t_distributed_at_equal_distances_is_log_two(alpha: float) -> None:
    rows = torch.eye(3, dtype=torch.float64)
    labels, street = torch.tensor([0, 0, 1]), torch.tensor([True, False, False])
    value = t_distributed(rows, labels, street, alpha)
    assert value.item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("alpha", [0.5, 7.0])
def test_t_distributed_with_other_tails(alpha: float) -> None:
    value = t_distributed(unit(), LABELS, STREET, alpha)
    assert value.item() == pytest.approx(slow_t_distributed(unit(), alpha))


def test_t_distributed_survives_far_rows() -> None:
    rows = torch.tensor([[0.0], [1e15], [0.0]], requires_grad=True)
    labels, street = torch.tensor([0, 0, 1]), torch.tensor([True, False, False])
    value = t_distributed(rows, labels, street)
    value.backward()
    assert value.item() == pytest.approx(2 * math.log(1e15), rel=1e-5)
    assert rows.grad.isfinite().all()


def test_t_distributed_pulls_less_at_a_very_wrong_triplet() -> None:
    labels, street = torch.tensor([0, 0, 1]), torch.tensor([True, False, False])

    def pull(distance: float) -> float:
        rows = torch.tensor([[0.0], [distance], [1.0]], requires_grad=True)
        t_distributed(rows, labels, street).backward()
        return abs(float(rows.grad[1]))

    assert pull(100.0) < pull(10.0) < pull(1.0)


def test_robust_contrastive_saturates_at_its_limit() -> None:
    labels, street = torch.tensor([0, 0]), torch.tensor([True, False])

    def value_and_pull(distance: float) -> tuple[float, float]:
        rows = torch.tensor([[0.0], [distance]], dtype=torch.float64, requires_grad=True)
        value = robust_contrastive(rows, labels, street, limit=0.7)
        value.backward()
        return value.item(), abs(float(rows.grad[1]))

    near, far = value_and_pull(0.01), value_and_pull(1e4)
    assert near[0] == pytest.approx(1e-4, rel=1e-3)
    assert far[0] == pytest.approx(0.7)
    assert 0 < far[1] < near[1]
    assert value_and_pull(0.0) == (0.0, 0.0)


@pytest.mark.parametrize("zone", [0.0, 0.4, 1.1])
def test_robust_contrastive_with_a_dead_zone_equals_the_slow_loop(zone: float) -> None:
    rows, near, far = unit(), [], []
    for i in range(len(rows)):
        for j in range(len(rows)):
            if STREET[i] and not STREET[j]:
                distance = math.sqrt(square(rows, i, j))
                if LABELS[i] == LABELS[j]:
                    near.append(max(0.0, distance - zone) ** 2)
                else:
                    far.append(max(0.0, 1.2 - distance) ** 2)
    value = robust_contrastive(rows, LABELS, STREET, 1.2, None, zone)
    assert value.item() == pytest.approx(sum(near) / len(near) + mean_above_zero(far))
    rows.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: robust_contrastive(x, LABELS, STREET, 1.2, None, zone), (rows,)
    )


@pytest.mark.parametrize("alpha", [1.0, 255.0])
def test_t_distributed_bounded_is_the_mean_probability_of_the_wrong_one(alpha: float) -> None:
    def kernel(squared: float) -> float:
        return (1 + squared / alpha) ** (-(alpha + 1) / 2)

    rows, terms = unit(), []
    for a, p, n in triples(LABELS, STREET, ~STREET):
        near, far = kernel(square(rows, a, p)), kernel(square(rows, a, n))
        terms.append(1 - near / (near + far))
    value = t_distributed(rows, LABELS, STREET, alpha, bounded=True)
    assert value.item() == pytest.approx(sum(terms) / len(terms))


def test_t_distributed_with_many_degrees_of_freedom_is_nearly_gaussian() -> None:
    """Stochastic triplet embedding: −log of e^{−d⁺²/2} / (e^{−d⁺²/2} + e^{−d⁻²/2})."""
    rows, terms = unit(), []
    for a, p, n in triples(LABELS, STREET, ~STREET):
        gap = (square(rows, a, n) - square(rows, a, p)) / 2
        terms.append(math.log1p(math.exp(-gap)))
    value = t_distributed(rows, LABELS, STREET, 255.0)
    assert value.item() == pytest.approx(sum(terms) / len(terms), rel=0.01)


# --- alignment ------------------------------------------------------------------------------------


def levels(seed: int = 0) -> list[Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(len(LABELS), d, generator=draw, dtype=torch.float64) for d in (3, 6, 2)]


def slow_alignment(found: list[Tensor], weights: tuple[float, ...]) -> float:
    total = 0.0
    for weight, rows in zip(weights, found, strict=True):
        scaled = torch.stack([row / math.sqrt(sum(x * x for x in row.tolist())) for row in rows])
        squares = [
            square(scaled, i, j)
            for i in range(len(rows))
            for j in range(len(rows))
            if STREET[i] and not STREET[j] and LABELS[i] == LABELS[j]
        ]
        total += weight * sum(squares) / len(squares)
    return total / sum(weights)


EQUAL = (1.0, 1.0, 1.0)


@pytest.mark.parametrize("weights", [EQUAL, (0.2, 0.0, 3.0)])
def test_alignment_equals_the_slow_loop(weights: tuple[float, ...]) -> None:
    value = alignment(levels(), ITEMS, STREET, weights)
    assert value.item() == pytest.approx(slow_alignment(levels(), weights))


def test_alignment_gradient() -> None:
    found = [rows.requires_grad_() for rows in levels()]
    weights = (1.0, 2.0, 3.0)
    assert torch.autograd.gradcheck(lambda *each: alignment(each, ITEMS, STREET, weights), found)


def test_alignment_forgives_no_shrinking() -> None:
    small = [rows / 1000 for rows in levels()]
    one, two = (alignment(each, ITEMS, STREET, EQUAL) for each in (levels(), small))
    assert two.item() == pytest.approx(one.item())


def test_alignment_survives_dead_features_and_batches_without_pairs() -> None:
    dead = torch.zeros(len(LABELS), 3, requires_grad=True)
    alignment([dead], ITEMS, STREET, (1.0,)).backward()
    assert dead.grad.isfinite().all()
    value = alignment([dead], ITEMS, torch.ones_like(STREET), (1.0,))
    value.backward()
    assert value.item() == 0


def test_alignment_gradient_steps_align() -> None:
    found = [rows.float().requires_grad_() for rows in levels()]
    optimizer, values = torch.optim.Adam(found, lr=0.05), []
    for _ in range(50):
        optimizer.zero_grad()
        value = alignment(found, ITEMS, STREET, EQUAL)
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < values[0] / 4


def test_alignment_of_several_labels_is_the_mean_over_those_that_have_pairs() -> None:
    color = torch.tensor([0, 1, -1, 0, 1, 1, -1, -1, 0])
    alone = torch.full_like(color, -1)
    labels = torch.stack([LABELS, color, alone], 1)
    (rows,) = levels()[:1]
    scaled = functional.normalize(rows, dim=1)
    means = []
    for column in (LABELS, color):
        squares = [
            square(scaled, i, j)
            for i in range(len(rows))
            for j in range(len(rows))
            if STREET[i] and not STREET[j] and column[i] == column[j] >= 0
        ]
        means.append(sum(squares) / len(squares))
    value = alignment([rows], labels, STREET, (2.0,))
    assert value.item() == pytest.approx(sum(means) / 2)


def slow_discrepancy(rows: Tensor) -> float:
    scaled = functional.normalize(rows, dim=1)

    def mean_kernel(these: list[int], those: list[int]) -> float:
        values = [
            sum(math.exp(-square(scaled, i, j) / width) for width in BANDWIDTHS) / len(BANDWIDTHS)
            for i in these
            for j in those
        ]
        return sum(values) / len(values)

    street = [i for i in range(len(rows)) if STREET[i]]
    shop = [i for i in range(len(rows)) if not STREET[i]]
    within = mean_kernel(street, street) + mean_kernel(shop, shop)
    return within - 2 * mean_kernel(street, shop)


@pytest.mark.parametrize("weights", [EQUAL, (0.2, 0.0, 3.0)])
def test_discrepancy_equals_the_slow_loop(weights: tuple[float, ...]) -> None:
    slow = [w * slow_discrepancy(rows) for w, rows in zip(weights, levels(), strict=True)]
    value = discrepancy(levels(), STREET, weights)
    assert value.item() == pytest.approx(sum(slow) / sum(weights))
    assert value.item() > 0


def test_discrepancy_gradient() -> None:
    found = [rows.requires_grad_() for rows in levels()]
    weights = (1.0, 2.0, 3.0)
    assert torch.autograd.gradcheck(lambda *each: discrepancy(each, STREET, weights), found)


def test_discrepancy_of_the_same_photos_or_of_one_domain_is_zero() -> None:
    rows = torch.cat([levels()[0], levels()[0]]).requires_grad_()
    street = torch.arange(len(rows)) < len(rows) // 2
    assert discrepancy([rows], street, (1.0,)).item() == pytest.approx(0, abs=1e-12)
    for one_kind in (torch.ones_like(street), torch.zeros_like(street)):
        value = discrepancy([rows], one_kind, (1.0,))
        value.backward()
        assert value.item() == 0
    assert rows.grad.isfinite().all()


def test_discrepancy_steps_bring_the_domains_together() -> None:
    rows = levels()[1].float().requires_grad_()
    optimizer, values = torch.optim.Adam([rows], lr=0.05), []
    for _ in range(50):
        optimizer.zero_grad()
        value = discrepancy([rows], STREET, (1.0,))
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < values[0] / 2


@pytest.mark.parametrize("weights", [(-1.0, 2.0), (0.0, 0.0)])
def test_alignment_weights_are_shares(weights: tuple[float, float]) -> None:
    with pytest.raises(ValidationError, match="one of them > 0"):
        DdanSettings(levels=weights)


# --- distances ------------------------------------------------------------------------------------


def test_squared_distances_equal_the_slow_loop() -> None:
    left, right = unit(5), unit(3, seed=1)
    slow = [[math.dist(a.tolist(), b.tolist()) ** 2 for b in right] for a in left]
    assert torch.allclose(squared_distances(left, right), torch.tensor(slow, dtype=torch.float64))
    assert (squared_distances(left, left) >= 0).all()


def test_safe_sqrt_is_the_root_with_no_slope_at_zero() -> None:
    values = torch.tensor([0.0, 0.25, 4.0], requires_grad=True)
    roots = safe_sqrt(values)
    roots.sum().backward()
    assert roots.tolist() == [0.0, 0.5, 2.0]
    assert values.grad.tolist() == [0.0, 1.0, 0.25]


def test_safe_unit_rows_leaves_nothing_as_it_is() -> None:
    rows = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    scaled = safe_unit_rows(rows)
    scaled.sum().backward()
    assert scaled[0].tolist() == pytest.approx([0.6, 0.8])
    assert scaled[1].tolist() == [0.0, 0.0]
    assert rows.grad[1].tolist() == [1.0, 1.0]
