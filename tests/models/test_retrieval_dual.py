import math

import pytest
import torch
from torch.nn import functional

from coordi.models.retrieval.dual import SigmoidLoss, matryoshka


def _unit(*shape: int, seed: int = 0) -> torch.Tensor:
    rows = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return functional.normalize(rows, dim=1)


def _slow_sigmoid(images, texts, truth, scale, bias):
    total = 0.0
    for i in range(len(images)):
        for j in range(len(texts)):
            if truth[i][j] == 0:
                continue
            logit = scale * float(images[i] @ texts[j]) + bias
            total += math.log(1 + math.exp(-float(truth[i][j]) * logit))
    return total / len(images)


@pytest.mark.parametrize(("images", "texts"), [(5, 5), (4, 7), (1, 1)])
def test_sigmoid_equals_the_slow_loop(images: int, texts: int) -> None:
    loss = SigmoidLoss(scale=4.0, bias=-2.0).double()
    truth = torch.randint(-1, 2, (images, texts), generator=torch.Generator().manual_seed(3))
    left, right = _unit(images, 8), _unit(texts, 8, seed=1)
    assert loss(left, right, truth).item() == pytest.approx(
        _slow_sigmoid(left, right, truth.tolist(), 4.0, -2.0), rel=1e-6
    )


def test_sigmoid_without_truth_pairs_row_with_row() -> None:
    loss, left, right = SigmoidLoss().double(), _unit(6, 8), _unit(6, 8, seed=1)
    truth = 2 * torch.eye(6) - 1
    assert torch.equal(loss(left, right), loss(left, right, truth))


def test_sigmoid_closed_form_of_a_single_pair() -> None:
    row = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    loss = SigmoidLoss(scale=10.0, bias=-10.0).double()
    assert loss(row, row).item() == pytest.approx(math.log(2))  # logit 0


def test_sigmoid_gradient() -> None:
    loss = SigmoidLoss().double()
    truth = torch.tensor([[1, -1, 0], [0, 1, -1]])
    left, right = _unit(2, 4).requires_grad_(), _unit(3, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: loss(a, b, truth), (left, right))
    loss(left, right, truth).backward()
    assert loss.bias.grad is not None
    assert loss.log_scale.grad is not None


def test_an_unknown_pair_takes_no_part() -> None:
    loss, left, right = SigmoidLoss().double(), _unit(2, 4), _unit(2, 4, seed=1).requires_grad_()
    loss(left, right, torch.tensor([[1, 0], [-1, 0]])).backward()
    assert torch.equal(right.grad[1], torch.zeros(4, dtype=torch.float64))


def test_matryoshka_is_the_mean_over_prefixes_of_unit_rows() -> None:
    rows, other = torch.randn(5, 8), torch.randn(5, 8)

    def loss(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        assert torch.allclose(a.norm(dim=1), torch.ones(5))
        return (a - b).square().sum()

    by_hand = [
        (functional.normalize(rows[:, :d], dim=1) - functional.normalize(other[:, :d], dim=1))
        .square()
        .sum()
        for d in (2, 8)
    ]
    assert torch.allclose(matryoshka(loss, (2, 8), rows, other), sum(by_hand) / 2)
