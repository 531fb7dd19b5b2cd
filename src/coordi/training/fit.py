"""Run a recipe: read the sources, train, and leave an artefact folder that serves."""

import json
import logging
import random
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import lightning
import numpy as np
import torch
import yaml
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from torch.utils.data import DataLoader
from transformers import MobileNetV2Config, MobileNetV2Model

from coordi.errors import RecipeError
from coordi.models.encoders.mini import Mini
from coordi.training.captions import write_caption
from coordi.training.dual import Batches, DualModule
from coordi.training.examples import ExampleSet, load_source
from coordi.training.export import export_dual
from coordi.training.recipes import DualRecipe, Source, load_recipe

Say = Callable[[str], None]


def run(
    recipe: str,
    overrides: Sequence[str] = (),
    *,
    output: Path,
    say: Say = lambda _: None,
    quiet: bool = False,
) -> Path:
    """Train `recipe` into `output` and return the artefact's folder.

    `output` also keeps recipe.yaml, logs and the last checkpoint; calling again with the same
    recipe resumes there, calling with another raises `RecipeError`. `say` gets lines of text;
    `quiet` leaves out the progress bar. Ctrl-C writes a checkpoint before KeyboardInterrupt.
    """
    settings = load_recipe(recipe, overrides)
    _claim(output, settings)
    root = Path(settings.data)
    sets = [_load(source, root, say) for source in settings.sources]
    tokenizer = train_tokenizer(sets, settings)
    module = _fit(settings, sets, tokenizer, output, quiet)
    return export_dual(module.model, tokenizer, settings, sets, output / "artifact")


def _claim(output: Path, recipe: DualRecipe) -> None:
    """Write the recipe into `output`, or check that the one there is the same."""
    output.mkdir(parents=True, exist_ok=True)
    kept, text = output / "recipe.yaml", yaml.safe_dump(json.loads(recipe.model_dump_json()))
    if kept.exists() and kept.read_text("utf-8") != text:
        raise RecipeError(
            f"{output} holds a run of another recipe (compare {kept}); choose another --output"
        )
    kept.write_text(text, "utf-8")


def _load(source: Source, root: Path, say: Say) -> ExampleSet:
    examples = load_source(source, root, "train")
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


def _fit(
    recipe: DualRecipe, sets: list[ExampleSet], tokenizer: Tokenizer, output: Path, quiet: bool
) -> DualModule:
    lightning.seed_everything(recipe.seed, verbose=False)
    module = DualModule(recipe, _model(recipe, tokenizer, sets))
    last = output / "checkpoints" / "last.ckpt"
    start = torch.load(last, weights_only=False)["global_step"] if last.exists() else 0
    steps = sum(stage.steps for stage in recipe.stages)
    batches = Batches(sets, tokenizer, recipe, start)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    trainer = lightning.Trainer(
        max_steps=steps,
        accelerator="auto",
        devices=1,
        precision=recipe.precision,
        logger=CSVLogger(output, name="", version="logs", flush_logs_every_n_steps=10),
        callbacks=_callbacks(recipe, output, quiet),
        enable_progress_bar=not quiet,
        log_every_n_steps=10,
        enable_model_summary=False,
        gradient_clip_val=1.0,
        use_distributed_sampler=False,
    )
    with _quiet_lightning():
        trainer.fit(
            module,
            DataLoader(batches, batch_size=None, num_workers=0),
            ckpt_path=str(last) if last.exists() else None,
            weights_only=False if last.exists() else None,
        )
    if trainer.interrupted:
        raise KeyboardInterrupt
    return module


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Leave out what Lightning warns of and what is meant so here."""
    meant = (
        "The '.*' does not have many workers",  # batches are cheaper than handing them over
        "You're resuming from a checkpoint that ended before",  # batches know their step
        "Checkpoint directory .* exists and is not empty",  # a resumed run
        ".*LeafSpec.* is deprecated",  # Lightning's own call into torch
    )
    with warnings.catch_warnings():
        for message in meant:
            warnings.filterwarnings("ignore", message=message)
        yield


def _callbacks(recipe: DualRecipe, output: Path, quiet: bool) -> list[Callback]:
    bars: list[Callback] = [] if quiet else [TQDMProgressBar(refresh_rate=5)]
    return [
        *bars,
        ModelCheckpoint(
            output / "checkpoints",
            every_n_train_steps=recipe.checkpoint_every,
            save_last=True,
            save_top_k=0,
            save_on_exception=True,
        ),
    ]


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
