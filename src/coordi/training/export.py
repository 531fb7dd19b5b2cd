"""Turn a trained dual model into the artefact folder that serves it."""

import json
from pathlib import Path

from tokenizers import Tokenizer

from coordi.artifacts import atomic_folder
from coordi.models.encoders.mini import Mini
from coordi.models.encoders.onnx import FORMAT
from coordi.models.encoders.onnx_export import export_towers
from coordi.training.dual_recipe import DualRecipe
from coordi.training.examples import ExampleSet


def export_dual(
    model: Mini, tokenizer: Tokenizer, recipe: DualRecipe, sets: list[ExampleSet], folder: Path
) -> Path:
    """Write weights, graphs, tokenizer, preprocessing, configuration and card into `folder`."""
    with atomic_folder(folder) as draft:
        export_towers(model.image, model.text, draft, image_size=recipe.image_size)
        tokenizer.save(str(draft / "tokenizer.json"))
        _write_json(draft / "config.json", _config(recipe, tokenizer))
        _write_json(draft / "preprocessor_config.json", _preprocessing(recipe.image_size))
        (draft / "recipe.yaml").write_text(recipe.to_yaml(), "utf-8")
        (draft / "README.md").write_text(_card(recipe, sets), "utf-8")
    return folder


def _config(recipe: DualRecipe, tokenizer: Tokenizer) -> dict[str, object]:
    return {
        "format": FORMAT,
        "name": recipe.name,
        "version": recipe.version,
        "dim": recipe.dim,
        "matryoshka_dims": list(recipe.matryoshka_dims),
        "image_size": recipe.image_size,
        "vocabulary": tokenizer.get_vocab_size(),
    }


def _preprocessing(size: int) -> dict[str, object]:
    """What transformers' SiglipImageProcessor reads: squeeze to a square, scale to [−1, 1]."""
    return {
        "image_processor_type": "SiglipImageProcessor",
        "do_resize": True,
        "size": {"height": size, "width": size},
        "resample": 3,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def _card(recipe: DualRecipe, sets: list[ExampleSet]) -> str:
    rows = "\n".join(f"| {s.name} | {len(s.examples)} |" for s in sets)
    settings = recipe.to_yaml()
    start = f"`{Path(recipe.init).name}`" if recipe.init else "random weights"
    return (
        f"# {recipe.name} {recipe.version}\n\n"
        f"An image tower and a text tower in one space of {recipe.dim} dimensions, of which the "
        f"first {', '.join(map(str, recipe.matryoshka_dims[:-1]))} also serve. "
        f"The image tower started from {start}.\n\n"
        f"| source | pictures trained on |\n|---|---|\n{rows}\n\n"
        f"Made by `coordi train` with this recipe:\n\n```yaml\n{settings}```\n"
    )
