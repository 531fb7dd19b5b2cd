from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from coordi.training.collapse import spread_of
from coordi.training.validation import Validation, restore


class Fake:
    """A module whose R@1 is told, and a trainer that only counts."""

    def __init__(self, values: list[float], every: int = 10, patience: int = 2) -> None:
        self.net, self.values, self.material = nn.Linear(1, 1, bias=False), iter(values), self
        self.said: list[str] = []
        self.validation = Validation(every, patience, self.said.append, "R@1")
        self.trainer: Any = SimpleNamespace(
            global_step=0, max_steps=100, should_stop=False, loggers=[]
        )

    def judge(self, _: nn.Module) -> float:
        return next(self.values)

    def train(self, until: int) -> None:
        if self.trainer.global_step == 0:
            self.validation.on_train_start(self.trainer, self)
        while self.trainer.global_step < until and not self.trainer.should_stop:
            self.trainer.global_step += 1
            with torch.no_grad():
                self.net.weight.fill_(float(self.trainer.global_step))
            self.validation.on_train_batch_end(self.trainer, self, None, None, 0)


def test_training_stops_after_patience_and_keeps_the_best() -> None:
    fake = Fake([0.1, 0.3, 0.2, 0.3, 0.9])
    fake.train(100)
    assert fake.trainer.global_step == 30  # 0.3 again is not better than 0.3
    assert fake.validation.best == (10, 0.3)
    assert "stopped at step 30" in fake.said[0]
    restore(fake.net, fake.validation)
    assert fake.net.weight.item() == 10


def test_where_training_only_harms_the_untrained_weights_stay() -> None:
    fake = Fake([0.5, 0.4, 0.3])
    before = fake.net.weight.item()
    fake.train(100)
    restore(fake.net, fake.validation)
    assert fake.net.weight.item() == before
    assert fake.validation.best == (0, 0.5)


def test_without_patience_it_goes_to_the_end_and_looks_there_too() -> None:
    fake = Fake([0.9] + [0.1] * 5, every=30, patience=0)
    fake.train(100)
    assert [step for step, _ in fake.validation.history] == [0, 30, 60, 90, 100]


def test_a_checkpoint_holds_the_state() -> None:
    values = [0.1, 0.3, 0.2, 0.25, 0.2]
    whole = Fake(values)
    whole.train(100)
    first = Fake(values)
    first.train(20)
    second = Fake(values[3:])
    second.trainer.global_step = 20
    second.validation.load_state_dict(first.validation.state_dict())
    second.train(100)
    assert second.validation.history == whole.validation.history
    assert second.trainer.global_step == whole.trainer.global_step
    torch.testing.assert_close(second.validation.best_weights, whole.validation.best_weights)


def test_a_run_that_had_stopped_stops_again() -> None:
    stopped, again = Fake([0.5, 0.4, 0.3]), Fake([])
    stopped.train(100)
    again.validation.load_state_dict(stopped.validation.state_dict())
    again.train(100)
    assert again.trainer.should_stop
    assert again.trainer.global_step == 0


def test_an_even_spread_uses_all_dimensions() -> None:
    corners = torch.cat([torch.eye(8), -torch.eye(8)])
    spread = spread_of(corners)
    assert spread.deviation == pytest.approx(1)
    assert spread.rank == pytest.approx(8)
    assert not spread.collapsed


@pytest.mark.parametrize("directions", [0, 1])
def test_a_point_and_a_line_are_collapsed(directions: int) -> None:
    rows = torch.zeros(50, 8)
    rows[:, 0] = 1
    rows[::2, 1 : 1 + directions] = 1
    spread = spread_of(nn.functional.normalize(rows, dim=1))
    assert spread.rank == pytest.approx(1)
    assert spread.collapsed


def test_effective_rank_is_the_entropy_of_the_singular_values() -> None:
    rows = torch.from_numpy(np.random.default_rng(0).normal(size=(60, 5)) * [4, 2, 1, 1, 0.1])
    values = np.linalg.svd(rows - rows.mean(0), compute_uv=False)
    shares = values / values.sum()
    expected = np.exp(-sum(share * np.log(share) for share in shares))
    assert spread_of(rows).rank == pytest.approx(expected)
