"""Pictures as cells, with captions and all that is known of them: what `parts` learns from."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from tokenizers import Tokenizer
from torch import Tensor

from coordi.models.batches import CellBatch, CellSizes
from coordi.models.encoders.cells import CHANNELS, Cells, choose_anchors
from coordi.models.encoders.efficientnet_lite import (
    EfficientNetLite,
    load_published,
    published_weights,
)
from coordi.models.retrieval.parts import LABELS, NOTIONS, PartsSystem
from coordi.models.system import System
from coordi.training import examples
from coordi.training import recipe as base
from coordi.training.cells import Rendition, pick, render_cells
from coordi.training.examples import Example, ExampleSet, load_source, some_pictures
from coordi.training.material.captions import (
    batch_counts,
    contrast_keys,
    preprocessing,
    tokenize,
    train_tokenizer,
)
from coordi.training.material.masks import fresh_trunk
from coordi.training.net import Net
from coordi.training.sentences import truth_matrix, write_caption
from coordi.types import Problem, Say

Notion = Literal["category", "label", "color", "pattern", "variant", "item"]
"""What pictures are drawn together by."""

_PROBE = 128
"""Pictures on which the collapse monitor looks."""

_SAMPLED = 400
"""Pictures of each source by which the colours are chosen."""


class Source(examples.Source):
    """A source, and how often its pictures are seen."""

    renditions: int = Field(2, ge=1, le=16)
    """Cells kept of each picture: as it is, and changed at random."""
    area: tuple[float, float] = (0.55, 1.1)
    """Crops of the changed ones, as shares of the picture."""
    titles: float = Field(0.6, ge=0, le=1)
    """Share of captions that are titles, where there are any."""


class Stage(base.Stage):
    """A stretch of training with its own mixture."""

    frozen_blocks: int = Field(0, ge=0, le=6)
    """Blocks of the upper half that stay as they are."""
    shares: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Shares of sources that differ in this stage, by their names."""
    weights: dict[Notion, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Weights of notions that differ in this stage."""


class Recipe(base.Recipe):
    """An image tower of three parts and a text tower in one space."""

    name: str = "parts"
    encoder: Literal[""] = ""
    """None: the upper half of the image tower learns along."""
    imagenet: bool = True
    """Whether the image tower starts from EfficientNet-Lite0's ImageNet weights, or from nothing;
    the lower half stays as it starts."""
    sources: tuple[Source, ...] = Field(min_length=1)
    """What to learn from."""
    vocabulary: int = Field(12000, ge=64)
    """Entries of the tokenizer that is trained on the captions."""
    foreign: float = Field(0.3, ge=0, le=1)
    """Share of the captions of attributes that are in another language than English."""
    image_size: tuple[int, int] = (192, 160)
    """Height and width of the pictures, multiples of 32."""
    batch: int = Field(512, ge=2)
    """Pictures in a step."""
    stages: tuple[Stage, ...] = Field(min_length=1)
    """Run one after the other."""
    weights: dict[Notion, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """How much each notion counts, where it is not 1."""
    precision: Literal["bf16-mixed", "32-true"] = "bf16-mixed"
    validate_every: int = Field(0, ge=0, le=0)
    """No trial chooses among the weights of this kind: the last ones are kept."""
    patience: int = Field(0, ge=0, le=0)
    """As `validate_every`."""
    checkpoint_every: int = Field(50, ge=1)

    @property
    def schedule(self) -> tuple[Stage, ...]:
        """The stages as they are written."""
        return self.stages

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = {source.name for source in self.sources}
        for stage in self.stages:
            if unknown := sorted(set(stage.shares) - names):
                raise ValueError(f"a stage has a share of {unknown[0]!r}, which is no source")
        if any(side < 64 or side % 32 for side in self.image_size):
            raise ValueError("image_size must be multiples of 32, from 64 on")
        return self


@dataclass(frozen=True, slots=True)
class CellSet:
    """A source whose pictures are kept as cells."""

    source: Source
    examples: ExampleSet
    """Without pictures."""
    renditions: tuple[Rendition, ...]


@dataclass(frozen=True, slots=True)
class CellMaterial:
    """A `Material` of cells; everything random is a function of seed and number."""

    recipe: Recipe
    sets: tuple[CellSet, ...]
    tokenizer: Tokenizer
    numbers: tuple[Mapping[str, int], ...]
    """Of each of `NOTIONS`, the number of each of its keys."""
    cells: Cells
    upper: EfficientNetLite
    """The network whose upper half learns."""
    feature_dim: int = CHANNELS
    measure: str = ""

    @property
    def sizes(self) -> CellSizes:
        """Pieces of the tokenizer, and the labels."""
        classes = {
            name: _groups(keys)
            for name, keys in zip(NOTIONS, self.numbers, strict=True)
            if name in LABELS
        }
        return CellSizes(self.tokenizer.get_vocab_size(), classes)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Pictures that could not be read."""
        return tuple(problem for s in self.sets for problem in s.examples.problems)

    def backbone(self) -> None:
        """The image tower is a part of the system."""

    def frozen(self) -> None:
        """No encoder's features."""

    def require(self, system: System) -> None:
        """Give the image tower the weights that it starts from; there is always more to learn."""
        assert isinstance(system, PartsSystem)
        system.image.size = self.recipe.image_size
        system.image.cells.load_state_dict(self.cells.state_dict())
        system.image.start_from(self.upper)

    def acquaint(self, net: Net) -> None:
        """Nothing to meet."""

    def batch(self, number: int, step: int) -> CellBatch:
        """Pictures of all sources, as the stage of `step` mixes them."""
        stage, _ = self.recipe.stage_at(step)
        seed = self.recipe.seed * 1_000_003 + number
        rng, numbers = random.Random(seed), np.random.default_rng(seed)
        chosen, captions, cells = [], [], []
        counts = batch_counts(self.recipe.batch, self.recipe.sources, stage.shares)
        for kept, count in zip(self.sets, counts, strict=True):
            rows, which = _draw(numbers, kept, count)
            cells.append(pick(kept.renditions, rows, which))
            drawn = [kept.examples.examples[row] for row in rows]
            chosen += drawn
            foreign = self.recipe.foreign
            captions += [
                write_caption(e, rng, titles=kept.source.titles, foreign=foreign) for e in drawn
            ]
        seen = torch.from_numpy(np.concatenate(cells)).float()
        seen = _mirrored(seen, torch.from_numpy(numbers.random(len(seen)) < 0.5))
        ids, mask = tokenize(self.tokenizer, [caption.text for caption in captions])
        keys = list(zip(*(notion_keys(e) for e in chosen), strict=True))
        return CellBatch(
            seen[:, :CHANNELS],
            seen[:, CHANNELS],
            ids,
            mask,
            torch.from_numpy(truth_matrix(chosen, captions)),
            torch.tensor(
                [[n.get(k, -1) for k in row] for n, row in zip(self.numbers, keys, strict=True)]
            ),
            torch.tensor([_weight(self.recipe, stage, name) for name in NOTIONS]),
        )

    def first_look(self, net: Net) -> Tensor:  # noqa: ARG002
        """Nothing is fitted to cells here."""
        return torch.zeros(0, self.feature_dim)

    def probe(self, net: Net) -> Tensor:
        """Embeddings (n, dim) of some pictures as they are."""
        assert isinstance(net.system, PartsSystem)
        most = max(1, _PROBE // len(self.sets))
        parts = [k.renditions[0] for k in self.sets]
        some = [part[:: max(1, len(part) // most)][:most, :CHANNELS] for part in parts]
        cells = torch.from_numpy(np.concatenate(some)).float()
        with torch.no_grad(), net.answering():
            return net.system.embed(cells.to(net.device), torch.zeros(len(cells))).float().cpu()

    def judge(self, net: Net) -> float:
        """Nothing chooses: `measure` is empty."""
        raise NotImplementedError

    def say(self) -> str:
        """How many pictures of how many sources."""
        count = sum(len(kept.examples.examples) for kept in self.sets)
        return f"{count} pictures of {len(self.sets)} sources"

    def facts(self) -> Mapping[str, str]:
        """Pictures of each source, and what the image tower started from."""
        lite = "EfficientNet-Lite0's ImageNet weights"
        pictures = {
            f"pictures of {s.source.name}": str(len(s.examples.examples)) for s in self.sets
        }
        return {
            "image tower started from": lite if self.recipe.imagenet else "random weights",
            **pictures,
        }

    def keep(self, folder: Path) -> None:
        """Write the tokenizer, and how pictures are prepared."""
        self.tokenizer.save(str(folder / "tokenizer.json"))
        text = json.dumps(preprocessing(*self.recipe.image_size), indent=2)
        (folder / "preprocessor_config.json").write_text(text + "\n", "utf-8")


def gather(recipe: Recipe, cache: Path, say: Say) -> CellMaterial:
    """Read the sources of a recipe, one at a time, and keep their pictures as cells."""
    root = Path(recipe.data)
    start = _network(recipe, root, cache)
    cells = Cells()
    say(f"colours are chosen by pictures of {len(recipe.sources)} sources")
    pictures = [
        picture
        for source in recipe.sources
        for picture in some_pictures(source, root, "train", cache, _SAMPLED)
    ]
    cells.start_from(start, choose_anchors(pictures, recipe.seed))
    sets = tuple(_kept(source, recipe, root, cells, cache, say) for source in recipe.sources)
    known = [notion_keys(e) for kept in sets for e in kept.examples.examples]
    numbers = tuple(
        {key: number for number, key in enumerate(sorted(set(keys) - {""}))}
        for keys in zip(*known, strict=True)
    )
    tokenizer = train_tokenizer(
        [s.examples for s in sets], seed=recipe.seed, vocabulary=recipe.vocabulary,
        foreign=recipe.foreign,
    )  # fmt: skip
    return CellMaterial(recipe, sets, tokenizer, numbers, cells, start)


def _network(recipe: Recipe, root: Path, cache: Path) -> EfficientNetLite:
    """The network that the image tower starts from."""
    if recipe.imagenet:
        return load_published(0, published_weights(0))
    some = some_pictures(recipe.sources[0], root, "train", cache, 64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        pixels = torch.from_numpy(np.stack(some)).permute(0, 3, 1, 2).float() / 127.5 - 1
        return fresh_trunk(pixels)


def _kept(
    source: Source, recipe: Recipe, root: Path, cells: Cells, cache: Path, say: Say
) -> CellSet:
    found = load_source(source, root, "train", cache)
    failed = f", {len(found.problems)} unreadable" if found.problems else ""
    say(f"{source.name}: {len(found.examples)} pictures to train on{failed}")
    renditions = render_cells(
        found, cells, recipe.image_size, count=source.renditions, area=source.area,
        seed=recipe.seed, cache=cache, say=say,
    )  # fmt: skip
    bare = replace(found, pictures=found.pictures[:0], garments=None)
    return CellSet(source, bare, renditions)


def notion_keys(example: Example) -> tuple[str, ...]:
    """What pictures are drawn together by, in the order of `NOTIONS`; "" where nobody says."""
    category, label, color, variant, item = contrast_keys(example)
    pattern = example.pattern and f"pattern {example.pattern}"
    return category, label, color, pattern, variant, item


def _groups(keys: Mapping[str, int]) -> tuple[int, ...]:
    """For each key, in the order of numbers, a number of what it is one of: a source's labels."""
    kinds = [key.split(" label ")[0] if " label " in key else _kind(key) for key in keys]
    numbers = {kind: n for n, kind in enumerate(sorted(set(kinds)))}
    return tuple(numbers[kind] for kind in kinds)


def _kind(key: str) -> str:
    source, color, _ = key.partition(" color ")
    return source if color else ""


def _weight(recipe: Recipe, stage: Stage, name: str) -> float:
    weights = {str(notion): weight for notion, weight in recipe.weights.items()}
    weights |= {str(notion): weight for notion, weight in stage.weights.items()}
    return weights.get(name, 1.0)


def _draw(
    numbers: np.random.Generator, kept: CellSet, count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """`count` rows and renditions; in pairs where the source wants them.

    The second of a pair is a street view of the item, or another rendition of the first.
    """
    own, paired = kept.examples.own, bool(kept.examples.examples[0].item)
    first = -(-count // 2) if paired else count
    rows = numbers.choice(own, first, replace=first > own)
    many = len(kept.renditions)
    which = numbers.integers(many, size=first)
    if not paired:
        return rows, which
    views = kept.examples.views
    of_row: list[Sequence[int]] = [views[row] if views else () for row in rows[: count - first]]
    second = [numbers.choice(v) if v else row for v, row in zip(of_row, rows, strict=False)]
    others = numbers.integers(many, size=len(second))
    if many > 1:  # never the very same picture twice
        same = np.array([not v for v in of_row], bool)
        steps = numbers.integers(1, many, size=len(second))
        others = np.where(same, (which[: len(second)] + steps) % many, others)
    return np.concatenate([rows, np.array(second, np.intp)]), np.concatenate([which, others])


def _mirrored(cells: Tensor, which: Tensor) -> Tensor:
    """Cells (B, C, h, w) with some turned left to right, which is nearly what a mirror shows."""
    cells[which] = cells[which].flip(-1)
    return cells
