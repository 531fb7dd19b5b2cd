"""The dual recipe: sigmoid image-text loss plus supervised contrastion, on mixed sources."""

import random
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, get_args

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_metric_learning.losses import SupConLoss
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import IterableDataset

from coordi.models.encoders.mini import Mini
from coordi.objectives import SigmoidLoss, matryoshka
from coordi.training.augment import augment
from coordi.training.captions import truth_matrix, write_caption
from coordi.training.dual_recipe import ContrastName, DualRecipe, Stage
from coordi.training.examples import Example, ExampleSet
from coordi.training.stopping import require_finite

CONTRASTS: tuple[ContrastName, ...] = get_args(ContrastName)
"""In the order of `contrast_keys`."""


class Batch(NamedTuple):
    """What one step sees."""

    pixels: Tensor  # (B, 3, S, S) in [-1, 1]
    input_ids: Tensor  # (B, L)
    attention_mask: Tensor  # (B, L)
    truth: Tensor  # (B, B): whether caption j is true of picture i
    keys: Tensor  # (5, B): numbers of the `contrast_keys`, -1 unknown


class CaptionBatches(IterableDataset[Batch]):
    """Endless seeded batches: batch number n is the same whenever and wherever it is made."""

    def __init__(
        self, sets: list[ExampleSet], tokenizer: Tokenizer, recipe: DualRecipe, start: int = 0
    ) -> None:
        super().__init__()
        self.sets, self.tokenizer, self.recipe, self.start = sets, tokenizer, recipe, start
        self.backgrounds = _backgrounds(sets)
        self.numbers = _numbering(key for s in sets for e in s.examples for key in contrast_keys(e))

    def __iter__(self) -> Iterator[Batch]:
        step = self.start
        for _, end, stage in _spans(self.recipe):
            while step < end:
                yield self.batch(step, stage)
                step += 1

    def batch(self, step: int, stage: Stage) -> Batch:
        """The batch of one step."""
        seed = self.recipe.seed * 1_000_003 + step
        rng, numbers = random.Random(seed), np.random.default_rng(seed)
        counts = batch_counts(self.recipe, stage)
        examples: list[Example] = []
        pixels: list[Tensor] = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for examples_of, count in zip(self.sets, counts, strict=True):
                rows = _draw(numbers, examples_of, count)
                chosen = [examples_of.examples[row] for row in rows]
                clean = torch.tensor([e.clean for e in chosen])
                pictures = _floats(examples_of.pictures[rows])
                pixels.append(augment(pictures, clean, self.backgrounds, stage.size))
                examples += chosen
        captions = [write_caption(example, rng) for example in examples]
        ids, mask = tokenize(self.tokenizer, [caption.text for caption in captions])
        return Batch(
            torch.cat(pixels).contiguous(memory_format=torch.channels_last),
            ids,
            mask,
            torch.from_numpy(truth_matrix(examples, captions)),
            torch.tensor([[self.numbers.get(k, -1) for k in contrast_keys(e)] for e in examples]).T,
        )


class DualModule(lightning.LightningModule):
    """Binds the towers, the losses and the batch."""

    def __init__(self, recipe: DualRecipe, model: Mini) -> None:
        super().__init__()
        self.recipe, self.model = recipe, model
        self.parts: dict[str, Tensor] = {}
        self.sigmoid = SigmoidLoss()
        self.contrast = SupConLoss(temperature=0.1)
        self.item_contrast = SupConLoss(temperature=recipe.item_temperature)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The weighted sum of the losses, each over all Matryoshka prefixes."""
        images = self.model.image(batch.pixels).float()
        texts = self.model.text(batch.input_ids, batch.attention_mask).float()
        with torch.autocast(images.device.type, enabled=False):
            parts: dict[str, Tensor] = {
                name: self._contrast(images, labels, name)
                for name, labels in zip(CONTRASTS, batch.keys, strict=True)
            }
            parts["sigmoid"] = matryoshka(
                lambda i, t: self.sigmoid(i, t, batch.truth),
                self.recipe.matryoshka_dims, images, texts,
            )  # fmt: skip
        stage = self._stage()
        weighted = [self.recipe.weight(name, stage) * parts[name] for name in CONTRASTS]
        loss = torch.stack([parts["sigmoid"], *weighted]).sum()
        self.parts = parts
        self.log_dict({"loss": loss, **parts}, prog_bar=True)
        return loss

    def on_before_optimizer_step(self, _optimizer: torch.optim.Optimizer) -> None:
        """No step from a loss or a gradient that is not finite."""
        require_finite(self, self.global_step + 1, self.parts)

    def _contrast(self, images: Tensor, labels: Tensor, name: ContrastName) -> Tensor:
        known = labels >= 0
        contrast = self.item_contrast if name == "item" else self.contrast
        return matryoshka(
            lambda rows: contrast(rows, labels[known]),
            self.recipe.matryoshka_dims,
            images[known],
        )

    def configure_optimizers(self) -> Any:
        """AdamW; every stage warms up, then falls along a cosine to a tenth of its peak."""
        backbone = list(self.model.image.backbone.parameters())
        held = {id(parameter) for parameter in backbone}
        rest = [p for p in self.parameters() if id(p) not in held]
        optimizer = torch.optim.AdamW(
            [{"params": backbone, "lr": 1.0}, {"params": rest, "lr": 1.0}], weight_decay=0.02
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer,
            [
                lambda step: self._rate(step, "backbone_lr"),
                lambda step: self._rate(step, "lr"),
            ],
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _rate(self, step: int, field: str) -> float:
        for start, end, stage in _spans(self.recipe):
            if step < end:
                peak: float = getattr(stage, field)
                done = (step - start) / stage.steps
                warm = min(1.0, (step - start + 1) / max(1, min(50, stage.steps // 4)))
                return peak * warm * (0.1 + 0.9 * 0.5 * (1 + float(np.cos(np.pi * done))))
        return 0.0

    def on_train_batch_start(self, _batch: Batch, _index: int) -> None:
        """Freeze what the current stage freezes; a resumed run finds its stage by the step."""
        stage = self._stage()
        blocks = [self.model.image.backbone.conv_stem, *self.model.image.backbone.layer]
        for number, block in enumerate(blocks):
            trains = stage.backbone_lr > 0 and number >= stage.frozen_blocks
            block.requires_grad_(trains)

    def _stage(self) -> Stage:
        stages = (stage for _, end, stage in _spans(self.recipe) if self.global_step < end)
        return next(stages, self.recipe.stages[-1])


def batch_counts(recipe: DualRecipe, stage: Stage) -> list[int]:
    """Pictures of each source in a batch, in proportion to the shares, at least two each."""
    shares = [stage.shares.get(source.name, source.share) for source in recipe.sources]
    counts = [max(2, round(recipe.batch * share / sum(shares))) for share in shares]
    largest = int(np.argmax(counts))
    counts[largest] = max(2, counts[largest] + recipe.batch - sum(counts))
    return counts


def tokenize(tokenizer: Tokenizer, texts: list[str]) -> tuple[Tensor, Tensor]:
    """Texts → ids and mask, both (B, longest)."""
    encodings = tokenizer.encode_batch(texts)
    ids = torch.tensor([encoding.ids for encoding in encodings])
    return ids, torch.tensor([encoding.attention_mask for encoding in encodings])


def _draw(numbers: np.random.Generator, examples: ExampleSet, count: int) -> NDArray[np.intp]:
    """`count` rows, none twice unless there are too few; in pairs where the source wants them.

    The second of a pair is one of the item's street views, or its own picture once more.
    """
    own, paired = examples.own, bool(examples.examples[0].item)
    first = -(-count // 2) if paired else count
    rows = numbers.choice(own, first, replace=first > own)
    if not paired:
        return rows
    views = [examples.views[row] if examples.views else () for row in rows[: count - first]]
    second = [numbers.choice(v) if v else row for v, row in zip(views, rows, strict=False)]
    return np.concatenate([rows, np.array(second, np.intp)])


def _floats(pictures: np.ndarray[Any, np.dtype[np.uint8]]) -> Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


def _backgrounds(sets: list[ExampleSet], most: int = 512) -> Tensor:
    """Pictures that do not stand before white, as backgrounds for those that do."""
    cluttered = [s.pictures[i] for s in sets for i, e in enumerate(s.examples) if not e.clean]
    if not cluttered:
        return torch.rand(8, 3, 8, 8)
    step = max(1, len(cluttered) // most)
    return _floats(np.stack([picture[:96, :96] for picture in cluttered[::step]]))


def _numbering(keys: Iterable[str]) -> dict[str, int]:
    return {key: number for number, key in enumerate(sorted({k for k in keys if k}))}


def contrast_keys(example: Example) -> tuple[str, str, str, str, str]:
    """What supervised contrastion pulls together; "" where the source does not say.

    The category in the words of all sources, the label in the source's own words, the colour,
    the category together with the colour, and the item.
    """
    category, color = example.category or "", example.color_label or example.color or ""
    return (
        category and f"category {category}",
        example.label and f"{example.source} label {example.label}",
        color and f"{example.source} color {color}",
        category and color and f"{example.source} {color} {category}",
        example.item and f"item {example.item}",
    )


def _spans(recipe: DualRecipe) -> Iterator[tuple[int, int, Stage]]:
    """Each stage with its first step and the first step behind it."""
    end = 0
    for stage in recipe.stages:
        start, end = end, end + stage.steps
        yield start, end, stage
