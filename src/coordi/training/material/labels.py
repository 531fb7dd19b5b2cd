"""The labels of a collection's photos as numbers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from coordi.data.collection import Collection, PhotoRows, key_of
from coordi.data.images import image_hash
from coordi.models.batches import LabelSizes, PhotoBatch
from coordi.types import Photo


@dataclass(frozen=True, slots=True)
class PhotoLabels:
    """The labels of all N photos of a collection as numbers, −1 where no training photo has it."""

    items: Tensor  # (N,)
    street: Tensor  # (N,) bool
    categories: Tensor  # (N,)
    attributes: Tensor  # (N, A)
    pictures: Tensor  # (N,): photos with the same number are the same part of the same picture
    sizes: LabelSizes

    def batch(self, inputs: Tensor, rows: PhotoRows) -> PhotoBatch:
        """Put inputs and the labels of their rows together."""
        at = torch.from_numpy(rows)
        labels = (self.items, self.street, self.categories, self.attributes, self.pictures)
        return PhotoBatch(inputs, *(column[at] for column in labels))


def number_labels(collection: Collection, match: str = "item") -> PhotoLabels:
    """Number the labels of a collection in alphabetical order, seen from its training photos.

    `items` number what photos that belong together share: "item", "category" or an attribute.
    Attributes of which the training photos show fewer than two values teach nothing and are
    left out.
    """
    photos = collection.photos
    train = [photos[row] for row in collection.train]
    items, item_count = _numbered(photos, train, lambda photo: key_of(photo, match))
    categories, category_count = _numbered(photos, train, lambda photo: photo.category)
    columns: dict[str, tuple[Tensor, int]] = {}
    for name in sorted({name for photo in train for name in photo.attributes}):
        column, count = _numbered(photos, train, _attribute(name))
        if count > 1:
            columns[name] = (column, count)
    empty = torch.empty(len(photos), 0, dtype=torch.long)
    return PhotoLabels(
        items,
        torch.tensor([photo.street for photo in photos], dtype=torch.bool),
        categories,
        torch.stack([column for column, _ in columns.values()], 1) if columns else empty,
        _numbered(photos, photos, _picture)[0],
        LabelSizes(item_count, category_count, {n: count for n, (_, count) in columns.items()}),
    )


def _picture(photo: Photo) -> str:
    image = photo.image
    return f"{image.path or image_hash(image.data or b'')} {photo.box}"


def _attribute(name: str) -> Callable[[Photo], str]:
    return lambda photo: photo.attributes.get(name, "")


def _numbered(
    photos: Sequence[Photo], train: Iterable[Photo], label: Callable[[Photo], str]
) -> tuple[Tensor, int]:
    """Numbers (N,) of a label and how many there are; "" and labels not trained on give −1."""
    known = {name: n for n, name in enumerate(sorted({label(p) for p in train} - {""}))}
    return torch.tensor([known.get(label(p), -1) for p in photos], dtype=torch.long), len(known)
