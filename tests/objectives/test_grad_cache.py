"""Gradient caching against the whole batch with its graph."""

from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from coordi.errors import InputError
from coordi.models.retrieval.dual import SigmoidLoss
from coordi.objectives import cached_backward
from coordi.objectives.metric import make_loss

BATCH = 22


class Net(nn.Module):
    """Dropout, a normalisation over features, unit rows; notes the sizes that it saw."""

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(6, 16), nn.LayerNorm(16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 5)
        )
        self.sizes: list[int] = []

    def forward(self, rows: Tensor) -> Tensor:
        self.sizes.append(len(rows))
        return functional.normalize(self.layers(rows), dim=1)


def made(dropout: float = 0.3) -> tuple[Net, Tensor, Tensor]:
    torch.manual_seed(0)
    net = Net(dropout).double()
    return net, torch.randn(BATCH, 6, dtype=torch.float64), torch.arange(BATCH) // 2


def gradients(modules: Iterable[nn.Module]) -> list[Tensor]:
    found = [p for module in modules for p in module.parameters()]
    kept = [p.grad.clone() for p in found]
    for p in found:
        p.grad = None
    return kept


def whole(net: nn.Module, rows: Tensor, loss: Callable[[Tensor], Tensor], chunk: int) -> Tensor:
    """The same chunks in the same order (so the same dropout), all with their graphs."""
    value = loss(torch.cat([net(piece) for piece in rows.split(chunk)]))
    value.backward()
    return value.detach()


@pytest.mark.parametrize("chunk", [1, 4, 11, 22, 50])
@pytest.mark.parametrize("name", ["infonce", "multi-similarity", "proxy-anchor", "arcface"])
def test_gradients_are_those_of_the_whole_batch(chunk: int, name: str) -> None:
    net, rows, labels = made()
    loss = make_loss(name, dim=5, classes=BATCH // 2).double()
    torch.manual_seed(1)
    expected = whole(net, rows, lambda x: loss(x, labels), chunk)
    reference = gradients([net, loss])
    torch.manual_seed(1)
    actual = cached_backward(net, rows, lambda x: loss(x, labels), chunk)
    assert actual.item() == pytest.approx(expected.item())
    for one, two in zip(reference, gradients([net, loss]), strict=True):
        assert one.abs().sum() > 0
        assert torch.allclose(one, two, rtol=1e-9, atol=1e-12)


def test_a_learnable_temperature_learns_too() -> None:
    net, rows, _ = made()
    loss = SigmoidLoss().double()

    def pairs(x: Tensor) -> Tensor:
        return loss(x[::2], x[1::2])

    torch.manual_seed(1)
    whole(net, rows, pairs, 5)
    reference = gradients([net, loss])
    torch.manual_seed(1)
    cached_backward(net, rows, pairs, 5)
    for one, two in zip(reference, gradients([net, loss]), strict=True):
        assert one.abs().sum() > 0
        assert torch.allclose(one, two, rtol=1e-9, atol=1e-12)


def test_without_dropout_the_batch_may_go_through_in_one() -> None:
    net, rows, labels = made(dropout=0.0)
    loss = make_loss("infonce", dim=5, classes=11)
    whole(net, rows, lambda x: loss(x, labels), BATCH)
    reference = gradients([net])
    cached_backward(net, rows, lambda x: loss(x, labels), 5)
    for one, two in zip(reference, gradients([net]), strict=True):
        assert torch.allclose(one, two, rtol=1e-9, atol=1e-12)


def test_dropout_would_differ_without_the_random_state() -> None:
    """The equality above is not for want of randomness."""
    net, rows, _ = made()
    assert not torch.equal(net(rows), net(rows))


def test_gradients_add_up_over_calls() -> None:
    net, rows, labels = made(dropout=0.0)
    loss = make_loss("infonce", dim=5, classes=11)
    cached_backward(net, rows, lambda x: loss(x, labels), 4)
    once = gradients([net])
    for _ in range(2):
        cached_backward(net, rows, lambda x: loss(x, labels) / 2, 4)
    for one, two in zip(once, gradients([net]), strict=True):
        assert torch.allclose(one, two)


def test_no_chunk_is_larger_than_asked() -> None:
    net, rows, labels = made()
    loss = make_loss("infonce", dim=5, classes=11)
    cached_backward(net, rows, lambda x: loss(x, labels), 5)
    assert net.sizes == [5, 5, 5, 5, 2] * 2


def test_several_inputs_are_cut_alike() -> None:
    net, rows, labels = made(dropout=0.0)
    street = torch.arange(BATCH) % 2 == 0
    loss = make_loss("infonce", dim=5, classes=11)

    def encode(pixels: Tensor, side: Tensor) -> Tensor:
        return net(torch.where(side[:, None], pixels, -pixels))

    loss(encode(rows, street), labels).backward()
    reference = gradients([net])
    cached_backward(encode, (rows, street), lambda x: loss(x, labels), 7)
    for one, two in zip(reference, gradients([net]), strict=True):
        assert torch.allclose(one, two, rtol=1e-9, atol=1e-12)


def test_the_random_state_goes_on_as_after_one_pass() -> None:
    net, rows, labels = made()
    loss = make_loss("infonce", dim=5, classes=11)
    torch.manual_seed(1)
    torch.cat([net(piece) for piece in rows.split(5)])
    expected = torch.rand(3)
    torch.manual_seed(1)
    cached_backward(net, rows, lambda x: loss(x, labels), 5)
    assert torch.equal(torch.rand(3), expected)


def test_weights_learn_under_autocast() -> None:
    """Autocast keeps what it cast without a graph, unless told to forget it."""
    torch.manual_seed(0)
    net, rows, labels = Net(dropout=0.0), torch.randn(BATCH, 6), torch.arange(BATCH) // 2
    loss = make_loss("infonce", dim=5, classes=11)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss(net(rows), labels).backward()
        reference = gradients([net])
        cached_backward(net, rows, lambda x: loss(x, labels), 5)
    for one, two in zip(reference, gradients([net]), strict=True):
        assert one.abs().sum() > 0
        assert (one - two).norm() < 0.05 * one.norm()  # bfloat16 has eight bits


def test_a_loss_that_looks_at_no_row_moves_only_itself() -> None:
    net, rows, _ = made()
    scale = nn.Parameter(torch.tensor(2.0))
    assert cached_backward(net, rows, lambda x: scale.square(), 5).item() == 4
    assert scale.grad.item() == 4
    assert all(parameter.grad is None for parameter in net.parameters())


def test_the_random_state_survives_an_error() -> None:
    net, rows, labels = made()
    loss = make_loss("infonce", dim=5, classes=11)
    calls = []

    def encode(piece: Tensor) -> Tensor:
        calls.append(len(piece))
        if len(calls) == 7:  # in the second pass
            torch.rand(9)
            raise RuntimeError("out of memory")
        return net(piece)

    torch.manual_seed(1)
    torch.cat([net(piece) for piece in rows.split(5)])
    expected = torch.rand(3)
    torch.manual_seed(1)
    with pytest.raises(RuntimeError, match="out of memory"):
        cached_backward(encode, rows, lambda x: loss(x, labels), 5)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("inputs", "chunk", "message"),
    [
        (torch.zeros(4, 6), 0, "at least 1"),
        (torch.zeros(0, 6), 2, "needs rows"),
        ((), 2, "needs rows"),
        ((torch.zeros(4, 6), torch.zeros(3)), 2, r"\[4, 3\] rows"),
    ],
)
def test_impossible_input(inputs, chunk: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        cached_backward(Net(), inputs, torch.sum, chunk)


def test_a_loss_in_full_precision_has_its_gradient_in_it_under_autocast_too() -> None:
    torch.manual_seed(0)
    weight = torch.randn(6, 5, requires_grad=True)
    inputs, others = torch.randn(8, 6), torch.randn(8, 5)

    def encode(rows: Tensor) -> Tensor:
        return rows @ weight

    def loss(rows: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return (rows.float() @ others.T).logsumexp(1).mean()

    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(encode(inputs))
    (expected,) = torch.autograd.grad(value, weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cached_backward(encode, inputs, loss, 8)
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, expected, rtol=0, atol=0)
