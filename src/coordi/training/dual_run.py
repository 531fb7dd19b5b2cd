"""Run a dual recipe: read the sources, train both towers, export them."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from torch.utils.data import DataLoader
from transformers import MobileNetV2Config, MobileNetV2Model

from coordi.models.encoders.mini import Mini
from coordi.training.captions import write_caption
from coordi.training.dual import CaptionBatches, DualModule
from coordi.training.dual_recipe import DualRecipe, Source
from coordi.training.examples import ExampleSet, load_source
from coordi.training.export import export_dual
from coordi.training.trainer import steps_done, train
from coordi.types import Say


def train_dual(
    recipe: DualRecipe,
    output: Path,
    say: Say,
    *,
    claim: Callable[[Path, DualRecipe], None],
    quiet: bool,
) -> Path:
    """Train a dual recipe into `output` and return the artefact's folder.

    `claim` makes the folder the recipe's own, once there is something to learn from.
    """
    cache = Path(recipe.cache) if recipe.cache else output.absolute().parent / "cache"
    sets = [_load(source, Path(recipe.data), cache, say) for source in recipe.sources]
    tokenizer = train_tokenizer(sets, recipe)
    lightning.seed_everything(recipe.seed, verbose=False)
    module = DualModule(recipe, _model(recipe, tokenizer, sets))
    batches = CaptionBatches(sets, tokenizer, recipe, steps_done(output))
    claim(output, recipe)
    train(
        module,
        DataLoader(batches, batch_size=None, num_workers=0),
        recipe,
        output,
        steps=sum(stage.steps for stage in recipe.stages),
        quiet=quiet,
        clip=1.0,
    )
    return export_dual(module.model, tokenizer, recipe, sets, output / "artifact")


def _load(source: Source, root: Path, cache: Path, say: Say) -> ExampleSet:
    examples = load_source(source, root, "train", cache)
    failed = f", {examples.failed} unreadable" if examples.failed else ""
    say(f"{source.name}: {len(examples.examples)} pictures to train on{failed}")
    return examples


def train_tokenizer(sets: list[ExampleSet], recipe: DualRecipe, length: int = 32) -> Tokenizer:
    """A WordPiece tokenizer of the captions that the recipe writes.

    Its pieces are all characters and the most frequent whole words, ties in alphabetical order:
    the trainers of `tokenizers` break ties at random, and then no run could be repeated.
    """
    normalizer = normalizers.BertNormalizer(lowercase=True)
    splitter = pre_tokenizers.BertPreTokenizer()
    counts = Counter(
        word
        for caption in _captions(sets, recipe)
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(caption))
    )
    letters = sorted({letter for word in counts for letter in word})
    frequent = sorted((w for w, n in counts.items() if n > 1), key=lambda w: (-counts[w], w))
    pieces = ["[PAD]", "[UNK]", *letters, *(f"##{letter}" for letter in letters), *frequent]
    kept = list(dict.fromkeys(pieces))[: recipe.vocabulary]
    tokenizer = Tokenizer(
        models.WordPiece({piece: i for i, piece in enumerate(kept)}, unk_token="[UNK]")
    )
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    tokenizer.enable_truncation(length)
    return tokenizer


def _captions(sets: list[ExampleSet], recipe: DualRecipe) -> Iterator[str]:
    rng = random.Random(recipe.seed)
    for examples in sets:
        for example in examples.examples:
            yield example.title
            yield write_caption(example, rng).text
            yield write_caption(example, rng).text


def _model(recipe: DualRecipe, tokenizer: Tokenizer, sets: list[ExampleSet]) -> Mini:
    if recipe.init is None:
        backbone = fresh_backbone(sets[0].pictures[:64])
    else:
        from coordi.models.encoders.mobilenet_tflite import load_mobilenet_v2

        backbone = load_mobilenet_v2(Path(recipe.init))
    return Mini(tokenizer.get_vocab_size(), recipe.dim, backbone).train()


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
