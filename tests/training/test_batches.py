from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from coordi.data.collection import Collection, PhotoRows, Trial
from coordi.models.batches import PhotoBatch
from coordi.training.material.labels import number_labels
from coordi.training.module import Batches
from coordi.types import ImageRef, Photo

NOTHING = ImageRef(data=b"x")


def photo(number: int, item: str, category: str = "", street: bool = False, **known: str) -> Photo:
    return Photo(f"p{number}", NOTHING, item, street, category, known)


PHOTOS = (
    photo(0, "b", "dress", color="red", season="summer"),
    photo(1, "a", "shirt", street=True, color="blue", season="summer"),
    photo(2, "b", "", street=True),
    photo(3, "c", "coat", color="green", size="S"),  # not trained on
)


def collection() -> Collection:
    nobody = np.empty(0, np.int64)
    return Collection("tiny", PHOTOS, np.array([0, 1, 2]), Trial(nobody, nobody))


class Counting:
    """Batch number n is rows n and n + 1 of three."""

    def batch(self, step: int) -> PhotoRows:
        return np.array([step % 3, (step + 1) % 3])


def test_labels_are_numbered_over_the_training_photos() -> None:
    labels = number_labels(collection())
    assert labels.items.tolist() == [1, 0, 1, -1]
    assert labels.categories.tolist() == [0, 1, -1, -1]
    assert labels.street.tolist() == [False, True, True, False]
    # Every training photo that says so is of one season; only test photos have a size.
    assert labels.sizes == (2, 2, {"color": 2})
    assert labels.attributes.tolist() == [[1], [0], [-1], [-1]]


def test_what_belongs_together_may_be_an_attribute() -> None:
    labels = number_labels(collection(), "color")
    assert labels.items.tolist() == [1, 0, -1, -1]
    assert labels.sizes.items == 2


def test_photos_without_attributes_have_no_columns() -> None:
    bare = Collection("bare", PHOTOS[2:3], np.array([0]), collection().test)
    assert number_labels(bare).attributes.shape == (1, 0)


def as_lists(batches: list[PhotoBatch]) -> list[list[int]]:
    return [batch.inputs[:, 0].int().tolist() for batch in batches]


def made(start: int = 0, rank: int = 0, world: int = 1, workers: int = 0) -> list[list[int]]:
    features = torch.arange(4.0).reshape(4, 1)
    labels, sampler = number_labels(collection()), Counting()

    def batch(number: int, _: int) -> PhotoBatch:
        rows = sampler.batch(number)
        return labels.batch(features[torch.from_numpy(rows)], rows)

    material, recipe = SimpleNamespace(batch=batch), SimpleNamespace(accumulate=1, total_steps=5)
    batches = Batches(material, recipe, start, rank=rank, world=world)
    stretches = DataLoader(batches, batch_size=None, num_workers=workers)
    return as_lists([batch for stretch in stretches for batch in stretch])


def test_a_batch_is_a_function_of_its_number() -> None:
    assert made() == [[0, 1], [1, 2], [2, 0], [0, 1], [1, 2]]
    assert made(start=3) == made()[3:]


def test_stretches_end_where_somebody_looks_and_leave_nothing_out() -> None:
    material = SimpleNamespace(batch=lambda number, step: (number, step))
    recipe = SimpleNamespace(accumulate=2, total_steps=25)
    stretches = list(Batches(material, recipe, 3, looks=(10, 7)))
    assert [batch for stretch in stretches for batch in stretch] == [
        (number, number // 2) for number in range(6, 50)
    ]
    ends = [stretch[-1][1] + 1 for stretch in stretches]
    assert ends == [7, 10, 14, 20, 21, 25]
    assert all(stretch[-1][0] % 2 == 1 for stretch in stretches)


def test_devices_share_the_batches_out() -> None:
    both = [batch for pair in zip(made(rank=0, world=2), made(rank=1, world=2), strict=True)
            for batch in pair]  # fmt: skip
    assert both == [[n % 3, (n + 1) % 3] for n in range(10)]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.filterwarnings("ignore:lance is not fork-safe")  # if another test has imported it
def test_loading_processes_change_nothing() -> None:
    assert made(start=1, workers=2) == made(start=1)


def test_labels_follow_the_rows() -> None:
    labels = number_labels(collection())
    batch = labels.batch(torch.zeros(2, 3), np.array([2, 0]))
    assert batch.items.tolist() == [1, 1]
    assert batch.street.tolist() == [True, False]
    assert batch.attributes.tolist() == [[-1], [1]]
