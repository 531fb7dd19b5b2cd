"""Pictures with captions, from mixed sources: what towers of pictures and words learn from."""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from torch import Tensor
from torch.nn import functional
from transformers import MobileNetV2Config, MobileNetV2Model

from coordi.models.batches import CaptionBatch, VocabularySize
from coordi.models.encoders.backbone import Backbone, BackboneConfig
from coordi.models.encoders.mini import fold_batch_norm
from coordi.models.retrieval.dual import NOTIONS
from coordi.models.system import EmbeddingSystem, System
from coordi.training import recipe as base
from coordi.training.augment import augment
from coordi.training.examples import Example, ExampleSet, Source, load_source
from coordi.training.net import Net
from coordi.training.sentences import truth_matrix, write_caption
from coordi.types import Problem, Say

ContrastName = Literal["category", "label", "color", "variant", "item"]
"""What pictures are drawn together by."""

_FEATURES = 1280
"""Columns of MobileNetV2's features."""

_PROBE = 128
"""Pictures on which the collapse monitor looks."""


class Stage(base.Stage):
    """A stretch of training at one picture size, with its own mixture."""

    size: int = Field(ge=32, le=384)
    """Side of the pictures in pixels."""
    frozen_blocks: int = Field(0, ge=0, le=17)
    """Blocks of the backbone, from the input, that stay as they are."""
    shares: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Shares of sources that differ in this stage, by their names."""
    weights: dict[ContrastName, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Weights of contrastion that differ in this stage."""


class Recipe(base.Recipe):
    """An image tower and a text tower in one space."""

    name: str = "dual"
    encoder: Literal[""] = ""
    """None: the image tower learns along."""
    sources: tuple[Source, ...] = Field(min_length=1)
    """What to learn from."""
    init: str | None = None
    """TFLite file of a MobileNetV2 to start the image tower from; from scratch without it."""
    vocabulary: int = Field(6000, ge=64)
    """Entries of the tokenizer that is trained on the captions."""
    batch: int = Field(192, ge=2)
    """Pictures in a step."""
    image_size: int = Field(128, ge=32)
    """Side of the pictures that the finished encoder takes."""
    stages: tuple[Stage, ...] = Field(min_length=1)
    """Run one after the other."""
    category_weight: float = Field(0.3, ge=0)
    """Weight of supervised contrastion by canonical category, across all sources."""
    label_weight: float = Field(0.8, ge=0)
    """Weight of supervised contrastion by each source's own label."""
    color_weight: float = Field(0.4, ge=0)
    """Weight of supervised contrastion by colour."""
    variant_weight: float = Field(0.5, ge=0)
    """Weight of supervised contrastion by category and colour together."""
    item_weight: float = Field(1.0, ge=0)
    """Weight of contrastion by item, over the sources whose pictures come in pairs."""
    precision: Literal["bf16-mixed", "32-true"] = "bf16-mixed"
    decay_vectors: bool = True
    validate_every: int = Field(0, ge=0, le=0)
    """No trial chooses among the weights of this kind: the last ones are kept."""
    patience: int = Field(0, ge=0, le=0)
    """As `validate_every`."""
    checkpoint_every: int = Field(50, ge=1)

    @property
    def schedule(self) -> tuple[Stage, ...]:
        """The stages as they are written."""
        return self.stages

    @model_validator(mode="before")
    @classmethod
    def _settings_of_the_model(cls, values: Any) -> Any:
        """`dim` and its kind stood beside the data before 0.3."""
        if not isinstance(values, dict) or not (moved := _MOVED & values.keys()):
            return values
        model = {**values.get("model", {}), **{name: values[name] for name in moved}}
        return {k: v for k, v in values.items() if k not in moved} | {"model": model}

    @model_validator(mode="after")
    def _shares_are_of_sources(self) -> Self:
        names = {source.name for source in self.sources}
        for stage in self.stages:
            if unknown := sorted(set(stage.shares) - names):
                raise ValueError(f"a stage has a share of {unknown[0]!r}, which is no source")
        return self

    def weight(self, name: str, stage: Stage) -> float:
        """The weight of a contrastion in a stage."""
        general: float = getattr(self, f"{name}_weight")
        return stage.weights.get(name, general)  # type: ignore[call-overload, no-any-return]


_MOVED = {"dim", "matryoshka_dims", "item_temperature"}


@dataclass(frozen=True, slots=True)
class Captions:
    """A `Material` of pictures with captions; everything random is a function of the number."""

    recipe: Recipe
    sets: tuple[ExampleSet, ...]
    tokenizer: Tokenizer
    backgrounds: Tensor
    numbers: Mapping[str, int]
    """Numbers of the `contrast_keys`."""
    feature_dim: int = _FEATURES
    measure: str = ""

    @property
    def sizes(self) -> VocabularySize:
        """Pieces of the tokenizer."""
        return VocabularySize(self.tokenizer.get_vocab_size())

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Pictures that could not be read."""
        return tuple(problem for examples in self.sets for problem in examples.problems)

    def backbone(self) -> Backbone:
        """A MobileNetV2 from the recipe's file, or from scratch."""
        init = self.recipe.init
        if init is None:
            network = fresh_backbone(self.sets[0].pictures[:64])
        else:
            from coordi.models.encoders.mobilenet_tflite import load_mobilenet_v2

            network = load_mobilenet_v2(Path(init))
        config = BackboneConfig(
            kind="mobilenet_v2",
            origin=Path(init).name if init else "random weights",
            dim=_FEATURES,
            image_size=self.recipe.image_size,
            unit_rows=False,
        )
        return Backbone(config, fold_batch_norm(network))

    def require(self, system: System) -> None:
        """Every picture has a caption: there is always something to learn."""

    def acquaint(self, net: Net) -> None:
        """Nothing to meet: no system that learns from captions asks for it."""

    def batch(self, number: int, step: int) -> CaptionBatch:
        """Pictures of all sources, as the stage of `step` mixes them, changed at random."""
        stage, _ = self.recipe.stage_at(step)
        seed = self.recipe.seed * 1_000_003 + number
        rng, numbers = random.Random(seed), np.random.default_rng(seed)
        examples: list[Example] = []
        pixels: list[Tensor] = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            counts = batch_counts(self.recipe.batch, self.recipe.sources, stage.shares)
            for source, count in zip(self.sets, counts, strict=True):
                rows = _draw(numbers, source, count)
                chosen = [source.examples[row] for row in rows]
                clean = torch.tensor([e.clean for e in chosen])
                pictures = _floats(source.pictures[rows])
                pixels.append(augment(pictures, clean, self.backgrounds, stage.size))
                examples += chosen
        captions = [write_caption(example, rng) for example in examples]
        ids, mask = tokenize(self.tokenizer, [caption.text for caption in captions])
        return CaptionBatch(
            torch.cat(pixels).contiguous(memory_format=torch.channels_last),
            ids,
            mask,
            torch.from_numpy(truth_matrix(examples, captions)),
            torch.tensor([[self.numbers.get(k, -1) for k in contrast_keys(e)] for e in examples]).T,
            torch.tensor([self.recipe.weight(name, stage) for name in NOTIONS]),
        )

    def first_look(self, net: Net) -> Tensor:
        """Features of some pictures (n, feature_dim)."""
        pixels = self._some()
        return net.features_of(len(pixels), lambda part: pixels[part])

    def probe(self, net: Net) -> Tensor:
        """Embeddings (n, dim) of some pictures."""
        assert isinstance(net.system, EmbeddingSystem)
        with torch.no_grad(), net.answering():
            features = self.first_look(net).to(net.device)
            return net.system.embed(features, torch.zeros(len(features))).float().cpu()

    def _some(self) -> Tensor:
        """Pictures of all sources (n, 3, S, S) in [−1, 1] as they are."""
        size, most = self.recipe.image_size, max(1, _PROBE // len(self.sets))
        parts = [s.pictures[:: max(1, len(s.pictures) // most)][:most] for s in self.sets]
        return torch.cat([functional.interpolate(_floats(p), size) for p in parts]) * 2 - 1

    def judge(self, net: Net) -> float:
        """Nothing chooses: `measure` is empty."""
        raise NotImplementedError

    def say(self) -> str:
        """How many pictures of how many sources."""
        count = sum(len(examples.examples) for examples in self.sets)
        return f"{count} pictures of {len(self.sets)} sources"

    def facts(self) -> Mapping[str, str]:
        """Pictures of each source, and what the image tower started from."""
        start = f"`{Path(self.recipe.init).name}`" if self.recipe.init else "random weights"
        pictures = {f"pictures of {s.name}": str(len(s.examples)) for s in self.sets}
        return {"image tower started from": start, **pictures}

    def frozen(self) -> None:
        """The image tower learns along."""

    def keep(self, folder: Path) -> None:
        """Write the tokenizer, and how pictures are prepared."""
        self.tokenizer.save(str(folder / "tokenizer.json"))
        size = self.recipe.image_size
        settings = json.dumps(preprocessing(size, size), indent=2)
        (folder / "preprocessor_config.json").write_text(settings + "\n", "utf-8")


def gather(recipe: Recipe, cache: Path, say: Say) -> Captions:
    """Read the sources of a recipe and train its tokenizer."""
    sets = tuple(_load(source, Path(recipe.data), cache, say) for source in recipe.sources)
    keys = sorted({k for s in sets for e in s.examples for k in contrast_keys(e) if k})
    return Captions(
        recipe,
        sets,
        train_tokenizer(sets, seed=recipe.seed, vocabulary=recipe.vocabulary),
        _backgrounds(sets, recipe.seed),
        {key: number for number, key in enumerate(keys)},
    )


def _load(source: Source, root: Path, cache: Path, say: Say) -> ExampleSet:
    examples = load_source(source, root, "train", cache)
    failed = f", {len(examples.problems)} unreadable" if examples.problems else ""
    say(f"{source.name}: {len(examples.examples)} pictures to train on{failed}")
    return examples


def preprocessing(height: int, width: int) -> dict[str, object]:
    """What transformers' SiglipImageProcessor reads: squeeze, bicubic, scale to [−1, 1]."""
    return {
        "image_processor_type": "SiglipImageProcessor",
        "do_resize": True,
        "size": {"height": height, "width": width},
        "resample": 3,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }


def batch_counts(batch: int, sources: Sequence[Source], changed: Mapping[str, float]) -> list[int]:
    """Pictures of each source in a batch, in proportion to the shares, at least two each.

    `changed` are shares that differ from the sources' own, by name.
    """
    shares = [changed.get(source.name, source.share) for source in sources]
    counts = [max(2, round(batch * share / sum(shares))) for share in shares]
    largest = int(np.argmax(counts))
    counts[largest] = max(2, counts[largest] + batch - sum(counts))
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


def _backgrounds(sets: Sequence[ExampleSet], seed: int, most: int = 512) -> Tensor:
    """Pictures that do not stand before white, as backgrounds for those that do."""
    cluttered = [s.pictures[i] for s in sets for i, e in enumerate(s.examples) if not e.clean]
    if not cluttered:
        return torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    step = max(1, len(cluttered) // most)
    return _floats(np.stack([picture[:96, :96] for picture in cluttered[::step]]))


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


def train_tokenizer(
    sets: Sequence[ExampleSet],
    *,
    seed: int,
    vocabulary: int,
    foreign: float = 0.0,
    length: int = 32,
) -> Tokenizer:
    """A WordPiece tokenizer of at most `vocabulary` pieces for the captions that recipes write.

    Its pieces are all characters and the most frequent whole words, ties in alphabetical order:
    the trainers of `tokenizers` break ties at random, and then no run could be repeated.
    """
    normalizer = normalizers.BertNormalizer(lowercase=True)
    splitter = pre_tokenizers.BertPreTokenizer()
    counts = Counter(
        word
        for caption in _written(sets, seed, foreign)
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(caption))
    )
    letters = sorted({letter for word in counts for letter in word})
    frequent = sorted((w for w, n in counts.items() if n > 1), key=lambda w: (-counts[w], w))
    pieces = ["[PAD]", "[UNK]", *letters, *(f"##{letter}" for letter in letters), *frequent]
    kept = list(dict.fromkeys(pieces))[:vocabulary]
    tokenizer = Tokenizer(
        models.WordPiece({piece: i for i, piece in enumerate(kept)}, unk_token="[UNK]")
    )
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    tokenizer.enable_truncation(length)
    return tokenizer


def _written(sets: Sequence[ExampleSet], seed: int, foreign: float) -> Iterator[str]:
    rng = random.Random(seed)
    for examples in sets:
        for example in examples.examples:
            yield example.title
            yield write_caption(example, rng, foreign=foreign).text
            yield write_caption(example, rng, foreign=foreign).text


@torch.no_grad()
def fresh_backbone(pictures: NDArray[np.uint8]) -> MobileNetV2Model:
    """Random weights, with batch normalisation set to what `pictures` (N, S, S, 3) need.

    Folded, it then gives every layer an output of unit variance, without which fifty layers of
    random weights let nothing through (data-dependent initialisation, Krähenbühl et al. 2016).
    """
    model = MobileNetV2Model(MobileNetV2Config()).train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    model(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1)
    return model.eval()
