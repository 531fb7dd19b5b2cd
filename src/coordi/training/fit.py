"""Run a recipe: read the sources, train, and leave an artefact folder that serves."""

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import lightning
import torch
import yaml
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch.utils.data import DataLoader

from coordi.errors import RecipeError
from coordi.models.encoders.mini import Mini
from coordi.training.captions import write_caption
from coordi.training.dual import Batches, DualModule
from coordi.training.examples import ExampleSet, load_source
from coordi.training.export import export_dual
from coordi.training.recipes import DualRecipe, load_recipe

Say = Callable[[str], None]


def run(
    recipe: str, overrides: Sequence[str] = (), *, output: Path, say: Say = lambda _: None
) -> Path:
    """Train `recipe` into `output` and return the artefact's folder.

    `output` also keeps recipe.yaml, logs and the last checkpoint; calling again with the same
    recipe resumes there, calling with another raises `RecipeError`.
    """
    settings = load_recipe(recipe, overrides)
    _claim(output, settings)
    root = Path(settings.data)
    sets = [_load(source, root, say) for source in settings.sources]
    tokenizer = train_tokenizer(sets, settings)
    module = _fit(settings, sets, tokenizer, output)
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


def _load(source, root: Path, say: Say) -> ExampleSet:  # type: ignore[no-untyped-def]
    examples = load_source(source, root)
    train = examples.subset("train")
    say(
        f"{source.name}: {len(examples.examples)} pictures, {len(train.examples)} to train on"
        + (f", {examples.failed} unreadable" if examples.failed else "")
    )
    return train


def train_tokenizer(sets: list[ExampleSet], recipe: DualRecipe, length: int = 32) -> Tokenizer:
    """A WordPiece tokenizer of the captions that the recipe writes."""
    rng = random.Random(recipe.seed)
    captions = [
        write_caption(example, rng).text
        for examples in sets
        for example in examples.examples
        for _ in range(2)
    ]
    captions += [example.title.lower() for examples in sets for example in examples.examples]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=recipe.vocabulary,
        min_frequency=2,
        special_tokens=["[PAD]", "[UNK]"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    tokenizer.enable_truncation(length)
    return tokenizer


def _fit(
    recipe: DualRecipe, sets: list[ExampleSet], tokenizer: Tokenizer, output: Path
) -> DualModule:
    lightning.seed_everything(recipe.seed, verbose=False)
    module = DualModule(recipe, _model(recipe, tokenizer))
    last = output / "checkpoints" / "last.ckpt"
    start = torch.load(last, weights_only=False)["global_step"] if last.exists() else 0
    steps = sum(stage.steps for stage in recipe.stages)
    batches = Batches(sets, tokenizer, recipe, start)
    trainer = lightning.Trainer(
        max_steps=steps,
        accelerator="auto",
        devices=1,
        precision=recipe.precision,
        logger=CSVLogger(output, name="", version="logs", flush_logs_every_n_steps=10),
        callbacks=_callbacks(recipe, output),
        log_every_n_steps=10,
        enable_model_summary=False,
        gradient_clip_val=1.0,
        use_distributed_sampler=False,
    )
    trainer.fit(
        module,
        DataLoader(batches, batch_size=None, num_workers=0),
        ckpt_path=str(last) if last.exists() else None,
        weights_only=False if last.exists() else None,
    )
    if trainer.interrupted:
        raise KeyboardInterrupt
    return module


def _callbacks(recipe: DualRecipe, output: Path) -> list[Callback]:
    return [
        ModelCheckpoint(
            output / "checkpoints",
            every_n_train_steps=recipe.checkpoint_every,
            save_last=True,
            save_top_k=0,
            save_on_exception=True,
        ),
        TQDMProgressBar(refresh_rate=5),
    ]


def _model(recipe: DualRecipe, tokenizer: Tokenizer) -> Mini:
    backbone = None
    if recipe.init is not None:
        from coordi.models.encoders.mobilenet_tflite import load_mobilenet_v2

        backbone = load_mobilenet_v2(Path(recipe.init))
    return Mini(tokenizer.get_vocab_size(), recipe.dim, backbone)
